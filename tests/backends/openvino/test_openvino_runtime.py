"""Which cells OpenVINO runs, in which precision, and what its calls return."""

import numpy as np
import onnx
import pytest

from fqbench.backends import runtime
from fqbench.backends.openvino import runtime as openvino_runtime
from fqbench.backends.openvino.checking import check_graph
from fqbench.backends.openvino.executed import Node, layer_of
from fqbench.backends.openvino.mend import for_float16, write
from fqbench.backends.openvino.runtime import bare_call
from fqbench.backends.openvino.snippet import snippet
from fqbench.backends.snippet import SnippetRequest
from fqbench.errors import StepError
from fqbench.graph.executor import execute
from fqbench.graph.graph import Graph
from fqbench.hardware import HIDING
from tests.support.onnx_graphs import Net, anchors
from tests.support.openvino import needs_openvino


def supports(device, precision):
    return runtime("openvino").supports(device, precision)


@pytest.fixture
def flags(monkeypatch):
    for name in HIDING:
        monkeypatch.delenv(name, raising=False)

    def given(*names):
        monkeypatch.setattr(openvino_runtime, "instruction_sets", lambda: frozenset(names))

    return given


@pytest.mark.parametrize("precision", ["fp32", "int8", "int8_all", "int8_file"])
def test_float32_and_int8_run_on_every_cpu(precision, flags):
    flags()
    assert supports("cpu", precision) is None


def test_sixteen_bits_are_not_run_where_instruction_sets_are_hidden(flags, monkeypatch):
    """OpenVINO asks the CPU, which then hides them; Linux lists them all the same."""
    flags("avx512_bf16")
    monkeypatch.setenv("CPU_MASK", "avx2")
    assert supports("cpu", "bf16") == (
        "whether OpenVINO computes in BF16 is not known where CPU_MASK hides instruction sets"
    )
    assert supports("cpu", "int8") is None


@pytest.mark.parametrize(
    ("precision", "instructions", "text"),
    [("bf16", "avx512_bf16", "BF16"), ("fp16", "avx512_fp16", "FP16")],
)
def test_sixteen_bits_are_the_cpu_s_own(precision, instructions, text, flags):
    flags("avx2")
    assert f"no instructions for {text}" in supports("cpu", precision)
    flags("avx2", instructions)
    assert supports("cpu", precision) is None


def test_other_devices_and_precisions_are_told():
    assert "on the CPU only" in supports("gpu", "fp32")
    assert "do not know the precision int4" in supports("cpu", "int4")


@pytest.mark.parametrize(
    ("node", "wanted"),
    [
        (Node("a", "Convolution", "", "u8", ("conv1/WithoutBiases", "mul", "conv1")), "conv1"),
        (Node("a", "FullyConnected", "", "u8", ("gemm1_MatMul", "gemm1")), "gemm1"),
        (Node("a", "Convolution", "", "u8", ("Multiply_7", "conv1/Halved")), "conv1"),
        (Node("a", "Subgraph", "", "u8", ("conv1",)), None),
        (Node("a", "Convolution", "", "u8", ("other",)), None),
    ],
)
def test_a_node_is_told_by_the_operators_that_it_was_made_of(node, wanted):
    assert layer_of(node, {"conv1", "gemm1"}) == wanted


def model(side=8):
    net = Net(shape=(1, 3, side, side))
    return net, net.model(anchors(net, net.conv(net.silu(net.conv("x", 8)), 12, 1), 3, side))


