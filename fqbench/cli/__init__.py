"""The command ``fqbench``."""
