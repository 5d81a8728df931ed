"""Semantic-Scaffold Gaussians: anchors that decode k Gaussians each, which share one instance feature or have their own."""
