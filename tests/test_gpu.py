"""Engines on a real GPU; skipped, with the reason that was found, where none can run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from fqbench.cells import Cell
from fqbench.isolate.parent import _run, _Watch
from tests.support.onnx_graphs import Net

pytestmark = pytest.mark.gpu

INPUTS, SHAPE, IMAGES = ("x",), (1, 3, 32, 32), 5
BATCHES = (1, 4, 2)


@pytest.fixture(params=["tensorrt", "tensorrt_rtx"])
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    reason = Cell("any", name, "gpu", "fp32").unsupported
    if reason is not None:
        pytest.skip(reason)
    return name


@pytest.fixture
def network(tmp_path: Path) -> onnx.ModelProto:
    net = Net(shape=SHAPE)
    first = net.node("Relu", net.conv("x", 16))
    wide = net.node("Relu", net.conv(first, 16))
    summed = net.node("Add", first, wide)
    outputs = [net.conv(summed, 8), net.node("GlobalAveragePool", summed)]
    made = net.model(*outputs)
    onnx.save(made, str(tmp_path / "model.onnx"))
    images = np.random.default_rng(1).normal(size=(IMAGES, *SHAPE)).astype(np.float32)
    np.save(tmp_path / "images.npy", images)
    return made


def _on_gpu(function: str, folder: Path, backend: str, network: onnx.ModelProto):
    arguments = {
        "folder": str(folder),
        "backend": backend,
        "inputs": list(INPUTS),
        "batches": list(BATCHES),
        "outputs": [output.name for output in network.graph.output],
    }
    return _run(
        f"tests.support.gpu_functions:{function}", arguments, {}, _Watch(function, timeout_s=300)
    )


def test_engine_computes_what_float32_is(
    backend: str, network: onnx.ModelProto, tmp_path: Path
) -> None:
    told = _on_gpu("run_engine", tmp_path, backend, network)
    session = ort.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
    reference = [session.run(None, {"x": image}) for image in np.load(tmp_path / "images.npy")]
    for number, output in enumerate(network.graph.output):
        plain, graph = (
            np.load(tmp_path / f"{way}_{output.name}.npy") for way in ("plain", "graph")
        )
        np.testing.assert_array_equal(plain, graph)
        wanted = np.stack([outputs[number] for outputs in reference])
        # TF32 would be off by about 1e-3.
        np.testing.assert_allclose(plain, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())
    assert told["plain"]["no_graph"] == "none was asked for"
    # Releases of pycuda record no graphs.
    assert told["graph"]["no_graph"] in (None, "what CUDA is called through records none")
    for way in told.values():
        for *parts, total in way["splits"]:
            assert all(0 < part < 1000 for part in parts)
            assert total == pytest.approx(sum(parts))


def test_sizes_may_change_from_run_to_run(
    backend: str, network: onnx.ModelProto, tmp_path: Path
) -> None:
    for value in (*network.graph.input, *network.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.save(network, str(tmp_path / "model.onnx"))
    assert _on_gpu("run_batches", tmp_path, backend, network) == "sizes of the inputs are free"
    images = np.load(tmp_path / "images.npy")
    session = ort.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch in BATCHES:
        wanted = session.run(None, {"x": images[:batch, 0]})
        for output, value in zip(network.graph.output, wanted, strict=True):
            found = np.load(tmp_path / f"{batch}_{output.name}.npy")
            np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-5 * np.abs(value).max())


def test_broken_engine_is_refused(backend: str, network: onnx.ModelProto, tmp_path: Path) -> None:
    for said in _on_gpu("load_broken", tmp_path, backend, network):
        assert said is not None
        assert said.startswith("the engine ")
