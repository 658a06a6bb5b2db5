"""How long a model takes, and how often it is right."""
