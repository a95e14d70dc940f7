"""The whole story in one command: a simulated company, its model in use for a year, and whoever is on duty."""
