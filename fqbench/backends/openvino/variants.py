"""A quantized model in any setting, compiled and run by OpenVINO as it will be."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray

from fqbench.backends.openvino.joins import lose_scales
from fqbench.backends.openvino.lower import lower
from fqbench.backends.openvino.mend import mended
from fqbench.backends.openvino.plan import codes_of, zero_points
from fqbench.backends.openvino.profile import layer_times
from fqbench.backends.openvino.runtime import compiled, set_inputs
from fqbench.backends.variants import FP32, Calls, TimedVariants, Times
from fqbench.graph.executor import Executable, Feed, with_outputs
from fqbench.graph.graph import Graph
from fqbench.hardware import usable_cores
from fqbench.quantize.algorithms import Range
from fqbench.quantize.pairs import QuantParams
from fqbench.quantize.record import Quantization, SafeForm
from fqbench.quantize.setting import Setting
from fqbench.quantize.sharing import averaged


@dataclass(frozen=True)
class OpenVinoVariants(TimedVariants):
    """See ``Variants``."""

    model: onnx.ModelProto
    record: Quantization
    scratch: Path

    # A SiLU is always computed in float, and rounded once.
    float_silu = False
    unsigned_weights = False
    writes_integers = False
    runs_emulation = True

    @property
    def unsuited(self) -> Mapping[str, str]:
        """See ``Variants``. What is slower in INT8 is found by its times."""
        graph = Graph(self.model)
        return averaged(graph, graph.layers())

    @property
    def zero_points(self) -> Sequence[frozenset[str]]:
        """See ``Variants``."""
        return zero_points(self.model, self.record)

    @property
    def products(self) -> frozenset[str]:
        """See ``Variants``. Those whose factors are known."""
        ranges = self.record.ranges.keys()
        return frozenset(n.name for n in Graph(self.model).products() if ranges >= set(n.input))

    @property
    def safe_forms(self) -> Mapping[str, SafeForm]:
        """See ``Variants``. What safe layers read has a zero point, so that its codes are uint8."""
        return dict.fromkeys(self.record.weights, "narrow")

    def emulated(self, setting: Setting) -> onnx.ModelProto:
        """See ``Variants``."""
        record = setting.applied(self.record, self.safe_forms)
        return lower(self.model, record, int8_joins=not lose_scales())

    def codes(self, ends: Range) -> QuantParams:
        """See ``Variants``."""
        return codes_of(ends)

    def runs(self, names: Sequence[str]) -> bool:
        """See ``Variants``."""
        return True

    def executable(self, setting: Setting, names: Sequence[str]) -> Executable:
        """See ``Variants``. As many inferences at a time as there are cores, each by one thread."""
        graph = with_outputs(self.emulated(setting), names)
        cores = usable_cores()
        model = compiled(graph.SerializeToString(), cores, streams=cores)
        places = [[value.name for value in graph.graph.output].index(name) for name in names]
        requests = threading.local()

        def run(feed: Feed) -> list[NDArray[Any]]:
            if not hasattr(requests, "own"):
                requests.own = model.create_infer_request()
            set_inputs(requests.own, feed)
            outputs = list(requests.own.infer().values())
            return [outputs[place] for place in places]

        return Executable(run)

    def unsafe(self, setting: Setting, feeds: Sequence[Feed]) -> list[frozenset[str]]:
        """See ``Variants``. Every layer that is quantized: kernels are not asked which saturate."""
        return [frozenset(self.record.weights) - setting.float_layers]

    def calls(self, settings: Mapping[str, Setting], feed: Feed, threads: int) -> Calls:
        """See ``Variants``."""
        graphs = {FP32: mended(self.model), **{t: self.emulated(s) for t, s in settings.items()}}
        calls = {}
        for text, graph in graphs.items():
            request = compiled(graph.SerializeToString(), threads).create_infer_request()
            set_inputs(request, feed)
            calls[text] = request.infer
        return calls

    def layer_times(self, setting: Setting, feed: Feed, threads: int) -> tuple[Times, Times]:
        """See ``Variants``. A layer's node holds what its kernel computes behind it, too."""
        graph = Graph(self.model)
        return (
            layer_times(mended(self.model), graph, feed, threads),
            layer_times(self.emulated(setting), graph, feed, threads),
        )
