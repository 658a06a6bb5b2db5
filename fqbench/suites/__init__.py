"""The suites for any project: ``pytest --pyargs fqbench.suites.conformance``.

A wheel carries ``benchmarks`` and ``conformance`` in this package. In a source tree they are at its
root, and are found there.
"""

from pathlib import Path

if not Path(__file__).with_name("conformance").is_dir():
    __path__.append(str(Path(__file__).parents[2]))
