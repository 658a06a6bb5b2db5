"""The contract between versions: what other versions call, ask and answer."""

import json
from pathlib import Path

import pytest

from fqbench import isolate
from fqbench.errors import UsageError
from fqbench.gate.live import environment
from fqbench.gate.live.built_version import read_built
from fqbench.gate.side import ENTRY_POINT, PROTOCOL, Matrix
from fqbench.isolate import Interpreter
from tests.support.answers import ANSWER, PROCESS, REQUEST
from tests.support.tiny_spec import write_spec


def test_versions_call_each_other_by_the_same_name():
    assert ENTRY_POINT == "fqbench.gate.side:build"
    assert ENTRY_POINT.partition(":")[0] in environment._PROBE


def test_what_is_asked_of_another_version():
    asked = Matrix().arguments("base", Path("/cache"), 1)
    # A later version added what an earlier one ignores, and need not be asked.
    assert asked == {**REQUEST, "measures": []}


@pytest.mark.slow
def test_another_version_asks_this_one(tmp_path):
    """By the literal name and request, in a process of its own."""
    request = {
        **REQUEST,
        "specs": [str(write_spec(tmp_path / "tiny"))],
        "backends": ["onnxruntime"],
        "precisions": ["fp32"],
        "cache": str(tmp_path / "cache"),
        "measures": ["memory", "of a later version"],
    }
    answer = isolate.call("fqbench.gate.side:build", request, timeout_s=300, name="building")
    assert answer.keys() >= ANSWER.keys()
    assert answer["protocol"] == PROTOCOL == 1
    (process,) = answer["processes"].values()
    assert process.keys() == PROCESS.keys()
    assert process["function"] == PROCESS["function"]
    (measures,) = answer["measures"].values()
    (measuring,) = measures.values()
    assert measuring == {**process, "function": "fqbench.measure.memory:watch_memory"}
    assert read_built("this", json.loads(json.dumps(answer)), Interpreter.here()).processes


def test_an_answer_is_read():
    built = read_built("BASE", ANSWER, Interpreter("/other/python"))
    process = built.processes["net-paddle-cpu-fp32"]
    assert process.interpreter.executable == "/other/python"
    assert process.arguments == {"threads": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": 2},
        {"rows": "none"},
        {"processes": {"net": {**PROCESS, "function": "os:system"}}},
    ],
)
def test_an_answer_of_another_shape_is_reported(change):
    with pytest.raises(UsageError, match="the fqbench of BASE cannot be gated by this one"):
        read_built("BASE", {**ANSWER, **change}, Interpreter.here())
