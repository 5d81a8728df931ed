"""How well objects are found: a grid of trainings and what follows them, as data, and the tables that come out."""
