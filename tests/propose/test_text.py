"""The spec's text: read back as it was meant, whatever a file's names are."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.propose.make import spec_name
from fqbench.propose.proposal import Proposal, Proposed
from fqbench.propose.text import comment, spec_text

NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)


def said(key: str, value: object, reason: str = "it says so") -> Proposal:
    return Proposal(key=key, value=value, sureness="likely", reason=reason)


def proposed(name: str, reason: str) -> Proposed:
    return Proposed(
        task="guessing",
        proposals=(
            said("task", "guessing"),
            said("input", name, reason),
            said(f"other_inputs.{name}", {"kind": "constant", "value": 1}),
            said("preprocess.resize", {"kind": "stretch", "size": [4, 6]}),
            said("preprocess.resize.size", [4, 6]),
            said("preprocess.color", "rgb"),
            said("preprocess.scale", {"scale": 0.5, "mean": [1.0], "std": [2.0]}),
            said("decode", {"kind": "none"}, reason),
        ),
    )


@settings(deadline=None)
@given(NAMES, NAMES)
def test_untrusted_names_stay_text(name: str, reason: str) -> None:
    text = spec_text("a", name, proposed(name, reason), {"dataset": {"images": name}}, (reason,))
    assert yaml.safe_load(text) == {
        "name": "a",
        "task": "guessing",
        "model": name,
        "input": name,
        "other_inputs": {name: {"kind": "constant", "value": 1}},
        "preprocess": {
            "resize": {"kind": "stretch", "size": [4, 6]},
            "color": "rgb",
            "scale": 0.5,
            "mean": [1.0],
            "std": [2.0],
        },
        "decode": {"kind": "none"},
        "dataset": {"images": name},
    }


@settings(deadline=None)
@given(st.text(max_size=300))
def test_a_comment_is_nothing_but_comment(text: str) -> None:
    assert all(
        line.startswith("# ") or line == "#"
        for line in "\n".join(comment(text)).split("\n")
        if line
    )


def test_names_of_files_become_names_of_specs() -> None:
    assert spec_name("YOLOv8n (best)") == "yolov8n_best"
    assert spec_name("squeezenet1.1") == "squeezenet1.1"
    assert spec_name("..") == "model"
