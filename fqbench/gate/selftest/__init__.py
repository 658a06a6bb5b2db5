"""The gate tried on itself: how often it raises a false alarm, and what it finds."""
