"""What fqbench aims at for INT8, beside what was measured: ratio, drop, and time to quantize.

    fqbench run --models published --devices cpu --out published
    fqbench run --spec examples/*.yaml --out real
    fqbench run --spec examples/*.yaml --method distillation --out distilled
    python tools/int8_goals.py published/results.json real/results.json distilled/results.json

Each line is one goal, judged by the last of the files that tells; what none tells is said to be
not measured. A drop is judged by its whole interval: where that holds the goal it is not known, and
said how many images would tell. Ends with 1 where a goal was missed. Goals are those of two cores
of a Xeon with AVX512-VNNI, one thread, batch 1; where 8-bit products saturate, those of a CPU with
AVX2.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from fqbench.measure.margin import images_needed, standing
from fqbench.measure.stats import Interval
from fqbench.tune.choice import ACCURACY

Row = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """One bound. ``key``: what is bounded; ``least``: whether from below."""

    model: str
    backend: str
    key: str
    bound: float
    method: str = "offline"

    @property
    def least(self) -> bool:
        return self.key == "ratio"

    def text(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.bound:g}"

    def reached(self, value: float) -> bool:
        return value >= self.bound if self.least else value <= self.bound


RATIO, DROP, FP32, SECONDS = "ratio", "drop", "FP32 over ONNX Runtime's", "seconds to quantize"
FLOATS = "layers in float for their accuracy"
ORT, PADDLE = "onnxruntime", "paddle"

GOALS = (
    Goal("resnet50_vd", ORT, RATIO, 3.3),
    Goal("resnet50_vd", PADDLE, RATIO, 3.2),
    Goal("mobilenet_v1_ssld", ORT, RATIO, 2.8),
    Goal("mobilenet_v1_ssld", PADDLE, RATIO, 3.5),
    Goal("yolov5s", ORT, DROP, 0.5),
    Goal("yolov5s", ORT, DROP, 0.3, "distillation"),
    Goal("yolov5s", ORT, RATIO, 2.6),
    Goal("yolov5s", PADDLE, DROP, 0.5),
    Goal("yolov5s", PADDLE, RATIO, 2.0),
    Goal("yolov5s", PADDLE, FP32, 1.3),
    Goal("yolov5s", ORT, SECONDS, 60.0),
    *(
        Goal(model, backend, RATIO, bound)
        for model in ("yolov6s", "yolov7", "ppyoloe_crn_l_300e_coco")
        for backend, bound in ((ORT, 2.8), (PADDLE, 2.3))
    ),
    Goal("yolox_nano", ORT, DROP, 1.0),
    Goal("yolox_nano", ORT, DROP, 0.7, "distillation"),
    Goal("yolox_nano", ORT, RATIO, 1.2),
    Goal("yolox_nano", PADDLE, DROP, 1.0),
    Goal("yolox_nano", PADDLE, RATIO, 2.0),
    Goal("yolox_nano", PADDLE, FP32, 2.0),
    Goal("yolox_nano", ORT, SECONDS, 15.0),
    Goal("efficientnet_lite0", ORT, DROP, 0.3),
    Goal("efficientnet_lite0", ORT, RATIO, 2.0),
    Goal("efficientnet_lite0", PADDLE, DROP, 0.5),
    Goal("shufflenet_v2", ORT, DROP, 0.5),
    Goal("shufflenet_v2", ORT, RATIO, 1.3),
    Goal("shufflenet_v2", PADDLE, DROP, 0.5),
    Goal("squeezenet1_1", ORT, DROP, 0.5),
    Goal("squeezenet1_1", ORT, RATIO, 2.0),
    Goal("squeezenet1_1", PADDLE, DROP, 0.5),
)
WITHOUT_VNNI = (
    *(
        Goal(model, backend, DROP, bound)
        for model, bounds in (
            ("shufflenet_v2", (0.5, 0.5)),
            ("squeezenet1_1", (0.5, 0.5)),
            ("efficientnet_lite0", (0.3, 0.5)),
            ("yolov5s", (0.5, 0.5)),
            ("yolox_nano", (1.0, 1.0)),
        )
        for backend, bound in zip((ORT, PADDLE), bounds, strict=True)
    ),
    Goal("shufflenet_v2", ORT, RATIO, 1.4),
    Goal("squeezenet1_1", ORT, RATIO, 1.5),
    Goal("efficientnet_lite0", ORT, RATIO, 1.45),
    Goal("yolov5s", ORT, RATIO, 1.45),
    Goal("yolox_nano", ORT, RATIO, 1.1),
    Goal("yolov5s", ORT, FLOATS, 4),
    Goal("yolov5s", PADDLE, FLOATS, 4),
)
"""Where an int8 product does at most 1.9 times what one in float32 does."""
NEVER_SLOWER = 1.0
REACHED, MISSED = "reached", "MISSED"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULTS.JSON")
    files = [json.loads(path.read_text()) for path in parser.parse_args(arguments).results]
    rows = [row for file in files for row in file["rows"]]
    table = Table("Model", "Backend", "Method", "What", "Goal", "Measured", "95 %", "")
    missed = 0
    saturating = any(any(file["machine"].get("saturates", {}).values()) for file in files)
    for goal in WITHOUT_VNNI if saturating else GOALS:
        found = measured(goal, rows)
        missed += found is not None and judged(goal, found) == MISSED
        table.add_row(*line(goal, found))
    for goal, found in slower(rows):
        missed += 1
        table.add_row(*line(goal, found))
    Console(width=130).print(table)
    for file in files:
        machine = file["machine"]
        Console(width=130).print(f"{file['created']}: {machine['cpu']['model']}", highlight=False)
    return int(missed > 0)


@dataclass(frozen=True)
class Measured:
    """A value, its interval if it has one, and the images it stands on."""

    value: float
    interval: tuple[float, ...] = ()
    images: int | None = None


def measured(goal: Goal, rows: Sequence[Row]) -> Measured | None:
    """What ``rows`` hold for ``goal``, the last of several."""
    own = [row for row in rows if row["model"] == goal.model and row["status"] == "ok"]
    if goal.key == FP32:
        times = {
            row["backend"]: row["latency_ms"]["p50"] for row in own if row["precision"] == "fp32"
        }
        both = ORT in times and goal.backend in times
        return Measured(times[goal.backend] / times[ORT]) if both else None
    found = None
    for row in own:
        if (row["backend"], row["precision"], row["method"]) != (goal.backend, "int8", goal.method):
            continue
        if goal.key == SECONDS and row["quantize_s"] is not None and row["weights"] == "trained":
            found = Measured(row["quantize_s"])
        elif goal.key == FLOATS:
            found = Measured(list(row["float_layers"].values()).count(ACCURACY))
        elif goal.key in (RATIO, DROP) and row[goal.key] is not None:
            found = Measured(row[goal.key]["value"], tuple(row[goal.key]["ci95"]), row["images"])
    return found


def judged(goal: Goal, found: Measured) -> str:
    """Whether the goal is reached: a drop as any margin is judged, the rest by its value."""
    if goal.key != DROP:
        return REACHED if goal.reached(found.value) else MISSED
    drop = Interval(found.value, *found.interval)
    state = standing(drop, goal.bound)
    if state != "not known":
        return REACHED if state == "inside" else MISSED
    needed = images_needed(drop, goal.bound, found.images) if found.images else None
    return f"not known: {needed} images" if needed else "not known"


def slower(rows: Sequence[Row]) -> Iterator[tuple[Goal, Measured]]:
    """INT8 cells not outside of their margin, or without accuracy, that are slower than FP32."""
    for row in rows:
        if row["precision"] != "int8" or row["ratio"] is None or _outside(row):
            continue
        if row["ratio"]["value"] < NEVER_SLOWER:
            goal = Goal(row["model"], row["backend"], RATIO, NEVER_SLOWER, row["method"])
            yield goal, Measured(row["ratio"]["value"], tuple(row["ratio"]["ci95"]))


def _outside(row: Row) -> bool:
    drop, margin = row["drop"], row["margin"]
    if drop is None or margin is None:
        return False
    return standing(Interval(drop["value"], *drop["ci95"]), margin) == "outside"


def line(goal: Goal, found: Measured | None) -> tuple[str, ...]:
    shown = ("not measured", "", "")
    if found is not None:
        ends = " to ".join(f"{end:.2f}" for end in found.interval)
        shown = (f"{found.value:.2f}", ends, judged(goal, found))
    return (goal.model, goal.backend, goal.method, goal.key, goal.text(), *shown)


if __name__ == "__main__":
    sys.exit(main())
