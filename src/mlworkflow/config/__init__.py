"""conf/ composed, guarded, and what is wrong in it."""
