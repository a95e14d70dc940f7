"""What becomes of raw rows: fit for the problem, within the contract, mended, kept or dropped, with a ledger."""
