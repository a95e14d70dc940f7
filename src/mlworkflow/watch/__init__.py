"""Follows the prediction log: what was seen is kept, so that nothing is read twice, and what was told is told once."""
