"""What a session makes of the real library's answers: TensorRT for RTX loads without a GPU."""

from __future__ import annotations

import pytest

from fqbench.backends.nvidia import why_no_gpu
from fqbench.backends.tensorrt.library import TENSORRT_RTX
from fqbench.isolate.parent import _run, _Watch

pytestmark = pytest.mark.skipif(
    TENSORRT_RTX.missing() is not None, reason=str(TENSORRT_RTX.missing())
)


def _in_child(function: str, **arguments):
    return _run(
        f"tests.support.rtx_functions:{function}", arguments, {}, _Watch(function, timeout_s=300)
    )


def test_all_that_a_session_calls_is_there():
    assert _in_child("lacking") == []


def test_engine_that_cannot_be_loaded_is_refused():
    without_gpu = why_no_gpu() is not None
    said = _in_child("refusals", whole=without_gpu)
    damaged = "the engine is damaged, or of another version: build it again on this machine"
    for name in ("cut", "overwritten", "empty"):
        sentence, held = said[name]
        assert sentence.startswith(f"{damaged} (TensorRT for RTX: "), name
        assert held == 0
    if without_gpu:
        assert said["whole"][0].startswith(
            "the engine cannot be put on this GPU: see what nvidia-smi says"
        )
        assert said["whole"][1] == 0
