"""Where the images of one cluster were taken from: a seam with one file for each source of poses."""
