"""Networks that place keypoints: of one person by heat maps or lines, or of all in columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fqbench.spec.preprocessing import BoxCrop
from fqbench.tasks.detection.recognition import letterbox
from fqbench.tasks.keypoints.dataset import COCO_PERSONS
from fqbench.tasks.keypoints.rows import YOLO_POSE, YoloPose
from fqbench.tasks.keypoints.top_down import HEATMAPS, SIMCC, Heatmaps, SimCC
from fqbench.tasks.recognition import ULTRALYTICS, Guess, Recognition, Seen
from fqbench.tasks.record import Answers, Outputs
from fqbench.tasks.shapes import is_grid
from fqbench.vision.normalization import IMAGENET, SYMMETRIC, UNIT, usual

STRIDES = (2, 8)
"""Pixels of the input that a place of a heat map stands for, at least and at most."""

FLAT = 0.1
"""A heat map is near 0 but at its peak: values below this part of the largest are flat,"""
FLAT_SHARE = 0.8
"""and at least so many of them are."""

LARGEST_SCORE = 1.1


def _guesses(seen: Seen) -> Iterator[Guess]:
    if seen.exported_task in (None, "pose"):
        yield from _columns(seen)
    if seen.exported_task is not None:
        return
    box = BoxCrop(kind="box", size=seen.size)
    ways = tuple(usual(box, each) for each in (IMAGENET, UNIT, SYMMETRIC))
    kind = COCO_PERSONS.kind
    if HEATMAPS.recognizes is not None and HEATMAPS.recognizes(seen.size, seen.shapes):
        maps = seen.shapes[0][1]
        stride = seen.size[0] / seen.shapes[0][2]
        if STRIDES[0] <= stride <= STRIDES[1] and is_grid(seen.size, seen.shapes[0][2:]):
            peaked = _are_peaked(seen.outputs)
            shape = "with one peak each" if peaked else "of any values"
            why = f"{maps} maps at every {stride:g} pixels, {shape}"
            sureness = "likely" if peaked else "guess"
            yield Guess(
                Heatmaps(kind="heatmaps"),
                "likely" if sureness == "likely" else "guess",
                why,
                ways,
                dataset=kind,
            )
    if SIMCC.recognizes is not None and SIMCC.recognizes(seen.size, seen.shapes):
        why = f"scores of columns and of rows for {seen.shapes[0][1]} points"
        yield Guess(SimCC(kind="simcc"), "likely", why, ways, dataset=kind)


def _columns(seen: Seen) -> Iterator[Guess]:
    """A box, one score and three numbers a keypoint, of which two are pixels."""
    if YOLO_POSE.recognizes is None or not YOLO_POSE.recognizes(seen.size, seen.shapes):
        return
    decode, ways = YoloPose(kind="yolo_pose"), (usual(letterbox(seen), UNIT),)
    if seen.exported_task is not None:
        yield Guess(decode, "sure", f"the file says task {seen.exported_task!r}", ways, ULTRALYTICS)
        return
    columns = seen.outputs[0][0][0]
    if columns[5:].max() > LARGEST_SCORE and columns[7::3].max() <= LARGEST_SCORE:
        points = (len(columns) - 5) // 3
        yield Guess(decode, "likely", f"columns of a box, a score and {points} points", ways)


def _are_peaked(outputs: Sequence[Outputs]) -> bool:
    """Whether maps [1, n, h, w] are near 0 nearly everywhere, and never far below it."""
    maps = np.concatenate([each[0][0].reshape(len(each[0][0]), -1) for each in outputs])
    top = float(maps.max())
    if top <= 0 or float(maps.min()) < -0.5 * top:
        return False
    return float((np.abs(maps) < FLAT * top).mean()) > FLAT_SHARE


def _confidence(outputs: Sequence[Outputs], answers: Answers) -> float:
    """The mean score of the keypoints."""
    scores = [each.keypoints[:, :, 2].mean() for each in answers if len(each.scores)]
    return float(np.mean(scores)) if scores else 0.0


RECOGNITION = Recognition(lambda seen: tuple(_guesses(seen)), _confidence)
