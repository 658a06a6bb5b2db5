"""Whether INT8 is accurate, and INT8 at all; in a wheel this is ``fqbench.suites.conformance``."""
