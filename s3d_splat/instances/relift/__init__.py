"""The masks as evidence after clustering: which ids can be trusted, cuts, joins, and votes on single Gaussians."""
