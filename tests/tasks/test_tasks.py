"""Records of tasks: what they must hold, and what clashes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from fqbench import plugins
from fqbench.data import EvaluationSet
from fqbench.errors import StepError, UsageError
from fqbench.measure.prediction import FILE, read_predictions
from fqbench.tasks import registry
from fqbench.tasks.classification import TASK as CLASSIFICATION
from fqbench.tasks.classification.answers import TopClass
from fqbench.tasks.classification.decode import LOGITS
from fqbench.tasks.detection import TASK as DETECTION
from fqbench.tasks.record import (
    AnswerComparison,
    AnswerFormat,
    DatasetKind,
    DatasetSettings,
    Decoder,
    DecoderSettings,
    Metric,
    RowScores,
    Task,
)

RECORDS = (AnswerComparison, AnswerFormat, DatasetKind, Decoder, Metric, RowScores, Task)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Task]]:
    """The tasks that are found: ours, and what a test adds."""
    found = {"classification": CLASSIFICATION, "detection": DETECTION}
    monkeypatch.setattr(plugins, "load", lambda group, kind: found)
    _forget()
    yield found
    _forget()


def _forget() -> None:
    for cached in (
        registry.tasks,
        registry.decoders,
        registry.dataset_kinds,
        registry.metrics,
        registry.answer_formats,
    ):
        cached.cache_clear()


@pytest.mark.parametrize("record", RECORDS)
def test_no_field_has_a_default(record: Any) -> None:
    """It would be some task's, and hold for another in silence."""
    assert [f.name for f in fields(record) if f.default is not MISSING] == []
    assert [f.name for f in fields(record) if f.default_factory is not MISSING] == []


def test_a_missing_field_is_an_error() -> None:
    values = {f.name: getattr(CLASSIFICATION, f.name) for f in fields(Task)}
    for name in values:
        with pytest.raises(TypeError, match=name):
            Task(**{key: value for key, value in values.items() if key != name})


def test_settings_say_their_kind() -> None:
    class Nameless(DecoderSettings):
        pass

    class Ambiguous(DecoderSettings):
        kind: Literal["one", "two"]

    for settings in (Nameless, Ambiguous):
        with pytest.raises(TypeError, match=f"{settings.__name__} needs a field kind"):
            replace(LOGITS, settings=settings)


class Listed(DatasetSettings):
    kind: Literal["listed"]
    images: Path
    lines: Path | None = None
    width: int = 1
    start: int = 0
    count: int | None = None


LISTED = DatasetKind(settings=Listed, read=lambda settings: EvaluationSet(()))


def test_a_data_set_of_a_task_s_own_kind(installed: dict[str, Task]) -> None:
    installed["other"] = replace(CLASSIFICATION, datasets=("imagenet", LISTED))
    assert installed["other"].dataset_names == ("imagenet", "listed")
    assert registry.dataset_kinds() == {"listed": LISTED}
    assert LISTED.paths == ("images", "lines")
    assert Listed(kind="listed", images=Path("here")).truth == Path("here")


def test_settings_of_data_sets_have_what_all_have() -> None:
    class Endless(DatasetSettings):
        kind: Literal["endless"]
        images: Path
        start: int = 0

    with pytest.raises(TypeError, match="Endless needs a field count"):
        replace(LISTED, settings=Endless)
    with pytest.raises(TypeError, match="DatasetSettings needs a field kind"):
        replace(LISTED, settings=DatasetSettings)


def test_two_data_sets_of_one_kind(installed: dict[str, Task]) -> None:
    for name, kind in (("one", LISTED), ("other", replace(LISTED, read=lambda settings: None))):
        installed[name] = replace(CLASSIFICATION, datasets=(kind,))
    with pytest.raises(UsageError, match=r"dataset\.kind 'listed' of task other is not that of an"):
        registry.dataset_kinds()


def test_ours_are_found_in_their_order() -> None:
    assert list(registry.tasks()) == [
        *("classification", "detection", "instance_masks", "keypoints", "segmentation"),
        "text_recognition",
    ]
    assert registry.tasks()["classification"] is CLASSIFICATION
    assert registry.tasks()["detection"] is DETECTION
    assert list(registry.decoders()) == [
        *("logits", "yolov5", "yolox", "ppyoloe", "yolov8", "yolov10", "detr", "rtdetr", "nanodet"),
        *("yolo_seg", "heatmaps", "simcc", "yolo_pose", "semantic", "ctc", "python", "none"),
    ]


def test_tasks_may_share_what_is_the_same(installed: dict[str, Task]) -> None:
    installed["again"] = replace(CLASSIFICATION, datasets=("folder",))
    assert list(registry.decoders())[:2] == ["logits", "yolov5"]
    assert list(registry.metrics()) == ["top1", "mAP"]
    assert list(registry.answer_formats()) == ["classes", "boxes"]


def test_two_decoders_of_one_kind(installed: dict[str, Task]) -> None:
    other = replace(LOGITS, inputs=frozenset({"x"}))
    installed["other"] = replace(CLASSIFICATION, decoders=(other,))
    with pytest.raises(UsageError, match="a decoder of task classification and of another"):
        registry.decoders()


def test_two_metrics_of_one_name(installed: dict[str, Task]) -> None:
    other = replace(CLASSIFICATION.metric, label="top-5")
    installed["other"] = replace(CLASSIFICATION, metric=other)
    with pytest.raises(UsageError, match="the metric 'top1' of task other is not that of another"):
        registry.metrics()


@pytest.mark.parametrize("same", [{"array": "classes"}, {"answer_type": TopClass}])
def test_two_formats_that_cannot_be_told_apart(
    installed: dict[str, Task], same: dict[str, Any]
) -> None:
    answers = replace(CLASSIFICATION.answers, **{"array": "others", "answer_type": str, **same})
    installed["other"] = replace(CLASSIFICATION, answers=answers)
    with pytest.raises(UsageError, match="the answers of task other"):
        registry.answer_formats()


def test_predictions_of_a_task_that_is_not_installed(tmp_path: Path) -> None:
    np.savez(tmp_path / FILE, image_ids=np.arange(2), guesses=np.arange(4))
    with pytest.raises(StepError, match="holds image_ids, guesses, answers of no task that is"):
        read_predictions(tmp_path)
