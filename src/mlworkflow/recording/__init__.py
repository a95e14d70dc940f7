"""The prediction log: what the server answered, and what became of it; SQLite, and Python's own library alone."""
