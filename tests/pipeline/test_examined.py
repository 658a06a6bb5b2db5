"""Images that INT8 answers otherwise, from the answers of real runtimes to the files of a run."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from fqbench.artifacts import Store
from fqbench.cells import Cell
from fqbench.examine.record import Examined
from fqbench.margins import Margins
from fqbench.pipeline.cell_steps import Request, plan
from fqbench.pipeline.model import Model
from fqbench.pipeline.rows import Outcome
from fqbench.pipeline.run import run
from fqbench.pipeline.steps.examining import FILE, Examine, examine
from fqbench.spec.check import check_model
from fqbench.spec.load import load_spec
from fqbench.steps.executor import LocalExecutor
from tests.support.tiny_spec import EVALUATED, write_spec

METHOD = "ort_static"


def model(file: Path) -> Model:
    spec = load_spec(file, None)
    return Model(spec, check_model(spec), LocalExecutor(Store(file.parent / "cache")))


def evaluated(file: Path, *precisions: str) -> Outcome:
    """The outcome of the tiny classifier, nothing timed."""
    found = model(file)
    cells = tuple(
        Cell("tiny", "onnxruntime", "cpu", each, METHOD if each == "int8" else None)
        for each in precisions
    )
    return run([plan(found.graph, Request(cells, Margins(), budget=None))], found.executor)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_spec(tmp_path_factory.mktemp("project"))


def test_a_run_has_what_int8_changes(project: Path, tmp_path: Path) -> None:
    outcome = evaluated(project, "fp32", "int8")
    fp32, int8 = outcome.rows
    assert fp32.changes is None
    found = int8.changes
    assert found is not None
    assert found.images == EVALUATED
    assert found.parted > 0
    top1, _ = found.points
    assert top1.kept + top1.lost == top1.kept + top1.gained == EVALUATED
    assert top1.lost_right is not None
    assert top1.gained_right is not None
    lost = 100 * (top1.lost_right - top1.gained_right) / EVALUATED
    assert int8.drop is not None
    assert lost == pytest.approx(int8.drop.value)

    path = outcome.broken.write(tmp_path, "now")
    (images,) = json.loads(path.read_text())["cells"].values()
    assert len(images) == found.parted
    first = images[0]["picture"]
    with Image.open(io.BytesIO(base64.b64decode(first["fp32"]))) as shown:
        # Enlarged five times, with a line of text below.
        assert shown.size == (first["width"], first["height"]) == (160, 180)


def test_without_labels_answers_are_compared(tmp_path: Path) -> None:
    dataset = {"kind": "folder", "images": "images", "needs": "labels"}
    outcome = evaluated(write_spec(tmp_path, dataset=dataset), "fp32", "int8")
    int8 = outcome.rows[1]
    assert int8.agreement is not None
    found = int8.changes
    assert found is not None
    assert (found.images, found.worse, found.better) == (EVALUATED, None, None)
    assert found.points[0].lost_right is None
    images = outcome.broken.cells[int8.cell.id]
    assert len(images) == found.parted > 0
    assert all(image.fp32 is None and image.picture is not None for image in images)
    assert [image.alike for image in images] == sorted(image.alike for image in images)


def test_outputs_that_are_not_decoded_have_no_answers(tmp_path: Path) -> None:
    dataset = {"kind": "folder", "images": "images", "needs": "labels"}
    file = write_spec(tmp_path, dataset=dataset, decode={"kind": "none"})
    int8 = evaluated(file, "fp32", "int8").rows[1]
    assert (int8.status, int8.changes) == ("ok", None)
    assert int8.agreement is not None


def test_int8_by_itself_is_compared_with_nothing(project: Path) -> None:
    outcome = evaluated(project, "int8")
    assert [row.changes for row in outcome.rows] == [None]
    assert outcome.broken.cells == {}


def test_images_that_are_gone_are_named(project: Path, tmp_path: Path) -> None:
    found = model(project)
    cell = Cell("tiny", "onnxruntime", "cpu", "int8", METHOD)
    graph = found.graph.of(cell)
    sides = [found.made(graph.predictions(each)).path for each in (cell.baseline, cell)]
    samples = found.images.data.samples
    job = Examine(
        folder=tmp_path,
        fp32=sides[0],
        int8=sides[1],
        sides=("", ""),
        task=found.spec.task,
        dataset=found.spec.dataset,
        truth=(),
        labels=tuple((sample.image_id, sample.label) for sample in samples),
        images=tuple(tmp_path / "gone" / sample.path.name for sample in samples),
    )
    examine(job, lambda done, total: None)
    worst = Examined.read(tmp_path / FILE).worst
    assert worst
    for image in worst:
        assert image.picture is None
        assert image.unreadable is not None
        assert f"gone/{image.name}: No such file" in image.unreadable
