"""Whether HEAD is slower or less right than BASE."""
