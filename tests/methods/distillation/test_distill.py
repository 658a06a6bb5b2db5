"""Distillation of small networks, each option with its effect: real trainings in one child."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from fqbench.backends.onnxruntime.lower import lower
from fqbench.backends.paddle.symmetric import symmetric
from fqbench.backends.tensorrt import lower as tensorrt
from fqbench.errors import StepError
from fqbench.graph.executor import InstrumentedModel
from fqbench.graph.graph import Graph
from fqbench.isolate.parent import _run, _Watch
from fqbench.methods.distillation.distill import KEPT_IN_FLOAT, initial_student
from fqbench.methods.distillation.history import BROKEN, LAST, REACHED
from fqbench.methods.distillation.schedule import batch, is_held_out
from fqbench.quantize.adapt import apply_rounded_weights
from fqbench.quantize.affine import int8_weight
from fqbench.quantize.algorithms import Range
from fqbench.quantize.calibrate import calibrate, weight_limits
from fqbench.quantize.record import Quantization
from fqbench.tune.choice import ACCURACY
from fqbench.tune.error import raw_outputs
from tests.support.onnx_graphs import Net, anchors
from tests.support.paddle import require_paddle

pytestmark = pytest.mark.slow

IMAGES, SIDE = 24, 16
PART = 0.6
SETTINGS = {
    "iterations": 30,
    "batch_size": 4,
    "eval_iterations": 10,
    "learning_rate": {"kind": "cosine", "rate": 1e-3},
}


def detector(net):
    """Dense and depthwise layers, SiLU, a sum, a concatenation, and two heads."""
    first = net.silu(net.conv("x", 8))
    deep = net.silu(net.conv(first, 8, groups=8))
    both = net.node("Add", first, net.node("Relu", net.conv(deep, 8, 1)))
    joined = net.concat(both, deep)
    return net.model(net.conv(joined, 6, 1), net.conv(both, 4, 1))


def classifier(net):
    hidden = net.node("Relu", net.conv("x", 8))
    pooled = net.node("Flatten", net.node("GlobalAveragePool", hidden))
    return net.model(net.gemm(pooled, 5))


def rows(net):
    """A detector of which each place tells two rows: 5 + 2 numbers each, through a sigmoid."""
    hidden = net.silu(net.conv(net.silu(net.conv("x", 8)), 8))
    return net.model(anchors(net, net.conv(hidden, 14, 1), 2, SIDE))


def clipping(record):
    """Ranges too narrow, so that there is something to learn: random weights round well."""
    ends = {
        name: Range(*(PART * end for end in (found.low, found.high, found.amax)))
        for name, found in record.ranges.items()
    }
    return replace(record, ranges=ends)


def training(model="detector", backend="onnxruntime", **changes):
    known = {"float_layers": {}, "float_silu": False}
    own = {key: changes.pop(key) for key in list(changes) if key not in SETTINGS_KEYS}
    settings = {**SETTINGS, **changes}
    return {"model": model, "backend": backend, "settings": settings, **known, **own}


SETTINGS_KEYS = (
    *SETTINGS,
    "loss",
    "alpha",
    "nodes",
    "optimizer",
    "weight_decay",
    "target_drop",
)
SLOW = {"kind": "constant", "rate": 3e-3}
FORMS = {
    "base": {},
    "float_silu": {"float_silu": True},
    "paddle": {"backend": "paddle"},
    "tensorrt": {"backend": "tensorrt"},
    "in_float": {"float_layers": {"n_conv3": ACCURACY}},
}
TRAININGS = {
    **{name: training(**own) for name, own in FORMS.items()},
    "again": training(),
    "rows": training("rows"),
    "judged": training("rows", discontent=True),
    "rows_first": training("rows", iterations=1),
    "rows_alike": training("rows", loss="l2"),
    "classifier": training("classifier"),
    "classifier_l2": training("classifier", loss="l2"),
    "classifier_paddle": training("classifier", "paddle"),
    "constant": training(learning_rate={"kind": "constant", "rate": 1e-3}),
    "short_cosine": training(learning_rate={"rate": 1e-3, "t_max": 5}),
    "sgd": training(optimizer="SGD", learning_rate=SLOW),
    "sgd_alpha": training(optimizer="SGD", learning_rate=SLOW, alpha=3.0),
    "sgd_decay": training(optimizer="SGD", learning_rate=SLOW, weight_decay=0.1),
    "momentum": training(optimizer="Momentum", learning_rate=SLOW),
    "adamw": training(optimizer="AdamW", weight_decay=0.1),
    "one_image": training(batch_size=1),
    "inner_node": training(nodes=["relu7"]),
    "at_once": training(target_drop=50.0),
    "far": training(learning_rate={"kind": "constant", "rate": 1.0}),
    "broken": training(
        optimizer="SGD", learning_rate={"kind": "constant", "rate": 1.0}, alpha=1e30
    ),
    "stopped": training(scratch="resumed", stopped_at=17),
    "resumed": training(scratch="resumed"),
    **{f"{name}_first": training(iterations=1, **own) for name, own in FORMS.items()},
}


@dataclass(frozen=True)
class Trained:
    """What the child found, and the files that it wrote."""

    folder: Path
    found: dict

    def source(self, name):
        return onnx.load(str(self.folder / f"{name}.onnx"))

    def record(self, name):
        return Quantization.read(self.folder / f"{name}.json")

    def student(self, name):
        return self.source(f"{name}_student"), self.record(f"{name}_student")

    def weights(self, name):
        model, _ = self.student(name)
        return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}

    def images(self, name):
        return [[image[None]] for image in np.load(self.folder / f"{name}.npy")]

    def errors(self, name):
        return [error for _, _, error in self.found[name]["evaluations"]]


def run(folder, trainings):
    arguments = {"folder": str(folder), "trainings": trainings}
    env = {"OMP_NUM_THREADS": "1"}
    function = "tests.support.distill_functions:train_all"
    return _run(function, arguments, env, _Watch("distillation", 300.0))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    require_paddle()
    folder = tmp_path_factory.mktemp("distill")
    for make in (detector, classifier, rows):
        name = make.__name__
        net = Net(7, (1, 3, SIDE, SIDE))
        model = make(net)
        images = np.concatenate([net.image() for _ in range(IMAGES)])
        onnx.save(model, str(folder / f"{name}.onnx"))
        np.save(folder / f"{name}.npy", images)
        clipping(calibrate(model, [[i[None]] for i in images], "search")).write(
            folder / f"{name}.json"
        )
    return Trained(folder, run(folder, TRAININGS))


def lowered(backend, model, record, **form):
    lowering = {"onnxruntime": lower, "paddle": symmetric, "tensorrt": tensorrt.lower}
    return lowering[backend](model, record, **form)


def relative(wanted, found):
    """Squared difference over squared deviation from each channel's mean, of all images."""
    axes = (0, *range(2, wanted.ndim))
    spread = np.square(wanted - wanted.mean(axis=axes, keepdims=True)).sum()
    return float(np.square(found - wanted).sum() / spread)


