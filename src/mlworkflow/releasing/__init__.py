"""Releases by Git tags, as GTO names them: which version is in which stage, who put it there and why, and its bundle."""
