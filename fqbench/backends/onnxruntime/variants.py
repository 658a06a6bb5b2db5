"""A quantized model in any setting, fused and run by ONNX Runtime as it will be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import onnx

from fqbench.backends.onnxruntime.lower import lower
from fqbench.backends.onnxruntime.profile import layer_times
from fqbench.backends.variants import FP32, Calls, TimedVariants, Times
from fqbench.graph.executor import Executable, Feed, execute, open_session, session_options
from fqbench.graph.graph import Graph
from fqbench.quantize.algorithms import Range
from fqbench.quantize.pairs import QuantParams, affine_codes
from fqbench.quantize.record import Quantization, SafeForm
from fqbench.quantize.setting import Setting
from fqbench.saturation.counting import saturated_sums
from fqbench.saturation.layers import integer_layers


@dataclass(frozen=True)
class OnnxRuntimeVariants(TimedVariants):
    """See ``Variants``."""

    model: onnx.ModelProto
    record: Quantization
    scratch: Path

    float_silu = True
    unsigned_weights = True
    writes_integers = True
    zero_points = ()
    products = frozenset[str]()
    runs_emulation = True

    @property
    def unsuited(self) -> Mapping[str, str]:
        """See ``Variants``. What is slower in INT8 is found by its times."""
        return {}

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

    def codes(self, ends: Range) -> QuantParams:
        """See ``Variants``."""
        return affine_codes(ends)

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

    def layer_times(self, setting: Setting, feed: Feed, threads: int) -> tuple[Times, Times]:
        """See ``Variants``."""
        graph = Graph(self.model)
        return (
            layer_times(self.model, graph, feed, threads),
            layer_times(self.emulated(setting), graph, feed, threads),
        )
