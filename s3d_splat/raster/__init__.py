"""Rasterizers: one interface (`base`), one file per variant, a table of names (`registry`)."""
