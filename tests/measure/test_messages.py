"""What timing processes are called with and asked, in literals: other versions do so, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from fqbench.gate.selftest.slowdown_injection import SlowedCellLaunch
from fqbench.isolate import Interpreter
from fqbench.measure.cell_loading import Loadable
from fqbench.measure.latency import TimingBudget
from fqbench.measure.launches import cell_process, kernels
from fqbench.measure.messages import (
    CellLaunch,
    KernelLaunch,
    Question,
    TimeBlock,
    WarmUp,
)
from tests.support.jobs import READING

CELL: dict[str, Any] = {
    "artifact": "/artifacts/k1",
    "backend": "onnxruntime",
    "device": "cpu",
    "precision": "int8",
    "reading": READING,
    "batch": 1,
}
BUDGET = {
    "warm_up": 0.1,
    "warm_up_runs": 3,
    "settling": 3.0,
    "block": 0.03,
    "rounds": 20,
    "fewest": 2,
    "longest": 2.4,
}
LAUNCH = {"cell": CELL, "image": "/image.png", "threads": 2, "side": "base", "cores": [3]}

question = TypeAdapter(Question).validate_python


def test_a_process_has_all_arguments_but_the_cores() -> None:
    cell = Loadable.model_validate(CELL)
    process = cell_process("net", "base", cell, Path("/image.png"), 2, Interpreter.here())
    assert process.arguments == {
        "cell": cell.model_dump(mode="json"),
        "image": "/image.png",
        "threads": 2,
        "side": "base",
    }
    assert kernels(2).arguments == {"threads": 2}


def test_a_launch_is_read_with_keys_that_a_later_version_adds() -> None:
    launch = CellLaunch.model_validate({**LAUNCH, "niceness": 1})
    assert launch.cell == Loadable.model_validate(CELL)
    assert (launch.image, launch.threads, launch.side) == (Path("/image.png"), 2, "base")
    assert launch.cores == (3,)
    reference = KernelLaunch.model_validate({"threads": 1, "cores": [], "niceness": 1})
    assert reference == KernelLaunch(threads=1, cores=())
    assert SlowedCellLaunch.model_validate({**LAUNCH, "slowdown": 0.05}).slowdown == 0.05


@pytest.mark.parametrize("key", LAUNCH)
def test_a_launch_lacks_nothing(key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        CellLaunch.model_validate({name: value for name, value in LAUNCH.items() if name != key})


def test_questions() -> None:
    budget = TimingBudget(warm_up=0.1, rounds=20, fewest=2, longest=2.4)
    warm_up, block = WarmUp(side="base", warm_up=budget), TimeBlock(side="base", runs=7)
    assert warm_up.to_json() == {"side": "base", "warm_up": BUDGET}
    assert block.to_json() == {"side": "base", "runs": 7}
    assert question(warm_up.to_json()) == warm_up
    assert question({**block.to_json(), "later": 1}) == block


@pytest.mark.parametrize("content", [{"side": "base"}, {"runs": 7}, {"side": "base", "runs": "x"}])
def test_a_question_asks_something_of_a_side(content: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        question(content)
