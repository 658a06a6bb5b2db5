"""A quantized model in any setting, run by Paddle Inference where it computes what is asked for.

Where tensors are asked for that are no outputs of the model, its graph is executed operator by
operator.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import onnx

from fqbench.backends.paddle import layers as paddle_layers
from fqbench.backends.paddle.lower import write
from fqbench.backends.paddle.runtime import PaddleInference
from fqbench.backends.paddle.symmetric import symmetric
from fqbench.backends.variants import FP32, Calls, TimedVariants, Times
from fqbench.convert.paddle_program import onnx_to_paddle
from fqbench.graph.executor import Executable, Feed, Run, execute
from fqbench.graph.graph import Graph
from fqbench.quantize.adapt import apply_rounded_weights
from fqbench.quantize.algorithms import Range
from fqbench.quantize.pairs import QuantParams, symmetric_codes
from fqbench.quantize.record import Quantization, SafeForm
from fqbench.quantize.setting import Setting


@dataclass(frozen=True)
class PaddleVariants(TimedVariants):
    """See ``Variants``.

    The program is converted once for each set of safe layers, its weights rounded in all of its
    layers: those that stay in float compute with rounded weights here.
    """

    model: onnx.ModelProto
    record: Quantization
    scratch: Path
    _programs: dict[frozenset[str], tuple[onnx.ModelProto, Path]] = field(default_factory=dict)

    float_silu = False
    unsigned_weights = False
    writes_integers = False
    zero_points = ()
    products = frozenset[str]()
    runs_emulation = False

    @property
    def unsuited(self) -> Mapping[str, str]:
        """See ``Variants``."""
        return paddle_layers.unsuited(Graph(self.model))

    @property
    def safe_forms(self) -> Mapping[str, SafeForm]:
        """See ``Variants``."""
        return paddle_layers.safe_forms(self.model, self.record)

    def emulated(self, setting: Setting) -> onnx.ModelProto:
        """See ``Variants``."""
        return symmetric(self.model, setting.applied(self.record, self.safe_forms))

    def codes(self, ends: Range) -> QuantParams:
        """See ``Variants``."""
        return symmetric_codes(ends)

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

    def layer_times(self, setting: Setting, feed: Feed, threads: int) -> tuple[Times, Times]:
        """See ``Variants``. Paddle Inference does not tell them."""
        return {}, {}

    def _predictor(self, setting: Setting, threads: int) -> Run:
        rounded, program = self._program(setting)
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            record = setting.applied(self.record, self.safe_forms)
            write(program, paddle_layers.layers(rounded, record), Path(folder))
            return _predictor(Path(folder), "int8", threads)

    def _program(self, setting: Setting) -> tuple[onnx.ModelProto, Path]:
        """The graph with rounded weights, and the Paddle program that it became."""
        if setting.safe not in self._programs:
            record = Setting(safe=setting.safe).applied(self.record, self.safe_forms)
            rounded = apply_rounded_weights(self.model, record, record.rounded)
            folder = Path(tempfile.mkdtemp(dir=self.scratch))
            onnx.save(rounded, str(folder / "source.onnx"))
            onnx_to_paddle(folder / "source.onnx", folder)
            self._programs[setting.safe] = rounded, folder
        return self._programs[setting.safe]


def _predictor(folder: Path, precision: str, threads: int) -> Run:
    runner = PaddleInference().prepare(folder, device="cpu", precision=precision, threads=threads)
    return lambda feed: runner.run([np.asarray(tensor) for tensor in feed])
