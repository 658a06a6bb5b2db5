"""Networks with a mask for each object: columns as a detector's, and prototypes of masks."""

from __future__ import annotations

from collections.abc import Iterator

from fqbench.tasks.detection.recognition import best_scores, letterbox
from fqbench.tasks.instance_masks.decode import YOLO_SEG, YoloSeg
from fqbench.tasks.recognition import ULTRALYTICS, Guess, Recognition, Seen
from fqbench.vision.normalization import UNIT, usual


def _guesses(seen: Seen) -> Iterator[Guess]:
    assert YOLO_SEG.recognizes is not None
    if seen.exported_task not in (None, "segment"):
        return
    if not YOLO_SEG.recognizes(seen.size, seen.shapes):
        return
    decode, ways = YoloSeg(kind="yolo_seg"), (usual(letterbox(seen), UNIT),)
    if seen.exported_task is not None:
        yield Guess(decode, "sure", f"the file says task {seen.exported_task!r}", ways, ULTRALYTICS)
        return
    prototypes = next(shape for shape in seen.shapes if len(shape) == 4)
    why = f"columns of boxes with {prototypes[1]} factors, and {prototypes[1]} prototypes of masks"
    yield Guess(decode, "likely", why, ways)


RECOGNITION = Recognition(lambda seen: tuple(_guesses(seen)), best_scores)
