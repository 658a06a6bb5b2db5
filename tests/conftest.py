"""What all tests of a run share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.inline import models_read_here as read_here


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The cache of whoever names no other: what tests run leaves nothing in the user's.

    Workers of one run share it, so what many tests make of the same few small models is made once:
    the store lets one process make an artifact, and the others wait for it.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FQBENCH_CACHE", str(folder))
        yield folder


@pytest.fixture
def models_read_here() -> Iterator[None]:
    """ONNX models are read in this process: most of a second each."""
    with read_here():
        yield
