"""``fqbench init`` on models whose specs are known: nothing that it calls sure is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fqbench.spec import Preprocess
from tools.init_check import checked, embedded, examples, main, same_values

DATA = os.environ.get("FQBENCH_DATA")
NAMES = (
    "deeplabv3_mnv2",
    "deimv2_atto",
    "efficientnet_lite0",
    "ppocrv4_rec",
    "simplepose",
    "squeezenet1_1",
    "vit_tiny",
    "yolo11n_seg",
    "yolov5s",
    "yolov8n",
    "yolox_nano",
)


def wrong(found: object) -> list[str]:
    assert isinstance(found, dict), found
    return [name for name, each in found.items() if each.sureness == "sure" and not each.right]


@pytest.mark.slow
@pytest.mark.usefixtures("models_read_here")
@pytest.mark.parametrize("way", ["alone", "images", "labels"])
def test_nothing_sure_is_wrong_in_the_zoo(tmp_path: Path, way: str) -> None:
    for name, _, found in checked(list(embedded(tmp_path)), [way], None, 12):
        assert wrong(found) == [], name
        assert isinstance(found, dict)
        assert found["task"].right
        assert found["decoder"].right
        if way == "labels":
            assert found["task"].sureness == "sure", name


@pytest.mark.slow
@pytest.mark.usefixtures("models_read_here")
@pytest.mark.skipif(DATA is None, reason="FQBENCH_DATA names no folder of real models")
@pytest.mark.parametrize("name", NAMES)
def test_nothing_sure_is_wrong_of_real_models(name: str) -> None:
    assert DATA is not None
    specs = [spec for spec in examples(Path(DATA)) if spec.name == name]
    for _, way, found in checked(specs, ["alone"], Path(DATA), 1):
        assert wrong(found) == [], way
        assert isinstance(found, dict)
        assert found["task"].right
        assert found["decoder"].right


def test_normalizations_that_hardly_differ_are_the_same() -> None:
    stretch = {"kind": "stretch", "size": [4, 4]}
    ways = [
        {"mean": (127.0,), "std": (128.0,)},
        {"mean": (127.5,), "std": (127.5,)},
        {"scale": 2 / 255, "mean": (1.0,)},
        {"scale": 1 / 255},
    ]
    first, *others = [Preprocess.model_validate({"resize": stretch, **way}) for way in ways]
    assert [same_values(first, other) for other in others] == [True, True, False]


def test_a_wrong_one_that_was_called_sure_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tools import init_check

    verdict = init_check.Verdict("sure", right=False)
    row = ("net", "alone", dict.fromkeys(init_check.ASPECTS, verdict))
    monkeypatch.setattr(init_check, "checked", lambda *_: iter([row]))
    monkeypatch.setattr(init_check, "embedded", lambda *_: iter(()))
    monkeypatch.delenv("FQBENCH_DATA", raising=False)
    monkeypatch.setattr("sys.argv", ["init_check"])
    assert main() == 1
    assert "sure!" in capsys.readouterr().out
