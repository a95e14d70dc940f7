"""Merge drivers for files that `dvc repro` or a command makes again: Git asks them instead of leaving a conflict."""
