"""Releases by Git tags, as GTO names them: which version is in which stage, who put it there, why, and its bundle."""
