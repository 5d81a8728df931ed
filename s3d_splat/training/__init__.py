"""Progressive training: stages as data, one step for every door, losses as pure functions."""
