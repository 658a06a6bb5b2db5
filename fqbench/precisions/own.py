"""fqbench's own precisions."""

from __future__ import annotations

from dataclasses import replace

from fqbench.precisions.record import CHOSEN, Number, Precision

FP32 = Precision(
    name="fp32",
    label="FP32",
    weights=Number(32, "float"),
    activations=Number(32, "float"),
    baseline=True,
    calibrates=False,
    kernel="float32",
    network=lambda graph, cell: graph.fp32(cell.backend),
    runtime_name="fp32",
    method=None,
    method_label=None,
)
FP16 = Precision(
    name="fp16",
    label="FP16",
    weights=Number(16, "float"),
    activations=Number(16, "float"),
    baseline=False,
    # Some of these images tell what does not fit float16.
    calibrates=True,
    kernel=None,
    network=lambda graph, cell: graph.half(cell.backend),
    runtime_name="fp16",
    method="half",
    method_label="FP16, nothing quantized",
)
BF16 = replace(
    FP16,
    name="bf16",
    label="BF16",
    # It ends where float32 does.
    calibrates=False,
    network=lambda graph, cell: graph.fp32(cell.backend),
    runtime_name="bf16",
    method="bfloat16",
    method_label="BF16, nothing quantized",
)
INT8 = Precision(
    name="int8",
    label="INT8",
    weights=Number(8, "integer"),
    activations=Number(8, "integer"),
    baseline=False,
    calibrates=True,
    kernel="int8",
    network=lambda graph, cell: graph.int8(cell),
    runtime_name="int8",
    method=CHOSEN,
    method_label=None,
)

INT8_ALL = replace(
    INT8, name="int8_all", network=lambda graph, cell: graph.lowered(cell.backend, everything=True)
)
"""INT8 with no layer left in float that the spec does not name."""

INT8_FILE = replace(
    INT8,
    name="int8_file",
    network=lambda graph, cell: graph.given(cell.backend),
    runtime_name="int8_file",
    method="given",
)
"""INT8 as a file of the user's own holds it."""

VARIANTS = (INT8_ALL, INT8_FILE)
"""Forms of INT8 that no option names: of models that have INT8, fqbench plans them itself."""

EXACT = "int8_file_exact"
"""What a runtime is asked for to run an INT8 file by kernels that do not saturate."""

RUNTIME_NAMES = frozenset(
    {EXACT, *(each.runtime_name for each in (FP32, FP16, INT8, *VARIANTS)), INT8_ALL.name}
)
"""All that fqbench's own backends may be asked for, beside precisions of some of them alone."""
