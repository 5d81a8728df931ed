"""Readers of captures: one file for every layout that somebody may bring home."""
