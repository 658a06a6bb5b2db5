"""A quantized model in any setting, ready to run: by the runtime that will run it, where it can.

ONNX Runtime and Paddle Inference run what they are given, fused as it will be. TensorRT is not
here: its graphs are executed operator by operator, and so are Paddle's where tensors are asked for
that are no outputs of the model.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray

from fqbench.backends.onnxruntime.lower import lower
from fqbench.backends.onnxruntime.runtime import open_session, session_options
from fqbench.backends.paddle import layers as paddle_layers
from fqbench.backends.paddle.symmetric import symmetric
from fqbench.backends.tensorrt import lower as tensorrt
from fqbench.graph.graph import Graph
from fqbench.quantize.adapt import adapted
from fqbench.quantize.observe import Feed
from fqbench.quantize.record import Quantization, SafeForm
from fqbench.quantize.setting import Setting
from fqbench.saturation.counting import saturated_sums
from fqbench.saturation.layers import integer_layers

Run = Callable[[Feed], Sequence[NDArray[Any]]]
"""Computes tensors for an image."""


@dataclass(frozen=True)
class Executable:
    """``run`` a model; ``threads``: whether several may at the same time."""

    run: Run
    threads: bool = True


class Variants(Protocol):
    """One quantized model for one backend, in any setting."""

    @property
    def safe_forms(self) -> Mapping[str, SafeForm]:
        """What makes a layer right on every CPU, by the layer that can have it."""

    def runs(self, names: Sequence[str]) -> bool:
        """Whether the backend itself computes the tensors ``names``; else they are emulated."""

    def executable(self, setting: Setting, names: Sequence[str]) -> Executable:
        """What computes the tensors ``names`` in ``setting``."""

    def emulated(self, setting: Setting) -> onnx.ModelProto:
        """The graph that computes what the backend does, executed operator by operator."""

    def unsafe(self, setting: Setting, feeds: Sequence[Feed]) -> list[frozenset[str]]:
        """Layers to give other weights so that none saturates, one answer or several.

        The first is enough on any CPU and for all images; further ones for ``feeds``.
        """

    def calls(self, settings: Mapping[str, Setting], feed: Feed, threads: int) -> Calls:
        """An inference in each of ``settings``, and one in FP32 called ``FP32``, to be timed."""


Calls = Mapping[str, Callable[[], object]]

FP32 = "FP32"


def variants(backend: str, model: onnx.ModelProto, record: Quantization, scratch: Path) -> Variants:
    """The variants of ``model`` as ``record`` quantizes it; files go into ``scratch``."""
    made: Callable[..., Variants] = {
        "onnxruntime": OfOnnxRuntime,
        "paddle": OfPaddle,
        "tensorrt": OfTensorRT,
    }[backend]
    return made(model, record, scratch)


def execute(graph: onnx.ModelProto, names: Sequence[str], *, fuse_pairs: bool) -> Executable:
    """``graph`` on ONNX Runtime; with pairs not fused, its operators compute in float."""
    watched = onnx.ModelProto()
    watched.CopyFrom(graph)
    known = {value.name for value in graph.graph.output}
    for name in names:
        if name not in known:
            watched.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = session_options(threads=1, fuse_pairs=fuse_pairs)
    session = open_session(watched.SerializeToString(), options)
    inputs = [value.name for value in session.get_inputs()]
    return Executable(lambda feed: session.run(list(names), dict(zip(inputs, feed, strict=True))))


@dataclass(frozen=True)
class OfOnnxRuntime:
    """See ``Variants``."""

    model: onnx.ModelProto
    record: Quantization
    scratch: Path

    @property
    def safe_forms(self) -> Mapping[str, SafeForm]:
        """See ``Variants``."""
        return dict.fromkeys(self.record.weights, "narrow")

    def emulated(self, setting: Setting) -> onnx.ModelProto:
        """See ``Variants``."""
        return lower(
            self.model,
            setting.applied(self.record, self.safe_forms),
            float_silu=setting.float_silu,
            unsigned=setting.unsigned_layers,
        )

    def runs(self, names: Sequence[str]) -> bool:
        """See ``Variants``."""
        return True

    def executable(self, setting: Setting, names: Sequence[str]) -> Executable:
        """See ``Variants``."""
        return execute(self.emulated(setting), names, fuse_pairs=True)

    def unsafe(self, setting: Setting, feeds: Sequence[Feed]) -> list[frozenset[str]]:
        """See ``Variants``."""
        graph = self.emulated(setting)
        anywhere = frozenset(layer.name for layer in integer_layers(graph) if layer.may_saturate)
        counts = saturated_sums(graph, feeds) if feeds and anywhere else {}
        here = frozenset(name for name, count in counts.items() if count > 0)
        known = frozenset(self.record.weights)
        return [anywhere & known, *([here & known] if feeds and here != anywhere else [])]

    def calls(self, settings: Mapping[str, Setting], feed: Feed, threads: int) -> Calls:
        """See ``Variants``."""
        graphs = {FP32: self.model, **{t: self.emulated(s) for t, s in settings.items()}}
        calls: dict[str, Callable[[], object]] = {}
        for text, graph in graphs.items():
            session = open_session(graph.SerializeToString(), session_options(threads))
            inputs = [value.name for value in session.get_inputs()]
            calls[text] = partial(session.run, None, dict(zip(inputs, feed, strict=True)))
        return calls


@dataclass(frozen=True)
class OfPaddle:
    """See ``Variants``.

    The program is converted once for each set of safe layers, its weights rounded in all of its
    layers: those that stay in float compute with rounded weights here.
    """

    model: onnx.ModelProto
    record: Quantization
    scratch: Path
    _programs: dict[frozenset[str], tuple[onnx.ModelProto, Path]] = field(default_factory=dict)

    @property
    def safe_forms(self) -> Mapping[str, SafeForm]:
        """See ``Variants``."""
        return paddle_layers.safe_forms(self.model, self.record)

    def emulated(self, setting: Setting) -> onnx.ModelProto:
        """See ``Variants``."""
        return symmetric(self.model, setting.applied(self.record, self.safe_forms))

    def runs(self, names: Sequence[str]) -> bool:
        """See ``Variants``."""
        return list(names) == Graph(self.model).outputs

    def executable(self, setting: Setting, names: Sequence[str]) -> Executable:
        """See ``Variants``."""
        if not self.runs(names):
            return execute(self.emulated(setting), names, fuse_pairs=False)
        return Executable(self._predictor(setting, threads=1), threads=False)

    def unsafe(self, setting: Setting, feeds: Sequence[Feed]) -> list[frozenset[str]]:
        """See ``Variants``.

        Every layer that is quantized; here perhaps only those whose weights oneDNN halves, which
        it does on every image, where sums of two products saturate on some.
        """
        forms = {n: form for n, form in self.safe_forms.items() if n not in setting.float_layers}
        halved = frozenset(name for name, form in forms.items() if form == "halved")
        return [frozenset(forms), *([halved] if feeds and len(halved) < len(forms) else [])]

    def calls(self, settings: Mapping[str, Setting], feed: Feed, threads: int) -> Calls:
        """See ``Variants``."""
        calls: dict[str, Callable[[], object]] = {
            text: partial(self._predictor(setting, threads), feed)
            for text, setting in settings.items()
        }
        _, program = self._program(next(iter(settings.values())))
        return {FP32: partial(_predictor(program, "fp32", threads), feed), **calls}

    def _predictor(self, setting: Setting, threads: int) -> Run:
        from fqbench.backends.paddle.layers import layers
        from fqbench.backends.paddle.lower import write

        rounded, program = self._program(setting)
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            record = setting.applied(self.record, self.safe_forms)
            write(program, layers(rounded, record), Path(folder))
            return _predictor(Path(folder), "int8", threads)

    def _program(self, setting: Setting) -> tuple[onnx.ModelProto, Path]:
        """The graph with rounded weights, and the Paddle program that it became."""
        from fqbench.convert.paddle_program import onnx_to_paddle

        if setting.safe not in self._programs:
            record = Setting(safe=setting.safe).applied(self.record, self.safe_forms)
            rounded = adapted(self.model, record, record.rounded)
            folder = Path(tempfile.mkdtemp(dir=self.scratch))
            onnx.save(rounded, str(folder / "source.onnx"))
            onnx_to_paddle(folder / "source.onnx", folder)
            self._programs[setting.safe] = rounded, folder
        return self._programs[setting.safe]


def _predictor(folder: Path, precision: str, threads: int) -> Run:
    from fqbench.backends.paddle.runtime import PaddleInference

    runner = PaddleInference().prepare(folder, device="cpu", precision=precision, threads=threads)
    return lambda feed: runner.run([np.asarray(tensor) for tensor in feed])


@dataclass(frozen=True)
class OfTensorRT:
    """See ``Variants``."""

    model: onnx.ModelProto
    record: Quantization
    scratch: Path

    @property
    def safe_forms(self) -> Mapping[str, SafeForm]:
        """See ``Variants``. No GPU saturates."""
        return {}

    def emulated(self, setting: Setting) -> onnx.ModelProto:
        """See ``Variants``."""
        return tensorrt.lower(self.model, setting.applied(self.record, {}))

    def runs(self, names: Sequence[str]) -> bool:
        """See ``Variants``."""
        return False

    def executable(self, setting: Setting, names: Sequence[str]) -> Executable:
        """See ``Variants``."""
        return execute(self.emulated(setting), names, fuse_pairs=False)

    def unsafe(self, setting: Setting, feeds: Collection[Feed]) -> list[frozenset[str]]:
        """See ``Variants``."""
        return []

    def calls(self, settings: Mapping[str, Setting], feed: Feed, threads: int) -> Calls:
        """See ``Variants``. Engines are timed where their GPU is."""
        raise NotImplementedError("engines are timed on their GPU, not while layers are chosen")
