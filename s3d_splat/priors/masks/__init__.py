"""Which pixels of an image belong together: a seam with one file for each source of masks."""
