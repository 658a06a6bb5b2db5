"""Whether a model that was rewritten still computes what its source does, on the same images."""