def answers(model, names, feeds):
    watched = InstrumentedModel(model, names)
    found = [watched.computed(feed) for feed in feeds]
    return [np.concatenate([values[name] for values in found]) for name in names]


# What is learnt


@pytest.mark.parametrize(
    "name", ["base", "float_silu", "paddle", "tensorrt", "in_float", "one_image"]
)
def test_the_student_answers_nearer_to_the_teacher(trained, name):
    start, *_, last = trained.errors(name)
    assert last < 0.95 * start
    assert trained.found[name]["stopped"] == LAST
    _, first, *_, end = (loss for _, loss, _ in trained.found[name]["evaluations"])
    assert end < first


@pytest.mark.parametrize("name", ["base", "paddle", "tensorrt"])
def test_what_was_evaluated_is_the_lowered_graph_on_images_held_out(trained, name):
    model, record = trained.student(name)
    source = trained.source("detector")
    names = raw_outputs(Graph(source))
    feeds = [f for i, f in enumerate(trained.images("detector")) if is_held_out(i, IMAGES)]
    backend = TRAININGS[name]["backend"]
    wanted = answers(source, names, feeds)
    found = answers(lowered(backend, model, record), names, feeds)
    error = np.mean([relative(*pair) for pair in zip(wanted, found, strict=True)])
    assert error == pytest.approx(min(trained.errors(name)), rel=1e-5)


