"""What INT8 changes, image by image: the worst ones with pictures, and decisions at thresholds."""
