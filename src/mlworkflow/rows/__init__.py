"""Rows of a table: read in batches, typed, split, described, looking back at earlier ones."""
