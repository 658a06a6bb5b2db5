"""The margins file itself: every entry is of a model that the project knows."""

from __future__ import annotations

from fqbench import zoo
from fqbench.margins import Margins

PUBLISHED = (
    "yolov5s",
    "yolov6s",
    "yolov7",
    "ppyoloe_crn_l_300e_coco",
    "resnet50_vd",
    "mobilenet_v1_ssld",
)
"""Models of the published table, whose margins wait for their weights."""


def test_every_margin_is_of_a_known_model(margins: Margins) -> None:
    assert margins.unmatched([*zoo.embedded_names(), *PUBLISHED]) == ()


def test_every_embedded_model_has_a_margin(margins: Margins) -> None:
    assert set(zoo.embedded_names()) <= {entry.model for entry in margins.entries}
