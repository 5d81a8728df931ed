"""Scene folder, run folder, PLY and checkpoints: everything that reads or writes files."""
