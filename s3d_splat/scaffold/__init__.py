"""Semantic-Scaffold Gaussians: anchors that decode k Gaussians each and share one instance feature."""
