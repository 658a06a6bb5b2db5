"""A quantized model in any setting, for TensorRT: executed operator by operator, on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from fqbench.backends.tensorrt.lower import lower
from fqbench.backends.tensorrt.plan import unsuited
from fqbench.backends.variants import Variants
from fqbench.graph.executor import Executable, Feed, execute
from fqbench.graph.graph import Graph
from fqbench.quantize.algorithms import Range
from fqbench.quantize.pairs import QuantParams, int8_codes
from fqbench.quantize.record import Quantization, SafeForm
from fqbench.quantize.setting import Setting


@dataclass(frozen=True)
class TensorRTVariants(Variants):
    """See ``Variants``."""

    model: onnx.ModelProto
    record: Quantization
    scratch: Path

    float_silu = False
    unsigned_weights = False
    writes_integers = False
    zero_points = ()
    products = frozenset[str]()
    runs_emulation = False

    @property
    def unsuited(self) -> Mapping[str, str]:
        """See ``Variants``."""
        return unsuited(Graph(self.model))

    @property
    def safe_forms(self) -> Mapping[str, SafeForm]:
        """See ``Variants``. No GPU saturates."""
        return {}

    def emulated(self, setting: Setting) -> onnx.ModelProto:
        """See ``Variants``."""
        return lower(self.model, setting.applied(self.record, {}))

    def codes(self, ends: Range) -> QuantParams:
        """See ``Variants``."""
        return int8_codes(ends)

    def runs(self, names: Sequence[str]) -> bool:
        """See ``Variants``."""
        return False

    def executable(self, setting: Setting, names: Sequence[str]) -> Executable:
        """See ``Variants``."""
        return execute(self.emulated(setting), names, fuse_pairs=False)

    def unsafe(self, setting: Setting, feeds: Sequence[Feed]) -> list[frozenset[str]]:
        """See ``Variants``."""
        return []
