"""Pipelines, the ladder of baselines, the search, and the file that keeps a fitted model."""
