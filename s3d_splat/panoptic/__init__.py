"""Panoptic pictures of any view."""
