"""Executes ONNX graphs on the CPU: what calibrates, checks and searches computes with this.

It is ONNX Runtime. What a backend makes of it stands in the backend's folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from fqbench.hardware import usable_cores

LIBRARY = "onnxruntime"
"""The distribution that results of the executor depend on."""

RUNNING = ("onnx", LIBRARY, "numpy", "pillow", "scipy")
"""Libraries that the result of a step depends on which reads images and executes graphs."""

Tensors = Mapping[str, NDArray[np.float32]]
Feed = Sequence[NDArray[np.float32]]
"""The tensors of a model's inputs, in its order."""

Run = Callable[[Feed], Sequence[NDArray[Any]]]
"""Computes tensors for an image."""

EXACT = "session.x64quantprecision"
"""Session option: int8 weights become uint8 ones where the CPU's kernels for int8 saturate."""

OVEREAGER = "WeightBiasQuantization"
"""ONNX Runtime's optimizer that quantizes the weights of a convolution left in float, with one
scale for all channels, where quantized tensors lie before and after it."""

ON_CPU = ("CPUExecutionProvider",)


def session_options(threads: int, *, fuse_pairs: bool = True, exact: bool = False) -> Any:
    """Options of a session as it is measured, with ``threads`` threads.

    ``fuse_pairs``: whether quantize pairs and what lies between them become integer kernels. Those
    of a graph that was made for another runtime only round. ``exact``: whether kernels that
    saturate are replaced by slower ones that do not.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if not fuse_pairs:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    if exact:
        options.add_session_config_entry(EXACT, "1")
    return options


def open_session(model: Path | bytes, options: Any, providers: Sequence[Any] = ON_CPU) -> Any:
    """A session of a model's file or bytes."""
    import onnxruntime as ort

    return ort.InferenceSession(
        model if isinstance(model, bytes) else str(model),
        options,
        providers=list(providers),
        disabled_optimizers=[OVEREAGER],
    )


def with_outputs(model: onnx.ModelProto, names: Iterable[str]) -> onnx.ModelProto:
    """A copy of ``model`` that hands out the tensors ``names`` too, which it computes."""
    shown = deepcopy(model)
    known = {value.name for value in model.graph.output}
    for name in dict.fromkeys(names):
        if name not in known:
            shown.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    return shown


@dataclass(frozen=True)
class Executable:
    """``run`` a model; ``threads``: whether several may at the same time."""

    run: Run
    threads: bool = True


def execute(graph: onnx.ModelProto, names: Sequence[str], *, fuse_pairs: bool) -> Executable:
    """What computes the tensors ``names``; with pairs not fused, operators compute in float."""
    options = session_options(threads=1, fuse_pairs=fuse_pairs)
    session = open_session(with_outputs(graph, names).SerializeToString(), options)
    inputs = [value.name for value in session.get_inputs()]
    return Executable(lambda feed: session.run(list(names), dict(zip(inputs, feed, strict=True))))


class InstrumentedModel:
    """A graph that hands out the named tensors beside its outputs, every float one if None."""

    def __init__(self, model: onnx.ModelProto, tensors: Iterable[str] | None = None) -> None:
        produced = [name for node in model.graph.node for name in node.output if name]
        shown = with_outputs(model, produced if tensors is None else tensors)
        # What is asked for is an output, which no optimization takes away. Pairs only round.
        options = session_options(usable_cores(), fuse_pairs=False)
        # Threads that wait for the next image leave the cores to what is done with this one.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = open_session(shown.SerializeToString(), options)
        self._inputs = [value.name for value in self._session.get_inputs()]
        self._outputs = [
            value.name for value in self._session.get_outputs() if value.type == "tensor(float)"
        ]

    def run(self, feed: Feed) -> Tensors:
        """Values of the tensors, and of the inputs, as far as they are floats."""
        given = zip(self._inputs, feed, strict=True)
        floats = {name: value for name, value in given if value.dtype == np.float32}
        return {**floats, **self.computed(feed)}

    def computed(self, feed: Feed) -> Tensors:
        """Values of the tensors."""
        given = dict(zip(self._inputs, feed, strict=True))
        values = self._session.run(self._outputs, given)
        return dict(zip(self._outputs, values, strict=True))
