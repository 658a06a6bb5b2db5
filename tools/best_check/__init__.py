"""Whether ``fqbench best`` finds what a full run finds; see ``__main__``."""
