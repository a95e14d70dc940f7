"""A reproducible, data-versioned machine-learning workflow: models are reviewed like code."""
