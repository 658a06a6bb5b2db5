"""The way from a model's file to its results: steps in child processes, kept as artifacts."""
