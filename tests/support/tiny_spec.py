"""A user's project small enough to run in seconds: a classifier, twenty images and a spec."""

import os
from pathlib import Path

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper
from PIL import Image

from tests.support.onnx_graphs import Net

CLASSES = 4
EVALUATED = 12
CALIBRATING = 8
SIZE = 32


def classifier(seed: int = 21, width: int = 8) -> onnx.ModelProto:
    """1x3x32x32 to four logits; as it is by default it answers two of the classes."""
    net = Net(seed, (1, 3, SIZE, SIZE))
    hidden = net.node("Relu", net.conv("x", width))
    hidden = net.node("Relu", net.conv(hidden, width))
    pooled = net.node("Flatten", net.node("GlobalAveragePool", hidden))
    return net.model(net.gemm(pooled, CLASSES))


def of_bytes() -> onnx.ModelProto:
    """The tiny classifier of pixels as they are, channels last: it normalizes them itself."""
    model = classifier()
    graph = model.graph
    image = helper.make_tensor_value_info("pixels", TensorProto.UINT8, [1, SIZE, SIZE, 3])
    before = [
        helper.make_node("Cast", ["pixels"], ["cast"], "n_cast", to=TensorProto.FLOAT),
        helper.make_node("Sub", ["cast", "half"], ["centred"], "n_centre"),
        helper.make_node("Div", ["centred", "half"], ["scaled"], "n_scale"),
        helper.make_node("Transpose", ["scaled"], ["x"], "n_turn", perm=[0, 3, 1, 2]),
    ]
    graph.initializer.append(helper.make_tensor("half", TensorProto.FLOAT, [], [127.5]))
    graph.input[0].CopyFrom(image)
    nodes = [*before, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def write_spec(folder: Path, name: str = "tiny", **changes: object) -> Path:
    """Write model, images and ``NAME.yaml``; ``changes`` replace keys of the spec."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(classifier(), str(folder / f"{name}.onnx"))
    _images(folder / "images", EVALUATED, seed=1)
    _images(folder / "calibration", CALIBRATING, seed=2)
    lines = [f"{i:02}.png {i % CLASSES}\n" for i in range(EVALUATED)]
    (folder / "list.txt").write_text("".join(lines))
    content = {
        "name": name,
        "task": "classification",
        "model": f"{name}.onnx",
        "preprocess": {
            "resize": {"kind": "stretch", "size": [SIZE, SIZE]},
            "mean": [127.5],
            "std": [127.5],
        },
        "decode": {"kind": "logits"},
        "dataset": {"kind": "imagenet", "images": "images", "list": "list.txt"},
        "calibration": {"images": "calibration", "count": CALIBRATING},
        # A model this small takes as long in INT8 as in FP32, and what is measured then varies.
        "speed": "assumed",
        **changes,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def _images(folder: Path, count: int, seed: int) -> None:
    """Blurred noise in colours of their own: random weights tell such images apart."""
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(seed)
    for i in range(count):
        coarse = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((SIZE, SIZE)).save(folder / f"{i:02}.png")


def without_data_root() -> dict[str, str]:
    """This process's environment; relative paths of specs start at the specs."""
    return {key: value for key, value in os.environ.items() if key != "FQBENCH_DATA"}
