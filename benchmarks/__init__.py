"""One script or folder a question; each prints a table and writes JSON."""
