"""Panoptic 3D scene understanding with Gaussian splatting."""

__version__ = "0.1.0"
