"""Suites in a file: read as they were, and refused where damaged."""

import json
import random

import pytest

from fqbench.errors import UsageError
from fqbench.gate.live.comparison import CellTimes
from fqbench.gate.selftest import recording
from fqbench.gate.selftest.recording import Recording
from fqbench.gate.selftest.trial import Suite
from tests.support.suites import CELLS, recorded, suites


def test_recorded_suites_are_read_as_they_were(tmp_path):
    noise = random.Random(4)
    timed = {cell: CellTimes(recorded(noise), recorded(noise)) for cell in CELLS}
    kept = Recording((*suites(2), Suite(timed, "a", 0.05)), (0.0, 0.0, 0.05, 0.10))
    path = recording.write(tmp_path / "suites.json", kept, {"threads": 1})
    assert recording.read(path) == kept
    assert kept.missing == [0.10], "what an interrupted self-test goes on with"


@pytest.mark.parametrize(
    "change", [{"kind": "gate"}, {"schema": 2}, {"suites": [{"slowed": None, "slowdown": -1}]}]
)
def test_other_files_are_reported(tmp_path, change):
    path = recording.write(tmp_path / "suites.json", Recording(tuple(suites(1)), (0.0,)), {})
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UsageError, match=r"suites\.json"):
        recording.read(path)


def change_of(content, cell="a"):
    return content["suites"][0]["cells"][cell]["first"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: change_of(content)["base"].pop(),
        lambda content: change_of(content)["seconds"].pop(),
        lambda content: change_of(content)["head"][0].pop(),
        lambda content: change_of(content)["head"][0][0].clear(),
        lambda content: content["suites"][0]["cells"].pop("a"),
    ],
)
def test_damaged_files_are_reported(tmp_path, damage):
    kept = Recording(tuple(suites(2)), (0.0, 0.0))
    path = recording.write(tmp_path / "suites.json", kept, {})
    content = json.loads(path.read_text())
    damage(content)
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=r"suites\.json"):
        recording.read(path)
