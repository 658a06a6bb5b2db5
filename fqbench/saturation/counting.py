"""Which layers of a file saturate on images, were its kernels those of a CPU without VNNI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx

from fqbench.graph.executor import Feed, open_session, session_options, with_outputs
from fqbench.hardware import usable_cores
from fqbench.saturation.layers import integer_layers
from fqbench.saturation.pairs import count_saturated


def saturated_sums(model: onnx.ModelProto, feeds: Iterable[Feed]) -> Mapping[str, int]:
    """Sums of two products that saturate, by the layer, over the places of images looked at.

    Every layer that multiplies uint8 by int8 is there. What layers read is computed without
    saturation, so that one layer's does not hide another's.
    """
    layers = integer_layers(model)
    counts = dict.fromkeys((layer.name for layer in layers), 0)
    exposed = [layer for layer in layers if layer.may_saturate]
    if not exposed:
        return counts
    given_names = {value.name for value in model.graph.input}
    wanted = [name for name in dict.fromkeys(e.codes for e in exposed) if name not in given_names]
    session = open_session(
        with_outputs(model, wanted).SerializeToString(),
        session_options(usable_cores(), exact=True, fuse_pairs=False),
    )
    names = [value.name for value in session.get_inputs()]
    for feed in feeds:
        given = dict(zip(names, feed, strict=True))
        values = given | dict(zip(wanted, session.run(wanted, given), strict=True))
        for layer in exposed:
            read = layer.read(np.asarray(values[layer.codes]))
            for group, weight in zip(read, layer.weight, strict=True):
                counts[layer.name] += count_saturated(group, weight)
    return counts
