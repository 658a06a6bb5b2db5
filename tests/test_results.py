"""``results.json``: its keys, and that it is whole or not there."""

import json
import math
import os
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from fqbench.cells import Cell
from fqbench.errors import UsageError
from fqbench.measure.stats import Interval, Latency
from fqbench.results import Results, Row

DOCUMENTED = {
    "cell",
    "model",
    "backend",
    "device",
    "precision",
    "status",
    "reason",
    "weights",
    "method",
    "latency_ms",
    "ratio",
    "metric",
    "accuracy",
    "images",
    "drop",
    "margin",
    "within_margin",
    "against_margin",
    "images_needed",
    "size_mb",
    "quantize_s",
}
"""Keys of a row that others rely on; more may be there."""

CELL = Cell("net", "paddle", "cpu", "int8")
ROW = Row(
    CELL,
    "ok",
    method="offline",
    latency=Latency(Interval(2.0, 1.5, 2.5), 3.0, 4.0, 2.25, 1.0, 80),
    ratio=Interval(2.0, 1.75, 2.25),
    metric="top1",
    accuracy=75.0,
    images=12,
    drop=Interval(0.5, -0.25, 1.25),
    margin=1.0,
    size_mb=1.25,
    quantize_s=3.5,
)


def results(*rows: Row) -> Results:
    return Results({"threads": 1}, rows, "2024-05-06T07:08:09+00:00")


def test_row_has_every_documented_key():
    assert set(ROW.to_json()) >= DOCUMENTED
    assert set(Row(CELL, "failed", "it crashed").to_json()) == set(ROW.to_json())


def test_row_in_json():
    found = ROW.to_json()
    assert {key: found[key] for key in DOCUMENTED} == {
        "cell": "net-paddle-cpu-int8",
        "model": "net",
        "backend": "paddle",
        "device": "cpu",
        "precision": "int8",
        "status": "ok",
        "reason": None,
        "weights": "trained",
        "method": "offline",
        "latency_ms": {
            "p50": 2.0,
            "p90": 3.0,
            "p99": 4.0,
            "mean": 2.25,
            "min": 1.0,
            "n": 80,
            "ci95": [1.5, 2.5],
        },
        "ratio": {"value": 2.0, "ci95": [1.75, 2.25]},
        "metric": "top1",
        "accuracy": 75.0,
        "images": 12,
        "drop": {"value": 0.5, "ci95": [-0.25, 1.25]},
        "margin": 1.0,
        "within_margin": True,
        "against_margin": "not known",
        "images_needed": 27,
        "size_mb": 1.25,
        "quantize_s": 3.5,
    }


def test_failed_row_has_no_figures():
    found = Row(CELL, "failed", "it crashed").to_json()
    assert (found["status"], found["reason"]) == ("failed", "it crashed")
    figures = ("latency_ms", "ratio", "accuracy", "images", "drop", "margin")
    figures += ("within_margin", "against_margin", "images_needed")
    assert [found[key] for key in figures] == [None] * len(figures)


@pytest.mark.parametrize(
    ("drop", "margin", "within"),
    [
        (0.5, 1.0, True),
        (1.0, 1.0, True),
        (1.01, 1.0, False),
        (-3.0, 0.0, True),
        (None, 1.0, None),
        (0.5, None, None),
    ],
)
def test_drop_up_to_the_margin_is_within(drop, margin, within):
    interval = None if drop is None else Interval(drop, drop, drop)
    row = replace(ROW, drop=interval, margin=margin)
    assert row.within_margin is within
    assert row.against_margin == {True: "inside", False: "outside", None: None}[within]
    assert row.images_needed is None


def test_file_holds_schema_machine_and_rows_in_order(tmp_path):
    other = Row(Cell("net", "paddle", "cpu", "fp32"), "skipped", "not wanted")
    path = results(ROW, other).write(tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "results.json"
    found = json.loads(path.read_text())
    assert set(found) == {"schema", "created", "machine", "rows"}
    assert (found["schema"], found["created"]) == (1, "2024-05-06T07:08:09+00:00")
    assert found["machine"] == {"threads": 1}
    assert found["rows"] == [ROW.to_json(), other.to_json()]


def test_results_of_now_carry_the_time_in_utc():
    created = datetime.fromisoformat(Results.now({}, [ROW]).created)
    assert created.utcoffset() == timedelta(0)
    assert abs(datetime.now(created.tzinfo) - created) < timedelta(minutes=1)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch, error):
    path = results().write(tmp_path)
    before = path.read_bytes()

    def interrupted(*_):
        raise error

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises((KeyboardInterrupt, UsageError)):
        results(ROW).write(tmp_path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


def test_interrupted_first_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        results(ROW).write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_not_a_number_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        results(replace(ROW, accuracy=math.nan)).write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    target = tmp_path / "file" / "results.json"
    with pytest.raises(UsageError, match="cannot write") as caught:
        results(ROW).write(tmp_path / "file")
    assert str(target) in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_permission_is_one_sentence(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="Permission denied"):
        results(ROW).write(tmp_path)
