"""The report: everything the workflow found out about one problem, as one page from the question to the verdict."""
