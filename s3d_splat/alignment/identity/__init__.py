"""One id for every object: masks lifted into space, joined over the whole capture, and drawn again in every image."""
