"""From an alarm to a reviewed replacement: new rows, a branch, candidates in the order of their cost, a review."""
