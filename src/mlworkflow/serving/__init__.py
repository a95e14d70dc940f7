"""The bundle, its predictions, and how far new rows are from those learnt from."""
