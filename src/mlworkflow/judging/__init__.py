"""What the test rows say of a model, and whether that is good enough."""
