"""What the store of artifacts holds, and taking out what is old or damaged."""
