"""Pure functions on tensors: transforms, cameras, lenses, neighbours."""
