"""Scenes and objects in formats that other programs open."""
