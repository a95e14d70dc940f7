"""Where a table comes from before it is a file here: addresses, databases, APIs, downloads, functions."""
