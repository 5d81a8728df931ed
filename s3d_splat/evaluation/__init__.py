"""Measuring a run, or files in the formats of others, against truth."""