@needs_openvino
class TestInstalled:
    def runner(self, folder, graph, precision="fp32"):
        onnx.save(graph, str(folder / "model.onnx"))
        return runtime("openvino").prepare(folder, device="cpu", precision=precision, threads=1)

    def test_float32_is_float32(self, tmp_path):
        net, graph = model()
        image = net.image()
        runner = self.runner(tmp_path, graph)
        (wanted,) = execute(graph, Graph(graph).outputs, fuse_pairs=False).run([image])
        np.testing.assert_allclose(runner.run([image])[0], wanted, rtol=1e-4, atol=1e-5)
        assert runner.int8_convolutions() == 0

    @pytest.mark.parametrize("precision", ["bf16", "fp16"])
    def test_sixteen_bits_are_less_exact(self, precision, tmp_path):
        if (reason := supports("cpu", precision)) is not None:
            pytest.skip(reason)
        net, graph = model()
        image = net.image()
        (wanted,) = execute(graph, Graph(graph).outputs, fuse_pairs=False).run([image])
        (found,) = self.runner(tmp_path, for_float16(graph, []), precision).run([image])
        error = np.abs(found - wanted).max()
        assert 1e-6 < error < 0.05

    def test_a_cpu_that_cannot_is_told_when_it_is_loaded(self, tmp_path, monkeypatch):
        monkeypatch.setitem(openvino_runtime.CAPABILITIES, "bf16", "SOME_OTHER")
        _, graph = model()
        with pytest.raises(StepError, match="no instructions for SOME_OTHER"):
            self.runner(tmp_path, graph, "bf16")

    def test_what_cannot_be_loaded_is_a_sentence(self, tmp_path):
        (tmp_path / "model.onnx").write_bytes(b"nothing")
        with pytest.raises(StepError, match="OpenVINO cannot load the model"):
            runtime("openvino").prepare(tmp_path, device="cpu", precision="fp32", threads=1)

    def test_outputs_are_the_caller_s_and_inputs_may_change(self, tmp_path):
        net, graph = model()
        runner = self.runner(tmp_path, graph)
        image, other = net.image(), net.image()
        first = runner.run([image])[0]
        kept = first.copy()
        second = runner.run([other])[0]
        assert np.array_equal(first, kept)
        assert not np.array_equal(second, first)
        # The same memory with other values.
        image[:] = other
        assert np.array_equal(runner.run([image])[0], second)
        turned = np.asfortranarray(other)
        assert np.array_equal(runner.run([turned])[0], second)

    def test_its_own_call_computes_the_same(self, tmp_path):
        net, graph = model()
        runner = self.runner(tmp_path, graph)
        image = net.image()
        (found,) = bare_call(runner, [image])().values()
        assert np.array_equal(found, runner.run([image])[0])

    def test_runners_run_side_by_side(self, tmp_path):
        from concurrent.futures import ThreadPoolExecutor

        net, graph = model()
        images = [net.image() for _ in range(16)]
        runners = [self.runner(tmp_path, graph) for _ in range(2)]
        wanted = [runners[0].run([image])[0] for image in images]
        with ThreadPoolExecutor(2) as pool:
            halves = [images[::2], images[1::2]]
            found = list(
                pool.map(
                    lambda pair: [pair[0].run([image])[0] for image in pair[1]],
                    zip(runners, halves, strict=True),
                )
            )
        for half, other in zip(found, (wanted[::2], wanted[1::2]), strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(half, other, strict=True))

    def test_a_graph_is_run_beside_its_source(self, tmp_path):
        net, graph = model()
        source = tmp_path / "source.onnx"
        onnx.save(graph, str(source))
        write(source, tmp_path)
        check_graph(graph, tmp_path, [[net.image()]])

    def test_a_graph_that_computes_something_else_is_refused(self, tmp_path):
        net, graph = model()
        onnx.save(graph, str(tmp_path / "model.onnx"))
        for tensor in graph.graph.initializer:
            if tensor.name == "w0":
                tensor.raw_data = (2 * np.frombuffer(tensor.raw_data, np.float32)).tobytes()
        with pytest.raises(StepError, match="computes something else"):
            check_graph(graph, tmp_path, [[net.image()]])


@pytest.mark.parametrize("name", ["model.onnx", "model.xml"])
def test_snippet_loads_the_file_that_is_there(name, tmp_path):
    (tmp_path / name).touch()
    text = snippet(SnippetRequest(tmp_path, "cpu", "int8_file", 1))
    assert f'folder / "{name}"' in text
