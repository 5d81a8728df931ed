"""Questions to a trained run: its vectors, answers with their files, names for all objects."""
