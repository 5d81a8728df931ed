"""Pictures and words in one space: a seam with one file for each encoder."""
