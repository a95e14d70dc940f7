"""What everything rests on: errors, files, paths, the typed configuration, other processes."""
