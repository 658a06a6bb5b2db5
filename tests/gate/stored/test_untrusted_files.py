"""Untrusted files: whatever they hold, there is a verdict or one sentence."""

import json
import math
from copy import deepcopy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from fqbench.errors import UsageError
from fqbench.gate.evidence import Tolerances
from fqbench.gate.stored.comparability import differences
from fqbench.gate.stored.comparison import compare_stored
from fqbench.gate.stored.files import read_stored
from fqbench.gate.stored.method_notes import cautions
from fqbench.gate.verdict import describe_machines
from fqbench.report import gate, gate_terminal
from tests.support.stored_files import CELL, FP32, benchmark, group, row, write

FACTOR = {"value": 2.0, "ci95": [1.9, 2.1]}
POINTS = [70.0, 70.1, 69.9, 70.2]

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([1e-300, 1e300, 1e-12, 1e12, 0, -1, "ok", "failed", "int8", CELL, FP32])
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def places(value: object, path: tuple = ()) -> list[tuple]:
    """Every place in a document, as keys and indices."""
    below = value.items() if isinstance(value, dict) else []
    below = enumerate(value) if isinstance(value, list) else below
    return [path, *(place for key, inner in below for place in places(inner, (*path, key)))]


def replaced(document: dict, place: tuple, value: object) -> dict:
    changed = deepcopy(document)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return changed


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """A folder with stored results, and what its files hold."""
    folder = tmp_path_factory.mktemp("strangers")
    values = {"ratio": FACTOR, "metric": "top1", "accuracy": 70.0, "margin": 1.0}
    write(
        folder,
        row(**values, drop={"value": 0.5, "ci95": [0, 1]}),
        row(FP32),
        groups=[group({CELL: 2.0, FP32: 4.0})],
        accuracies={CELL: POINTS},
    )
    benchmark(folder / "pytest.json", {"t.py::a": 0.1}, cell=CELL, in_kernels=FACTOR)
    names = ("results.json", "samples.json", "pytest.json")
    return folder, {name: json.loads((folder / name).read_text()) for name in names}


@pytest.mark.slow
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_one_wrong_value(documents, data, tmp_path):
    folder, sound = documents
    name = data.draw(st.sampled_from(list(sound)))
    place = data.draw(st.sampled_from([p for p in places(sound[name]) if p]))
    changed = replaced(sound[name], place, data.draw(VALUES))
    for other, document in sound.items():
        content = json.dumps(changed if other == name else document)
        (tmp_path / other).write_text(content)
    read = "pytest.json" if name == "pytest.json" else "results.json"
    try:
        head = read_stored(tmp_path / read)
    except UsageError as error:
        sentence = str(error)
        assert "\n" not in sentence
        return
    base = read_stored(folder / read)
    found = differences(base, head)
    report = compare_stored(base, head, Tolerances())
    sentences = [*cautions(base, head, found), *describe_machines(base, head), *report.certainty]
    text = gate.markdown(report)
    json.dumps(report.to_json(), allow_nan=False)
    with Console().capture() as capture:
        gate_terminal.show(report, Console(), verbose=True)
    assert not any("\x1b" in each for each in (*sentences, text, capture.get()))
    speeds = [v.slowdown for v in report.decision.verdicts if v.slowdown is not None]
    assert all(0 < s.low <= s.value <= s.high < math.inf for s in speeds)
