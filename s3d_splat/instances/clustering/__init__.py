"""Which over-segments are one object: a seam with one file for each way to tell."""
