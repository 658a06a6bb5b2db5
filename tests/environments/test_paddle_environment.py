"""The environment of Paddle, made of its list for real."""

from __future__ import annotations

import pytest

from fqbench.environments import environment, make
from fqbench.environments.environment import find
from fqbench.errors import UsageError
from tests.support.wheels import Said

CANNOT = ("could not be reached", "none was found that can make")


@pytest.mark.slow
def test_it_is_as_listed_and_can_be_imported(tmp_path, monkeypatch):
    monkeypatch.setenv("FQBENCH_ENVIRONMENTS", str(tmp_path))
    environment.forget()
    said = Said()
    try:
        made = make.make("paddle", said)
    except UsageError as error:
        if any(reason in str(error) for reason in CANNOT):
            pytest.skip(str(error))
        raise
    assert made == find("paddle")
    assert made.versions["paddlepaddle"] == "2.6.2"
    assert made.versions["numpy"] == "1.26.4"
    assert make.problems(made) == []
    # What the list says of its size is about true.
    installed = environment.Manifest.read(tmp_path / "paddle").size / 1e6
    assert installed == pytest.approx(environment.target("paddle").requirements.installed, rel=0.2)
