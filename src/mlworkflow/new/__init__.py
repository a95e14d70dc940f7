"""A problem from a table that nobody has seen.

look: evidence from the values of each column; proposal: what is decided, each with its reason, by task, roles and
measures; rules: its contract; make: the decisions tried on the rows; problemfile: the file of conf/problem/; command:
`mlworkflow new`.
"""
