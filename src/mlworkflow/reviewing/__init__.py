"""What changed between two commits, and how the result moved over time."""
