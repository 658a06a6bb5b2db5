"""Whether an ONNX model is valid, also one that is newer than the installed onnx package."""

from __future__ import annotations

from collections.abc import Callable

import onnx

from fqbench.graph.executor import open_session, session_options

IR = 10
OPSET = 21
"""What every supported version of ONNX Runtime and of the onnx package reads, the oldest too."""


def check(model: onnx.ModelProto) -> None:
    """Raise an exception of onnx's or ONNX Runtime's where ``model`` is not valid.

    Of versions that an onnx package need not know, ONNX Runtime is the judge, which runs it.
    """
    if model.ir_version <= IR and opset_of(model) <= OPSET:
        onnx.checker.check_model(model)
    else:
        _open(model)


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators that ``model`` is written in; 0 where it uses none."""
    versions = (o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    return max(versions, default=0)


def unreadable_version(model: onnx.ModelProto) -> str | None:
    """Which version ``model`` has and which are read here, in words; None where its own is."""
    import onnxruntime as ort

    ir, opset = model.ir_version, opset_of(model)
    newest_ir = _newest(IR, lambda version: _trivial(version, OPSET))
    newest_opset = _newest(OPSET, lambda version: _trivial(IR, version))
    if ir <= newest_ir and opset <= newest_opset:
        return None
    return (
        f"IR version {ir} and opset {opset}, and ONNX Runtime {ort.__version__} reads IR versions"
        f" up to {newest_ir} and opsets up to {newest_opset}"
    )


def _newest(version: int, make: Callable[[int], onnx.ModelProto]) -> int:
    """The last version from ``version`` on whose model ONNX Runtime opens. Takes milliseconds."""
    while True:
        try:
            _open(make(version + 1))
        except Exception:  # the runtime's own exceptions share no base class
            return version
        version += 1


def _trivial(ir: int, opset: int) -> onnx.ModelProto:
    """A model of one operator that there always was."""
    source, target = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"
    )
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "trivial", [source], [target])
    opsets = [onnx.helper.make_opsetid("", opset)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=ir)


def _open(model: onnx.ModelProto) -> None:
    import onnxruntime as ort

    options = session_options(threads=1)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    # A failure is told by whoever asked, not by ONNX Runtime itself.
    options.log_severity_level = 4
    open_session(model.SerializeToString(), options)
