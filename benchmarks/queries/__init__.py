"""Do sentences find the right objects: questions about built-in rooms, and published CLIP features of real ones."""
