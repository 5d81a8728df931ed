"""Cameras and depth from a network that sees all images of a cluster at once."""
