"""Named numbers, how sure they are, what they are worth, and whether one model is better than another."""
