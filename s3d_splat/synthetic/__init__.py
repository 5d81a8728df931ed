"""The built-in room: a ray-cast furnished room with exact images, labels, cameras and points, and faults to inject."""
