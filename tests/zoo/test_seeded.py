"""The networks with seeded weights: what they are made of, that they live, and who reads them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from fqbench import zoo
from fqbench.graph.executor import InstrumentedModel, open_session, session_options
from fqbench.spec import Folder
from fqbench.spec.check import check_model
from fqbench.tasks.classification.decode import Logits
from fqbench.tasks.decoding import decoder
from fqbench.tasks.registry import decoder_of, decoders
from fqbench.vision.preprocess import Prepared, prepare
from fqbench.zoo.choosing import zoo_names
from fqbench.zoo.scenery import landscape
from fqbench.zoo.seeded.models import FILE, KINDS, code_digests, seeded_spec, write_model
from fqbench.zoo.seeded.network import Network, Values

NAMES = zoo.seeded_names()

OPERATORS = {
    "vit_seeded": {"Conv": 1, "MatMul": 17, "LayerNormalization": 5, "Softmax": 2, "Erf": 2},
    "yolov8_seeded": {"Conv": 20, "MaxPool": 3, "Resize": 1, "Softmax": 1},
    "yolo_seg_seeded": {"Conv": 27, "ConvTranspose": 1, "MaxPool": 3, "Resize": 1, "Softmax": 1},
    "yolov10_seeded": {"Conv": 20, "TopK": 2, "GatherElements": 3, "ReduceMax": 1},
    "detr_seeded": {"Conv": 5, "MatMul": 20, "LayerNormalization": 4, "Softmax": 2, "TopK": 1},
    "heatmaps_seeded": {"Conv": 10, "ConvTranspose": 2, "MaxPool": 1},
    "semantic_seeded": {"Conv": 19, "Clip": 9, "Resize": 2, "GlobalAveragePool": 1},
    "text_line_seeded": {"Conv": 7, "MatMul": 7, "HardSwish": 7, "Softmax": 2},
}
"""What is particular about each."""

OUTPUTS = {
    "vit_seeded": [(1, 100)],
    "yolov8_seeded": [(1, 12, 180)],
    "yolo_seg_seeded": [(1, 22, 180), (1, 8, 24, 24)],
    "yolov10_seeded": [(1, 100, 6)],
    "detr_seeded": [(1, 20), (1, 20, 4), (1, 20)],
    "heatmaps_seeded": [(1, 17, 24, 16)],
    "semantic_seeded": [(1, 21, 96, 96)],
    "text_line_seeded": [(1, 24, 38)],
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where each of them is written."""
    made = {}
    for name in NAMES:
        made[name] = tmp_path_factory.mktemp(name)
        write_model(name, KINDS[name].preprocess, made[name])
    return made


def prepared(name: str, seed: int) -> tuple[list[Any], Prepared]:
    """What network ``name`` is fed for an image that its weights were not chosen on."""
    spec = seeded_spec(name, Path(FILE), Path())
    height, width = KINDS[name].cut or (None, None)
    read = prepare(landscape(np.random.default_rng(seed))[:height, :width], spec.preprocess)
    sizes = [np.array([[640, 480]])] if spec.other_inputs else []
    return [read.tensor, *sizes], read


def answered(name: str, folder: Path, seed: int = 1) -> tuple[list[Any], Any]:
    """The outputs of network ``name`` for an image, and what its decoder reads in them."""
    session = open_session(folder / FILE, session_options(threads=1))
    feed, read = prepared(name, seed)
    names = [value.name for value in session.get_inputs()]
    outputs = session.run(None, dict(zip(names, feed, strict=True)))
    spec = seeded_spec(name, folder / FILE, Path())
    completed = decoder_of(spec.decode).completed
    noted = {each.key: each.value for each in onnx.load(str(folder / FILE)).metadata_props}
    settings = spec.decode if completed is None else completed(spec.decode, noted)
    return outputs, decoder(settings, spec.preprocess.resize.output)(outputs, read.geometry)


def test_they_have_names_and_one_together() -> None:
    assert set(OPERATORS) == set(NAMES)
    assert zoo_names(["seeded"]) == NAMES
    assert zoo_names(["vit_seeded", "digits_yolov5"]) == ("digits_yolov5", "vit_seeded")
    assert not set(NAMES) & set(zoo_names(None))
    assert len(set(zoo.known_names())) == len(zoo.known_names())


def test_their_images_tell_no_truth(tmp_path: Path) -> None:
    spec = seeded_spec("vit_seeded", tmp_path / FILE, tmp_path)
    assert (spec.weights, spec.speed, spec.labelled) == ("synthetic", "assumed", False)
    assert isinstance(spec.dataset, Folder)
    assert spec.dataset.needs == "trained weights, of which this network has none"
    assert spec.dataset.images != spec.calibration.images


def test_all_code_that_makes_them_is_in_their_key() -> None:
    assert len(code_digests()) == len(set(code_digests())) == 13


# How weights are chosen


