"""``python -m fqbench``."""

from fqbench.cli.main import entry

if __name__ == "__main__":
    entry()
