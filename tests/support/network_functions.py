"""What test_networks.py and test_published.py run in child processes, where paddle may be."""

from pathlib import Path

import numpy as np
import onnx
import paddle
from onnx.numpy_helper import to_array

from fqbench.zoo.export import NETWORKS, feeds, network, save
from fqbench.zoo.networks.units import ConvUnit
from fqbench.zoo.scenery import landscape
from fqbench.zoo.synthetic import synthesize

SIZES = {name: 224 if "net" in name else 640 for name in NETWORKS}


def costs(arguments, report):
    """Of each network at its published size: parameters, multiply-adds, shapes of its outputs."""
    return {name: _cost(name) for name in NETWORKS}


def _cost(name):
    made = network(name)
    multiply_adds = []

    def count(layer, inputs, output):
        weight = int(np.prod(layer.weight.shape))
        if isinstance(layer, paddle.nn.Conv2D):
            multiply_adds.append(weight * output.shape[2] * output.shape[3])
        elif isinstance(layer, paddle.nn.Conv2DTranspose):
            multiply_adds.append(weight * inputs[0].shape[2] * inputs[0].shape[3])
        elif isinstance(layer, paddle.nn.Linear):
            multiply_adds.append(weight)

    for layer in made.sublayers():
        if hasattr(layer, "weight"):
            layer.register_forward_post_hook(count)
    outputs = _run(made, feeds(name, _noise(SIZES[name])))
    return {
        "parameters": sum(int(np.prod(p.shape)) for p in made.parameters()),
        "multiply_adds": sum(multiply_adds),
        "outputs": [list(output.shape) for output in outputs],
    }


def liveliness(arguments, report):
    """Of each network: what ``_liveliness`` finds."""
    return {name: _liveliness(name, arguments["size"]) for name in NETWORKS}


def digests(arguments, report):
    """A number that tells the synthetic weights of each seed apart."""
    found = []
    for seed in arguments["seeds"]:
        made = network("mobilenet_v1_ssld")
        synthesize(made, [_noise(64)], seed)
        found.append(float(sum(np.abs(p.numpy()).sum() for p in made.parameters())))
    return found


def _liveliness(name, size):
    """Mean, deviation and share above 0 of what each unit gave before its activation.

    On an image that the weights were not normalized on.
    """
    made = network(name, None if "net" in name else size)
    synthesize(made, feeds(name, _scenery(size, range(4))), seed=3)
    found = []

    def note(layer, inputs, output):
        values = output.numpy()
        found.append([float(f) for f in (values.mean(), values.std(), (values > 0).mean())])

    for unit in made.sublayers():
        if isinstance(unit, ConvUnit):
            unit.conv.register_forward_post_hook(note)
    outputs = _run(made, feeds(name, _scenery(size, [16])))
    finite = all(bool(np.isfinite(output).all()) for output in outputs)
    return {"units": found, "finite": finite}


def transplant(arguments, report):
    """Export YOLOv5s with the weights of an ONNX file; return the largest differences.

    Both run one image; of the scores, and of the boxes in pixels.
    """
    import onnxruntime

    folder, source = Path(arguments["folder"]), arguments["source"]
    made = network("yolov5s")
    order = []
    for layer in made.sublayers():
        if isinstance(layer, paddle.nn.Conv2D):
            layer.register_forward_post_hook(lambda layer, i, o: order.append(layer))
    image = np.load(arguments["image"])
    _run(made, [image])
    for layer, (weight, bias) in zip(order, _convolutions(onnx.load(source)), strict=True):
        layer.weight.set_value(weight)
        layer.bias.set_value(bias)
    ours = _run(made, [image])[0]
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    theirs = session.run(None, {session.get_inputs()[0].name: image})[0]
    save(made, "yolov5s", image.shape[2:], folder)
    difference = np.abs(ours - theirs)
    return {
        "scores": float(difference[..., 4:].max()),
        "boxes": float(difference[..., :4].max()),
        "largest": float(np.abs(theirs).max()),
    }


def _convolutions(model):
    """Weight and bias of each convolution, in the order of the graph."""
    weights = {tensor.name: to_array(tensor) for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type == "Conv"]
    return [(weights[node.input[1]], weights[node.input[2]]) for node in nodes]


def _scenery(size, seeds):
    """Images [n, 3, size, size], size at most 160, about as they are fed to classifiers."""
    images = [landscape(np.random.default_rng(seed))[::3, ::4][:size, :size] for seed in seeds]
    return (np.stack(images).transpose(0, 3, 1, 2) / 64.0 - 2.0).astype(np.float32)


def _noise(size):
    return np.random.default_rng(0).standard_normal((1, 3, size, size)).astype(np.float32)


def _run(made, arrays):
    with paddle.no_grad():
        outputs = made(*(paddle.to_tensor(array) for array in arrays))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return [output.numpy() for output in outputs]
