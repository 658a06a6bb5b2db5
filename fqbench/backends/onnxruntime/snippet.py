"""How a user loads ONNX Runtime's models."""

from __future__ import annotations

from fqbench.backends.snippet import SnippetRequest

_TEXT = """\
import onnxruntime


def load(folder):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = {threads}
    options.inter_op_num_threads = 1
{entries}    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"),
        options,
        providers={providers},
        # It would quantize weights of layers that are to stay in float.
        disabled_optimizers=["WeightBiasQuantization"],
    )
    names = [value.name for value in session.get_inputs()]
    return lambda inputs: session.run(None, dict(zip(names, inputs)))
"""

_FLOAT = """\
    # Quantize pairs of a float model only round.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
"""

_CPU = '["CPUExecutionProvider"]'
_GPU = '[("CUDAExecutionProvider", {"device_id": 0, "use_tf32": 0}), "CPUExecutionProvider"]'


def snippet(request: SnippetRequest) -> str:
    """See ``fqbench.backends.snippet.WriteSnippet``."""
    return _TEXT.format(
        threads=request.threads,
        entries=_FLOAT if request.precision == "fp32" else "",
        providers=_CPU if request.device == "cpu" else _GPU,
    )
