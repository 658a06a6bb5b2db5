"""The margins file itself: every entry is of a model that the project knows."""

from __future__ import annotations

import pytest

from fqbench import zoo
from fqbench.margins import Margins, default_margins_path, load_margins
from fqbench.methods.distillation import METHOD as DISTILLATION
from fqbench.methods.offline import METHOD as OFFLINE
from fqbench.report.published import published_figures


@pytest.fixture(scope="module")
def margins() -> Margins:
    return load_margins(default_margins_path())


def test_every_margin_is_of_a_known_model(margins: Margins) -> None:
    assert margins.unmatched([*zoo.embedded_names(), *zoo.published_names()]) == ()


@pytest.mark.parametrize("method", [OFFLINE.name, DISTILLATION.name])
@pytest.mark.parametrize("name", zoo.published_names())
def test_every_published_model_has_a_margin_on_the_cpu(
    margins: Margins, name: str, method: str
) -> None:
    entries = [entry for entry in margins.entries if entry.model == name]
    for backend in ("onnxruntime", "paddle"):
        assert any(e.backend in (None, backend) and e.method in (None, method) for e in entries)


def test_every_embedded_model_has_a_margin(margins: Margins) -> None:
    assert set(zoo.embedded_names()) <= {entry.model for entry in margins.entries}


def test_every_published_drop_stands_beside_a_margin_no_wider(margins: Margins) -> None:
    entries = {(e.model, e.backend, e.method): e for e in margins.entries}
    for row in published_figures():
        entry = entries[row.model, row.backend, row.method]
        assert entry.published == row.drop
        assert entry.drop <= row.drop
