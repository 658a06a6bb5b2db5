"""The plugin, also where this repository is not installed, and its options by short names."""

from __future__ import annotations

import pytest

from fqbench.pytest_plugin.settings import add_options

pytest_plugins = ["fqbench.pytest_plugin"]


def pytest_addoption(parser: pytest.Parser) -> None:
    # Short names are for this repository: elsewhere they may be another plugin's.
    add_options(parser.getgroup("fqbench"), prefix="")
