"""The choice of a model's parameters: trials under a budget, cross-validated, repeatable, resumable."""
