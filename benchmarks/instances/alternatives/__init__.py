"""What users would otherwise pick to find the objects of a trained field: a Protocol, a file each, a table of names."""
