"""Tasks: each holds its decoders, its metric, and how its answers are kept and compared."""
