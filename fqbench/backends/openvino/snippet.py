"""How a user loads OpenVINO's models."""

from __future__ import annotations

from fqbench.backends.openvino.backend import HINTS, SETTINGS
from fqbench.backends.openvino.runtime import model_in
from fqbench.backends.snippet import SnippetRequest

_TEXT = """\
import openvino


def load(folder):
    settings = {{
{settings}    }}
    core = openvino.Core()
    model = core.compile_model(core.read_model(folder / "{model}"), "CPU", settings)
    request = model.create_infer_request()

    def run(inputs):
        for number, value in enumerate(inputs):
            request.set_input_tensor(number, openvino.Tensor(value))
        return [value.copy() for value in request.infer().values()]

    return run
"""


def snippet(request: SnippetRequest) -> str:
    """See ``fqbench.backends.snippet.WriteSnippet``."""
    settings: dict[str, str | int] = {
        **SETTINGS,
        "INFERENCE_PRECISION_HINT": HINTS.get(request.precision, "f32"),
        "INFERENCE_NUM_THREADS": request.threads,
        "NUM_STREAMS": 1,
    }
    lines = (f'        "{key}": {_literal(value)},\n' for key, value in settings.items())
    return _TEXT.format(settings="".join(lines), model=model_in(request.folder).name)


def _literal(value: str | int) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
