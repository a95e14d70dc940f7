"""Is the model in use still well? Windows of rows against what the bundle keeps of the rows learnt from. Pure."""
