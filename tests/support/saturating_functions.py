"""Called in children whose CPU has no VNNI."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fqbench.graph.executor import open_session, session_options
from fqbench.saturation.layers import integer_layers
from fqbench.saturation.pairs import accumulate

SIDE, ZERO, RESULT_ZERO = 9, 3, 128


def saturates(arguments: dict[str, Any], report: Any) -> bool:
    from fqbench.saturation.probe import computed_share

    return computed_share("onnxruntime") < 0.9


def paddle_saturates(arguments: dict[str, Any], report: Any) -> bool:
    from fqbench.saturation.probe import computed_share

    return computed_share("paddle") < 0.9


def compare(arguments: dict[str, Any], report: Any) -> list[float]:
    """The parts of a layer's codes that the emulation has, and that exact arithmetic has."""
    model, scale, codes = layer_of(**arguments)
    session = open_session(model.SerializeToString(), session_options(1))
    (found,) = session.run(None, {"x": codes.astype(np.float32) - ZERO})
    (layer,) = integer_layers(model)
    read, results = layer.read(codes), []
    for sums in (accumulate, lambda r, w: r.astype(np.int64) @ w.astype(np.int64).T):
        per_group = []
        for group, weight in zip(read, layer.weight, strict=True):
            # The zero point times the weights is taken off in 32 bits.
            per_group.append(sums(group, weight) - ZERO * weight.astype(np.int64).sum(axis=1))
        whole = np.concatenate(per_group, axis=1).T
        units = (whole.astype(np.float32) * np.float32(1 / scale)).astype(np.float32)
        expected = np.clip(np.rint(units) + RESULT_ZERO, 0, 255) - RESULT_ZERO
        actual = np.rint(found.reshape(whole.shape) / scale)
        results.append(float(np.mean(expected == actual)))
    return results


def reference_kernel(arguments: dict[str, Any], report: Any) -> float:
    """The part of the int8 reference kernel's results that are right."""
    from fqbench.measure import reference

    (found,) = reference.kernels(threads=1)[reference.INT8]()
    rng = np.random.default_rng(0)
    for _ in range(2):
        rng.standard_normal((reference.SIDE, reference.SIDE))
    codes, weights = (factor.astype(np.int64) for factor in reference.int8_factors(rng))
    return float(np.mean(found == codes @ weights))


def layer_of(
    kind: str, inputs: int, outputs: int, kernel: int, groups: int, stride: int, pad: int
) -> tuple[onnx.ModelProto, float, Any]:
    """A layer with large weights, the scale of its result, and the codes that it is given."""
    random = np.random.default_rng(inputs + 7 * kernel + 31 * groups)
    shape = (outputs, inputs // groups, kernel, kernel) if kind == "Conv" else (inputs, outputs)
    weight = random.integers(40, 128, shape).astype(np.int8)
    weight *= random.choice(np.array([-1, 1, 1], np.int8), shape)
    given = (1, inputs, SIDE, SIDE) if kind == "Conv" else (1, inputs)
    codes = random.integers(0, 256, given).astype(np.uint8)
    columns = np.prod(weight.shape[1:]) if kind == "Conv" else inputs
    scale = float(np.float32(127.0 * 80 * columns / 200))
    constants = {
        "one": np.float32(1),
        "zero": np.uint8(ZERO),
        "units": np.ones(outputs, np.float32),
        "none": np.zeros(outputs, np.int8),
        "codes": weight,
        "bias": np.zeros(outputs, np.int32),
        "scale": np.float32(scale),
        "middle": np.uint8(RESULT_ZERO),
    }
    attributes = {}
    if kind == "Conv":
        attributes = {"group": groups, "strides": [stride] * 2, "pads": [pad] * 4}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "one", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "one", "zero"], ["d"]),
        helper.make_node(
            "DequantizeLinear", ["codes", "units", "none"], ["w"], axis=0 if kind == "Conv" else 1
        ),
        helper.make_node("DequantizeLinear", ["bias", "units"], ["b"], axis=0),
        helper.make_node(kind, ["d", "w", "b"], ["sum"], "layer", **attributes),
        helper.make_node("QuantizeLinear", ["sum", "scale", "middle"], ["c"]),
        helper.make_node("DequantizeLinear", ["c", "scale", "middle"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, given)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return model, scale, codes


def choose_weights(arguments: dict[str, Any], report: Any) -> dict[str, Any]:
    """What is chosen for a bright network, and the errors of its forms as they run here."""
    from fqbench.backends.variants import variants
    from fqbench.quantize.calibrate import calibrate
    from fqbench.quantize.setting import Setting
    from fqbench.tune.choose import TuningTarget, choose
    from fqbench.tune.error import relative_error
    from tests.support.onnx_graphs import bright

    backend = arguments["backend"]
    net, model = bright()
    # Inputs that codes hold exactly: what is lost is the weights'.
    feeds = [[np.sign(net.image()).clip(0.0)] for _ in range(6)]
    record = calibrate(model, feeds, "abs_max")
    names = [value.name for value in model.graph.output]
    target = TuningTarget(arguments["limit"], None, saturates=True, here=arguments["here"])
    found = choose(backend, model, record, feeds, target, lambda *_: None)
    float_session = open_session(model.SerializeToString(), session_options(1))
    wanted = [float_session.run(names, {"x": feed[0]}) for feed in feeds]
    errors = {}
    with tempfile.TemporaryDirectory() as folder:
        made = variants(backend, model, record, Path(folder))
        chosen = Setting(
            frozenset(found.float_layers), frozenset(found.wide), frozenset(found.safe)
        )
        full = replace(chosen, safe=frozenset())
        graph = made.emulated(chosen)
        left = [layer.name for layer in integer_layers(graph) if layer.may_saturate]
        for text, setting in (("chosen", chosen), ("full", full)):
            run = made.executable(setting, names).run
            errors[text] = relative_error(wanted, [list(run(feed)) for feed in feeds])
    return {
        "safe": dict(found.safe),
        "unsigned": list(found.unsigned),
        "weights": dict(found.weights),
        "error": found.error,
        "left_unsafe": sorted(left),
        **errors,
    }


def openvino_errors(arguments: dict[str, Any], report: Any) -> dict[str, float]:
    """Errors of a small detector as OpenVINO runs it, by the form of its codes."""
    from fqbench.backends.variants import variants
    from fqbench.graph.executor import execute
    from fqbench.graph.graph import Graph
    from fqbench.quantize.calibrate import calibrate
    from fqbench.quantize.setting import Setting
    from fqbench.tune.error import relative_error
    from tests.backends.openvino.test_openvino_lower import detector

    net, model = detector()
    feed = [net.image()]
    record, names = calibrate(model, [feed], "abs_max"), Graph(model).outputs
    wanted = execute(model, names, fuse_pairs=False).run(feed)
    with tempfile.TemporaryDirectory() as folder:
        made = variants("openvino", model, record, Path(folder))
        forms = {"plain": Setting(), "safe": Setting(safe=made.unsafe(Setting(), ())[0])}
        return {
            name: relative_error([wanted], [made.executable(setting, names).run(feed)])
            for name, setting in forms.items()
        }
