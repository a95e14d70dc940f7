"""`mlworkflow predict`: many rows of files or a query, scored chunk by chunk; what was finished outlives a stop."""
