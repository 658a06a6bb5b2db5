from __future__ import annotations

from pathlib import Path

import pytest

from fqbench.margins import Margins, load_margins


@pytest.fixture(scope="session")
def margins() -> Margins:
    return load_margins(Path(__file__).with_name("margins.yaml"))
