"""Presets: TOML files that override the defaults, and nothing else."""
