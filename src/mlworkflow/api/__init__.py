"""A model behind HTTP: `mlworkflow serve`."""
