"""Is the repository true to itself: verify, the wiring of dvc.yaml, the lock, the numbers of the README."""
