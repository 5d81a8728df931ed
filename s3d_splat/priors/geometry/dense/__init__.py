"""Depth for every pixel of posed images, from the images alone: a plane sweep over neighbouring views."""
