"""How a user loads Paddle Inference's models."""

from __future__ import annotations

from fqbench.backends.paddle.backend import INT8_OPERATORS
from fqbench.backends.snippet import SnippetRequest

_TEXT = """\
import os

# Paddle 3 would read programs into a representation that its INT8 passes do not know.
os.environ.setdefault("FLAGS_enable_pir_api", "0")
import paddle
import paddle.inference


def load(folder):
    # It must be run by the thread that loads it.
    paddle.disable_signal_handler()
    config = paddle.inference.Config(
        str(folder / "model.pdmodel"), str(folder / "model.pdiparams")
    )
    config.disable_gpu()
    config.disable_glog_info()
    config.set_cpu_math_library_num_threads({threads})
    config.enable_mkldnn()
    config.set_mkldnn_cache_capacity(10)
    config.switch_ir_optim(True)
    config.enable_memory_optim()
{int8}    predictor = paddle.inference.create_predictor(config)
    sources = [predictor.get_input_handle(name) for name in predictor.get_input_names()]
    targets = [predictor.get_output_handle(name) for name in predictor.get_output_names()]

    def run(inputs):
        for handle, value in zip(sources, inputs):
            handle.copy_from_cpu(value)
        predictor.run()
        return [handle.copy_to_cpu() for handle in targets]

    return run
"""


def snippet(request: SnippetRequest) -> str:
    """See ``fqbench.backends.snippet.WriteSnippet``."""
    operators = sorted(INT8_OPERATORS.get(request.precision, ()))
    listed = ", ".join(f'"{name}"' for name in operators)
    int8 = f"    config.enable_mkldnn_int8({{{listed}}})\n" if operators else ""
    return _TEXT.format(threads=request.threads, int8=int8)
