"""Synthetic weights: random, but with activations as alive as in a trained network.

The time of a convolution does not depend on its values, so such weights show latency and ratio.
Accuracy they show none. Imports paddle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn

from fqbench.zoo.networks.units import ConvUnit

EPSILON = 1e-5
"""Of a batch norm's variance."""


def synthesize(network: Any, batches: Sequence[NDArray[np.float32]], seed: int) -> None:
    """Give ``network`` seeded random weights, normalized on ``batches``, one for each input.

    Weights are normal with variance 1 / fan-in, biases 0. A batch norm in training mode after
    each ``ConvUnit``'s convolution takes mean and variance of each channel over the batch, and is
    folded into weight and bias at once, so that one pass through the network normalizes it all.
    """
    for index, (_, parameter) in enumerate(network.named_parameters()):
        parameter.set_value(_random(parameter.shape, np.random.default_rng([seed, index])))
    units = [layer for layer in network.sublayers() if isinstance(layer, ConvUnit)]
    for unit in units:
        unit.statistics = _folded_batch_norm
    with paddle.no_grad():
        network(*(paddle.to_tensor(batch) for batch in batches))
    for unit in units:
        unit.statistics = None


def _random(shape: Sequence[int], rng: np.random.Generator) -> NDArray[np.float32]:
    """A weight [out, in, ...] of convolutions or [in, out] of linear layers; a bias is 0."""
    if len(shape) == 1:
        return np.zeros(shape, np.float32)
    fan_in = shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))
    return np.asarray(rng.standard_normal(shape) / np.sqrt(fan_in), np.float32)


def _folded_batch_norm(conv: nn.Conv2D, x: Any) -> Any:
    """The normalized output of ``conv``, whose weight and bias then give the same without."""
    raw = conv(x)
    mean = raw.mean([0, 2, 3])
    scale = 1 / paddle.sqrt(raw.var([0, 2, 3], unbiased=False) + EPSILON)
    conv.weight.set_value(conv.weight * scale.reshape([-1, 1, 1, 1]))
    conv.bias.set_value((conv.bias - mean) * scale)
    return conv(x)
