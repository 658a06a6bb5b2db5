"""Latency of every cell; in a wheel this is ``fqbench.suites.benchmarks``."""
