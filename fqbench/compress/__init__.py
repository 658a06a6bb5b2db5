"""The one-click tool: from a config of its users to INT8 models for every backend."""
