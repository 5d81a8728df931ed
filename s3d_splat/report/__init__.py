"""The report of a run: one HTML file that opens offline, with numbers, pictures, objects, classes and training curves."""
