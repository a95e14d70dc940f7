"""One module a stage of dvc.yaml, with the same name."""
