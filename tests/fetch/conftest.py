"""A server on this machine, for tests of what is fetched."""

import pytest

from tests.support.fetch_server import serving


@pytest.fixture(scope="session")
def running():
    with serving() as server:
        yield server


@pytest.fixture
def server(running):
    running.answers.clear()
    running.asked.clear()
    return running