def test_a_convolution_has_the_mean_and_the_spread_asked_for() -> None:
    images = np.random.default_rng(0).uniform(0, 255, (4, 3, 16, 16)).astype(np.float32)
    net = Network(images, seed=1)
    values = net.values(net.conv(net.image, 256, 3, 2, values=Values(mean=-3.0, spread=1.5)))
    assert values.shape == (4, 256, 8, 8)
    means, spreads = values.mean(axis=(0, 2, 3)), values.std(axis=(0, 2, 3))
    # Channels differ: offsets by 0.3 · 1.5, logarithms of spreads by 0.3.
    assert means.mean() == pytest.approx(-3, abs=0.1)
    assert means.std() == pytest.approx(0.45, abs=0.05)
    assert np.log(spreads).mean() == pytest.approx(np.log(1.5), abs=0.06)
    assert np.log(spreads).std() == pytest.approx(0.3, abs=0.04)


def test_a_transposed_convolution_doubles_the_size() -> None:
    net = Network(np.random.default_rng(0).normal(0, 9, (4, 3, 6, 5)).astype(np.float32), seed=1)
    for kernel in (2, 4):
        values = net.values(net.conv_transpose(net.image, 64, kernel))
        assert values.shape == (4, 64, 12, 10)
        assert values.std(axis=(0, 2, 3)).mean() == pytest.approx(1.04, abs=0.1)


def test_the_model_computes_for_one_image_what_was_computed_on_several() -> None:
    images = np.random.default_rng(0).normal(0, 1, (3, 3, 8, 8)).astype(np.float32)
    net = Network(images, seed=1)
    end = net.linear(net.tokens(net.relu(net.conv(net.image, 4, 3))), 5)
    model = net.model([end])
    onnx.checker.check_model(model, full_check=True)
    session = open_session(model.SerializeToString(), session_options(threads=1))
    assert [entry.shape for entry in session.get_inputs()] == [[1, 3, 8, 8]]
    for image, wanted in zip(images, net.values(end), strict=True):
        (found,) = session.run(None, {"image": image[None]})
        np.testing.assert_allclose(found[0], wanted, rtol=1e-4, atol=1e-5)


# The networks


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_of_its_kind(name: str, folders: dict[str, Path]) -> None:
    model = onnx.load(str(folders[name] / FILE))
    onnx.checker.check_model(model, full_check=True)
    counts = Counter(node.op_type for node in model.graph.node)
    assert {kind: counts[kind] for kind in OPERATORS[name]} == OPERATORS[name]
    assert (folders[name] / FILE).stat().st_size < 1_500_000
    outputs, _ = answered(name, folders[name])
    assert [output.shape for output in outputs] == OUTPUTS[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_its_decoder_reads_it(name: str, folders: dict[str, Path]) -> None:
    spec = seeded_spec(name, folders[name] / FILE, Path())
    assert check_model(spec).decode is None or spec.task == "text_recognition"
    outputs, found = zip(*(answered(name, folders[name], seed) for seed in (1, 2)), strict=True)
    if isinstance(spec.decode, Logits):
        first, second = (each[0] for each in outputs)
        assert (first - second).std() > 0.2 * first.std()
        assert found[0].probability != found[1].probability
    elif spec.task == "segmentation":
        assert all(len(np.unique(each.labels)) > 3 for each in found)
    elif spec.task == "text_recognition":
        assert all(len(each.text) > 2 for each in found)
        assert found[0].text != found[1].text
    else:
        assert all(len(each.scores) > 0 for each in found)
        assert not np.array_equal(found[0].scores, found[1].scores)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_shapes_tell_its_decoder_from_all_others_of_its_task(
    name: str, folders: dict[str, Path]
) -> None:
    spec = seeded_spec(name, folders[name] / FILE, Path())
    shapes, size = OUTPUTS[name], spec.preprocess.resize.output
    own = decoder_of(spec.decode)
    recognized = [
        kind
        for kind, known in decoders().items()
        if known.recognizes is not None and known.recognizes(size, shapes)
    ]
    if own.recognizes is not None:
        assert own.kind in recognized


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_activations_neither_die_nor_explode(name: str, folders: dict[str, Path]) -> None:
    model = onnx.load(str(folders[name] / FILE))
    layers = [n.output[0] for n in model.graph.node if n.op_type in ("Conv", "ConvTranspose")]
    feed, _ = prepared(name, seed=3)
    found = InstrumentedModel(model, layers).run(feed)
    for layer in layers:
        values = found[layer]
        if values.size < 100:  # of a whole image, or of bins
            continue
        assert abs(values.mean()) < 4.0, layer
        assert 0.1 < values.std() < 10.0, layer


@pytest.mark.slow
def test_the_same_weights_are_written_again(folders: dict[str, Path], tmp_path: Path) -> None:
    write_model("vit_seeded", KINDS["vit_seeded"].preprocess, tmp_path)
    assert (tmp_path / FILE).read_bytes() == (folders["vit_seeded"] / FILE).read_bytes()


@pytest.mark.slow
def test_a_line_may_have_any_width(folders: dict[str, Path]) -> None:
    session = open_session(folders["text_line_seeded"] / FILE, session_options(threads=1))
    for width in (96, 160, 64):
        (found,) = session.run(None, {"image": np.zeros((1, 3, 32, width), np.float32)})
        assert found.shape == (1, width // 4, 38)
