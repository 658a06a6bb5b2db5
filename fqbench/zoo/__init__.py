"""Models that come with the package, weights, data and all."""

from fqbench.zoo.embedded import DATA_VERSION, embedded_names, materialize, spec

__all__ = ["DATA_VERSION", "embedded_names", "materialize", "spec"]
