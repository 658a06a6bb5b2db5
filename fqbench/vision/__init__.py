"""Images into tensors, tensors into answers."""
