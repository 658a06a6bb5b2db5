"""Which layers stay in float: by what they cost in accuracy and save in time."""
