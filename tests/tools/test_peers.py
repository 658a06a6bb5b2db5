"""fqbench beside its peers: who is ahead, and one small model all the way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fqbench.measure.stats import Interval
from tests.support.toolkits import needs_nncf, needs_ort_quantization
from tools.peers.__main__ import main
from tools.peers.forms import NNCF_DEFAULT, OWN, PADDLE
from tools.peers.making import Made, make
from tools.peers.report import ModelReport, Row
from tools.peers.table import described, table, verdict
from tools.peers.verdict import Comparison, Measured, ahead_of_fqbench, compare

NAME = "digits_mobilenet_v1"


def launches(ms: float, drift: float = 0.001) -> list[list[list[float]]]:
    """Five launches of ten rounds, each a little slower than the one before."""
    return [[[ms * (1 + drift * i) / 1e3] * 2 for i in range(10)] for _ in range(5)]


def comparison(
    speedup: tuple[float, float] = (1.0, 1.0),
    gain: tuple[float, float] | None = (0.0, 0.0),
    *,
    fastest: float | None = None,
    own: str = "ours",
    peer: str = "theirs",
) -> Comparison:
    """``speedup`` and ``gain`` are the ends of their intervals."""
    low, high = speedup
    middle = (low + high) / 2
    return Comparison(
        own,
        peer,
        Interval(middle, low, high),
        Interval(middle if fastest is None else fastest, low, high),
        None if gain is None else Interval(sum(gain) / 2, *gain),
    )


# Two forms


def test_a_peer_twice_as_fast_and_more_accurate():
    ours = Measured("ours", launches(4.0), np.array([90.0, 89.0, 91.0, 90.0]))
    theirs = Measured("theirs", launches(2.0), np.array([92.0, 90.5, 93.0, 92.5]))
    found = compare(ours, theirs)
    assert found.speedup.value == pytest.approx(2.0)
    assert found.fastest.value == pytest.approx(2.0)
    assert found.gain is not None
    assert found.gain.value == 2.0
    assert (found.gain.low, found.gain.high) == pytest.approx((1.525, 2.475))
    assert (found.faster, found.more_accurate, found.beaten) == (True, True, True)


def test_no_labels_no_gain():
    found = compare(Measured("ours", launches(4.0), None), Measured("it", launches(2.0), None))
    assert found.gain is None
    assert (found.faster, found.more_accurate, found.beaten) == (True, False, False)


@pytest.mark.parametrize(
    ("speedup", "fastest", "faster", "slower"),
    [
        ((1.03, 1.10), 1.05, True, False),
        ((1.01, 1.10), 1.05, False, False),  # noise
        ((1.30, 1.50), 1.00, False, False),  # only where others disturb
        ((0.80, 0.90), 0.85, False, True),
        ((0.80, 0.99), 0.85, False, False),
        ((0.50, 0.60), 1.00, False, False),
    ],
)
def test_faster_is_beyond_noise_and_undisturbed(speedup, fastest, faster, slower):
    found = comparison(speedup, fastest=fastest)
    assert (found.faster, found.slower) == (faster, slower)


@pytest.mark.parametrize(
    ("gain", "more", "less"),
    [
        ((0.1, 0.5), True, False),
        ((0.0, 0.5), False, False),
        ((-0.5, -0.1), False, True),
        (None, False, False),
    ],
)
def test_more_accurate_is_beyond_the_interval(gain, more, less):
    found = comparison(gain=gain)
    assert (found.more_accurate, found.less_accurate) == (more, less)


# A model


BETTER = {"speedup": (1.2, 1.3), "gain": (0.2, 0.4)}


def test_ahead_is_who_beats_every_form_of_fqbench():
    comparisons = [
        comparison(**BETTER, own="on ONNX Runtime", peer="a"),
        comparison(**BETTER, own="on Paddle", peer="a"),
        comparison((1.2, 1.3), (-0.1, 0.4), own="on ONNX Runtime", peer="b"),
        comparison(**BETTER, own="on Paddle", peer="b"),
    ]
    assert ahead_of_fqbench(comparisons) == ("a",)
    assert ahead_of_fqbench([]) == ()


def report(*comparisons: Comparison, reason: str | None = None) -> ModelReport:
    own, peer = Row(OWN[PADDLE], reason=reason), Row(NNCF_DEFAULT, Interval(2.0, 1.9, 2.1), 1.8)
    return ModelReport("model", "top1", 700, (own, peer), comparisons)


@pytest.mark.parametrize(
    ("comparisons", "told"),
    [
        ([comparison(**BETTER)], "fqbench is BEHIND theirs: slower and less accurate"),
        ([comparison()], "no peer is both faster and more accurate"),
        ([comparison((1.2, 1.3), None)], "not judged: there is no accuracy without labels"),
        ([], "nothing to compare"),
    ],
)
def test_the_verdict_is_one_sentence(comparisons, told):
    assert verdict(report(*comparisons)) == told


def test_a_failed_form_of_fqbench_fails_the_model():
    assert report(reason="it crashed").failed
    assert not report().failed


def test_where_fqbench_keeps_fp32_the_table_says_so():
    rows = (Row(OWN[PADDLE], fell_back=True), Row(NNCF_DEFAULT))
    found = table(ModelReport("model", "top1", 700, rows, ()))
    assert [*found.columns[1].cells] == ["fqbench: FP32 †", "NNCF"]


def test_a_report_is_json():
    found = json.loads(json.dumps(described(report(comparison(**BETTER)))))
    assert found["behind"] == ["theirs"]
    assert found["rows"][1]["name"] == "NNCF on OpenVINO"
    assert found["rows"][1]["ms"] == {"value": 2.0, "low": 1.9, "high": 2.1}
    assert found["comparisons"][0]["gain"] == {"value": pytest.approx(0.3), "low": 0.2, "high": 0.4}
    assert found["comparisons"][0]["faster"]


# Peers' models


def test_the_size_of_a_model_has_its_weights(tmp_path: Path) -> None:
    made = Made(NNCF_DEFAULT, tmp_path / "a.xml", None)
    made.path.write_bytes(b"x" * 1000)
    (tmp_path / "a.bin").write_bytes(b"x" * 2_000_000)
    assert made.size_mb == 2.001


def test_a_peer_that_fails_says_why_and_leaves_the_others_be(tmp_path: Path) -> None:
    made, failures = make(tmp_path / "missing.onnx", [], tmp_path)
    assert made == ()
    assert all(" was not made: " in reason for reason in failures.values())


def test_a_wrong_model_name_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--models", "no_such"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.slow
@needs_nncf
@needs_ort_quantization
@pytest.mark.filterwarnings("default")
def test_a_model_all_the_way(tmp_path: Path) -> None:
    target = tmp_path / "peers.json"
    assert main(["--models", NAME, "--json", str(target)]) in (0, 1)
    (model,) = json.loads(target.read_text())["models"]
    rows = {row["name"]: row for row in model["rows"]}
    assert len(rows) == 10
    assert [row["reason"] for row in rows.values()] == [None] * 10
    assert len(model["comparisons"]) == 12
    assert all(row["ms"]["value"] > 0 and row["size_mb"] > 0 for row in rows.values())
    assert rows["FP32 on OpenVINO"]["accuracy"] == rows["FP32 on ONNX Runtime"]["accuracy"]
    # Trained for this task: whoever loses more than a few of 500 images computes something else.
    for row in rows.values():
        if row["maker"] != "FP32":
            assert abs(row["drop"]["value"]) < 2
            assert row["seconds_with_images"] > 0
