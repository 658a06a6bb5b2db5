"""The pages of ``docs/reference``: commands, spec keys and variables, from the code."""
