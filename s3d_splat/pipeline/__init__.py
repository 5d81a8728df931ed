"""The commands as functions: each opens what it needs, calls the rooms in order and leaves its results in the run folder."""
