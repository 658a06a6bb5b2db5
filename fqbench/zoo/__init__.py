"""Models that fqbench knows by name: embedded ones, and those of the published table."""

from fqbench.zoo.embedded import DATA_VERSION, embedded_names, materialize, spec
from fqbench.zoo.published import GROUP, published_names

__all__ = ["DATA_VERSION", "GROUP", "embedded_names", "materialize", "published_names", "spec"]