@pytest.mark.parametrize("name", FORMS)
def test_the_student_rounds_as_the_lowered_graph_does(trained, name):
    """Its loss before any training is the lowered graph's: here of its first batch."""
    asked = TRAININGS[name]
    (_, loss, _) = trained.found[f"{name}_first"]["evaluations"][1]
    source = trained.source("detector")
    record = replace(trained.record("detector"), float_layers=asked["float_layers"])
    names = raw_outputs(Graph(source))
    feeds = trained.images("detector")
    form = {"float_silu": True} if asked["float_silu"] else {}
    model = lowered(asked["backend"], source, record, **form)
    taught = [i for i in range(IMAGES) if not is_held_out(i, IMAGES)]
    chosen = [feeds[taught[place]] for place in batch(0, len(taught), 4)]
    every = answers(source, names, feeds)
    wanted, got = answers(source, names, chosen), answers(model, names, chosen)
    shares = [
        np.square(g - w).mean() / np.square(e - e.mean(axis=(0, 2, 3), keepdims=True)).mean()
        for g, w, e in zip(got, wanted, every, strict=True)
    ]
    assert loss == pytest.approx(np.mean(shares), rel=0.02)


def test_places_count_by_the_teacher_s_confidence(trained):
    """The loss of the first batch, with the confidences computed here from the raw output."""
    (_, loss, _) = trained.found["rows_first"]["evaluations"][1]
    source, record = trained.source("rows"), trained.record("rows")
    names = raw_outputs(Graph(source))
    feeds = trained.images("rows")
    (every,) = answers(source, names, feeds)
    chances = 1 / (1 + np.exp(-every.reshape(IMAGES, 2, 7, SIDE, SIDE)))
    sure = chances[:, :, 4] * chances[:, :, 5:].max(axis=2)
    weights = np.repeat(sure, 7, axis=1) + 0.01
    taught = [i for i in range(IMAGES) if not is_held_out(i, IMAGES)]
    chosen = [taught[place] for place in batch(0, len(taught), 4)]
    (got,) = answers(lower(source, record), names, [feeds[i] for i in chosen])
    lost = (weights[chosen] * np.square(got - every[chosen])).mean()
    spread = (weights * np.square(every - every.mean(axis=(0, 2, 3), keepdims=True))).mean()
    assert loss == pytest.approx(lost / spread, rel=0.02)


def test_names_and_shapes_are_the_teacher_s(trained):
    for name in ("base", "paddle", "classifier"):
        kind = TRAININGS[name]["model"]
        source, (model, record) = trained.source(kind), trained.student(name)
        assert [n.name for n in model.graph.node] == [n.name for n in source.graph.node]
        shapes = [{t.name: tuple(t.dims) for t in m.graph.initializer} for m in (source, model)]
        assert shapes[0] == shapes[1]
        assert record.method == "distillation"
        assert record.weight_amax == weight_limits(Graph(model))
        assert record.rounded == {}
        assert record.ranges == trained.record(kind).ranges


def test_every_weight_and_bias_is_trained_but_those_of_float_layers(trained):
    source = {
        t.name: numpy_helper.to_array(t) for t in trained.source("detector").graph.initializer
    }
    weights = trained.weights("in_float")
    same = {name for name in source if np.array_equal(source[name], weights[name])}
    layer = next(n for n in trained.source("detector").graph.node if n.name == "n_conv3")
    assert same == set(layer.input[1:])
    _, record = trained.student("in_float")
    assert record.float_layers == {"n_conv3": KEPT_IN_FLOAT}


def test_a_classifier_learns_by_its_logits(trained):
    for name in ("classifier", "classifier_l2", "classifier_paddle"):
        start, *_, last = trained.errors(name)
        assert last < start, name


@pytest.mark.parametrize("kind", ["detector", "classifier"])
def test_the_start_has_the_codes_of_calibration_and_nearly_the_teacher_s_weights(trained, kind):
    model, record = trained.source(kind), trained.record(kind)
    graph = Graph(model)
    layers = [layer.name for layer in graph.layers()]
    start = Graph(initial_student(model, apply_rounded_weights(model, record, layers), record))
    nearer = 0
    for layer in graph.layers():
        amax, rounded = record.weight_amax[layer.input[1]], record.rounded[layer.name]
        weight, own = start.weight(layer), graph.weight(layer)
        codes, scales = int8_weight(weight, amax)
        assert codes.tobytes() == rounded.codes
        units = scales.reshape(-1, *(1,) * (own.ndim - 1))
        assert np.abs(weight - own).max() <= np.abs(codes * units - own).max()
        nearer += np.sum(np.abs(weight - own) < np.abs(codes * units - own))
    assert nearer > 0
    limits = weight_limits(start)
    for name, amax in record.weight_amax.items():
        assert limits[name] == pytest.approx(amax, rel=1e-6)


