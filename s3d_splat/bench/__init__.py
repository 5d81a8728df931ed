"""How fast it is: the rasterizer on fixed scenes and on trained rooms, and a training step part by part."""
