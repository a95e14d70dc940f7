"""What is doubtful about the data, in findings with a name."""
