"""From clusters that agree in nothing to one world: cameras, surfaces, and one id for every object."""
