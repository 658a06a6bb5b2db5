"""Which layers stay in float: by what they cost in accuracy and what they earn in time."""
