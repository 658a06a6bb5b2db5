"""Graphs of one operator through every conversion: right, or refused in a sentence."""

import json

import pytest

from fqbench.errors import StepError
from fqbench.isolate.parent import _run, _Watch
from tests.support.operator_cases import ENDED, cases
from tests.support.paddle import require_paddle

pytestmark = pytest.mark.slow

NAMES = [name for name, _ in cases()]
CONVERSIONS = ("canonical", "half", "batch", "paddle", "back")

AT_ONCE = 50
"""Cases of one process: of one that hangs, the time of no more is lost."""
CASE_S = 10


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Of each case, by name, what became of each conversion."""
    require_paddle()
    results = tmp_path_factory.mktemp("operators") / "results"
    results.touch()
    started: set[str] = set()
    while rest := [name for name in NAMES if name not in started]:
        try:
            _run(
                "tests.support.operator_functions:convert",
                {"names": rest[:AT_ONCE], "results": str(results)},
                {"OMP_NUM_THREADS": "1", "GLOG_minloglevel": "2"},
                _Watch("the conversions", timeout_s=CASE_S * AT_ONCE),
            )
        except StepError:
            assert {line["name"] for line in lines(results)} - started, "no case was started"
        started = {line["name"] for line in lines(results)}
    return {line["name"]: line.get("found") for line in lines(results)}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_converted_is_right_or_refused(found, name):
    verdicts = found[name]
    assert not {how: text for how, text in verdicts.items() if text.startswith("wrong")}
    assert all("\n" not in text for text in verdicts.values())


@pytest.mark.parametrize("name", NAMES)
def test_onnx_runtime_gets_every_operator(found, name):
    assert found[name]["canonical"] == "right"


@pytest.mark.parametrize("name", NAMES)
def test_paddle_programs_are_right(found, name):
    assert found[name]["paddle"] == "right"


def test_only_exports_by_paddle2onnx_end_the_process(found):
    ended = [how for verdicts in found.values() for how, text in verdicts.items() if text == ENDED]
    assert set(ended) <= {"back"}
    assert len(ended) <= 5
