"""What is wrong with a clone (`mlworkflow doctor`), and why a stage would run again (`mlworkflow why`)."""
