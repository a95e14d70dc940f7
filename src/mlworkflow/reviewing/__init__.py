"""The review: is a revision better than another, by how much, how sure is that, and what changed to cause it."""