# What the options do


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("base", "constant"),
        ("base", "short_cosine"),
        ("base", "inner_node"),
        ("base", "float_silu"),
        ("sgd", "sgd_alpha"),
        ("sgd", "sgd_decay"),
        ("sgd", "momentum"),
        ("base", "adamw"),
        ("base", "one_image"),
        ("classifier", "classifier_l2"),
        ("rows", "rows_alike"),
    ],
)
def test_an_option_changes_what_is_learnt(trained, one, other):
    first, second = trained.weights(one), trained.weights(other)
    assert any(not np.array_equal(first[name], second[name]) for name in first)


def test_a_cosine_that_has_ended_changes_nothing_any_more(trained):
    evaluations = trained.found["short_cosine"]["evaluations"]
    assert [iteration for iteration, _, _ in evaluations] == [0, 10, 20, 30]
    assert evaluations[1][2] == evaluations[2][2] == evaluations[3][2]


def test_a_target_ends_the_training(trained):
    found = trained.found["at_once"]
    assert found["stopped"] == REACHED
    assert [iteration for iteration, _, _ in found["evaluations"]] == [0]


@pytest.mark.parametrize(
    ("name", "why"), [("far", LAST), ("broken", BROKEN), ("at_once", REACHED), ("judged", LAST)]
)
def test_what_is_no_better_than_the_start_is_not_kept(trained, name, why):
    assert trained.found[name]["stopped"] == why
    kind = TRAININGS[name]["model"]
    model, record = trained.student(name)
    assert model.SerializeToString() == trained.source(kind).SerializeToString()
    offline = trained.record(kind)
    assert record == replace(offline, method="distillation")


def test_the_judge_that_is_given_tells_the_errors(trained):
    assert trained.errors("judged") == [0.01, 0.02, 0.03, 0.04]


def test_progress_tells_loss_and_drop(trained):
    told = trained.found["base"]["told"]
    assert [entry[:2] for entry in told] == [[i, 30] for i in range(1, 31)]
    assert told[-1][2].startswith("loss 0.0")
    assert ", drop about " in told[-1][2]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            training(nodes=["nothing"]),
            "distillation.nodes: 'nothing' is no tensor of the canonical graph; without nodes,"
            " student and teacher are compared by conv10, conv11",
        ),
        (
            training(loss="soft_label"),
            "distillation.loss soft_label compares logits [images, classes]; conv10 has 4"
            " dimensions: choose l2, or other nodes",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(trained, asked, said):
    with pytest.raises(StepError) as caught:
        run(trained.folder, {"refused": asked})
    assert str(caught.value) == said


# Going on


def test_a_training_is_the_same_each_time(trained):
    assert trained.found["base"]["evaluations"] == trained.found["again"]["evaluations"]
    first, second = trained.weights("base"), trained.weights("again")
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_a_stopped_training_ends_as_one_that_was_not(trained):
    resumed = trained.found["resumed"]
    assert trained.found["stopped"] == {"stopped": True}
    assert resumed["told"][0][0] == 11
    assert resumed["evaluations"] == trained.found["base"]["evaluations"]
    first, second = trained.weights("base"), trained.weights("resumed")
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert resumed["left"] == ["checkpoint.npz"]


@pytest.mark.parametrize("kind", ["cut", "another's"])
def test_a_checkpoint_that_cannot_be_used_is_told_and_left_out(trained, kind):
    name = kind.partition("'")[0]
    (trained.folder / name).mkdir()
    content = (trained.folder / "resumed" / "checkpoint.npz").read_bytes()
    content = content[:1000] if kind == "cut" else content
    (trained.folder / name / "checkpoint.npz").write_bytes(content)
    asked = training() if kind == "cut" else training("classifier", loss="l2")
    found = run(trained.folder, {name: {**asked, "scratch": name}})[name]
    assert found["warning"].startswith("training starts from scratch: ")
    reference = "base" if kind == "cut" else "classifier_l2"
    assert found["evaluations"] == trained.found[reference]["evaluations"]


def test_a_history_is_plain_json(trained):
    assert json.loads(json.dumps(trained.found["base"])) == trained.found["base"]
