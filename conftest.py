"""The plugin, also where this repository is not installed, and its options by short names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fqbench.pytest_plugin.settings import add_options

pytest_plugins = ["fqbench.pytest_plugin"]


def pytest_addoption(parser: pytest.Parser) -> None:
    # Short names are for this repository: elsewhere they may be another plugin's.
    add_options(parser.getgroup("fqbench"), prefix="")


@pytest.fixture(autouse=True, scope="session")
def _history_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests run is not among the runs of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FQBENCH_HISTORY", str(tmp_path_factory.mktemp("history")))
        yield
