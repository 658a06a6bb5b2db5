"""How an engine is run, with stand-ins for CUDA and for TensorRT: no figure comes from them."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fqbench.backends import runtime
from fqbench.backends.base import Split
from fqbench.backends.cuda import CudaError
from fqbench.backends.tensorrt import inspect
from fqbench.backends.tensorrt.binding import Names
from fqbench.backends.tensorrt.library import Library
from fqbench.backends.tensorrt.log import listener
from fqbench.backends.tensorrt.session import Session
from fqbench.errors import StepError
from tests.support.cuda_stand_in import CudaStandIn, out_of_memory
from tests.support.tensorrt_stand_in import (
    Arrays,
    Failures,
    Mode,
    ModuleStandIn,
    Place,
    TensorStandIn,
)

RNG = np.random.default_rng(0)
IMAGE = RNG.normal(size=(1, 2, 3)).astype(np.float32)
SCALE = np.array([[2.0, 0.5]], np.float32)
NAMES = Names(("image", "scale"), ("boxes", "scores"))
TENSORS = (
    TensorStandIn("scale", (1, 2)),
    TensorStandIn("image", (1, 2, 3)),
    TensorStandIn("scores", (1,), np.int64, mode=Mode.OUTPUT),
    TensorStandIn("boxes", (1, 3), mode=Mode.OUTPUT),
)
"""In another order than the model's."""

FREE = (
    TensorStandIn("scale", (-1, 2), most=(8, 2)),
    TensorStandIn("image", (-1, 2, 3), most=(8, 2, 3)),
    TensorStandIn("scores", (-1,), np.int64, mode=Mode.OUTPUT),
    TensorStandIn("boxes", (-1, 3), mode=Mode.OUTPUT),
)


def function(given: Arrays) -> Arrays:
    boxes = np.einsum("nci,nc->ni", given["image"], given["scale"])
    return {"boxes": boxes, "scores": (10 * given["scale"].sum(axis=1)).astype(np.int64)}


def session(cuda: CudaStandIn, tensors=TENSORS, failures=None, **options) -> Session:
    module = ModuleStandIn(cuda, tensors, function, failures or Failures())
    return Session(module, "TensorRT", b"plan", cuda, **{"names": NAMES, **options})


def expected(*inputs: np.ndarray) -> list[np.ndarray]:
    found = function(dict(zip(NAMES.inputs, inputs, strict=True)))
    return [found[name] for name in NAMES.outputs]


def assert_equal(outputs, reference) -> None:
    assert [o.dtype for o in outputs] == [np.float32, np.int64]
    for output, value in zip(outputs, reference, strict=True):
        np.testing.assert_array_equal(output, value)


def test_tensors_are_told_apart_by_name():
    cuda = CudaStandIn()
    assert_equal(session(cuda).run([IMAGE, SCALE]), expected(IMAGE, SCALE))


def test_engine_without_names_keeps_its_order():
    outputs = session(CudaStandIn(), names=None).run([SCALE, IMAGE])
    np.testing.assert_array_equal(outputs[1], expected(IMAGE, SCALE)[0])


def test_outputs_are_not_overwritten_by_the_next_run():
    running = session(CudaStandIn())
    first = running.run([IMAGE, SCALE])
    running.run([IMAGE + 1, SCALE])
    running.close()
    assert_equal(first, expected(IMAGE, SCALE))


def test_inputs_need_not_be_contiguous():
    turned = np.asfortranarray(IMAGE)
    assert not turned.flags.c_contiguous
    assert_equal(session(CudaStandIn()).run([turned, SCALE]), expected(IMAGE, SCALE))


def test_everything_is_given_back():
    cuda = CudaStandIn()
    running = session(cuda)
    for _ in range(3):
        running.split([IMAGE, SCALE])
    assert cuda.held > 0
    running.close()
    running.close()
    assert cuda.held == 0
    with pytest.raises(StepError, match="was given back"):
        running.run([IMAGE, SCALE])


class TestGraph:
    def test_computation_is_recorded_behind_the_first_run(self):
        cuda = CudaStandIn()
        running = session(cuda)
        for number in range(4):
            image = IMAGE + number
            assert_equal(running.run([image, SCALE]), expected(image, SCALE))
            assert cuda.calls["launch"] == number
        assert cuda.calls["begin_capture"] == 1
        assert running.no_graph is None

    @pytest.mark.parametrize(
        ("cuda", "tensors", "options", "reason"),
        [
            (CudaStandIn(graphs=False), TENSORS, {}, "what CUDA is called through records none"),
            (CudaStandIn(), FREE, {}, "sizes of the inputs are free"),
            (CudaStandIn(), TENSORS, {"graphs": False}, "none was asked for"),
            (
                CudaStandIn(),
                TENSORS,
                {"failures": Failures(capturable=False)},
                "TensorRT cannot record this engine",
            ),
            (
                CudaStandIn(("begin_capture", 0)),
                TENSORS,
                {},
                "recording it failed (cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS)",
            ),
            (
                CudaStandIn(("end_capture", 0)),
                TENSORS,
                {},
                "recording it failed (cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS)",
            ),
            (
                CudaStandIn(),
                TENSORS,
                {"failures": Failures(("no stream for this",), run_at=1)},
                "recording it failed (no stream for this)",
            ),
        ],
    )
    def test_without_one_the_engine_runs_all_the_same(self, cuda, tensors, options, reason):
        running = session(cuda, tensors, **options)
        for number in range(3):
            image = IMAGE + number
            assert_equal(running.run([image, SCALE]), expected(image, SCALE))
        assert running.no_graph == reason
        assert cuda.calls["launch"] == 0
        running.close()
        assert cuda.held == 0


class TestSplit:
    def test_parts_are_between_events(self):
        # By the stand-in's clock: a copy to it takes 1, computing 2, a copy back 4.
        running = session(CudaStandIn())
        for _ in range(3):
            found = running.split([IMAGE, SCALE])
            assert found == Split(2.0, 2.0, 8.0)
            assert found.total == 12.0

    def test_it_is_the_same_computation(self):
        cuda = CudaStandIn()
        running = session(cuda)
        running.split([IMAGE, SCALE])
        assert_equal(running.run([IMAGE, SCALE]), expected(IMAGE, SCALE))
        running.split([IMAGE, SCALE])
        assert (cuda.calls["launch"], cuda.calls["event"]) == (2, 4)


class TestFreeSizes:
    def test_memory_grows_and_is_kept(self):
        cuda = CudaStandIn()
        running = session(cuda, FREE)
        made = []
        for batch in (2, 1, 2, 5, 3):
            image, scale = np.repeat(IMAGE, batch, 0), np.repeat(SCALE, batch, 0)
            image += np.arange(batch)[:, None, None]
            assert_equal(running.run([image, scale]), expected(image, scale))
            made.append(cuda.calls["allocate"])
        assert made == [4, 4, 4, 8, 8]
        assert len(cuda.memory) == len(cuda.pinned) == 4
        running.close()
        assert cuda.held == 0

    def test_shape_outside_the_engine_is_told_and_harmless(self):
        running = session(CudaStandIn(), FREE)
        with pytest.raises(StepError) as caught:
            running.run([np.repeat(IMAGE, 9, 0), np.repeat(SCALE, 9, 0)])
        assert str(caught.value) == (
            "the engine was built for input 'image' from 1x1x1 to 8x2x3, but was given 9x2x3"
        )
        assert_equal(running.run([IMAGE, SCALE]), expected(IMAGE, SCALE))

    def test_size_that_depends_on_the_image(self):
        tensors = (*FREE, TensorStandIn("kept", (-1,), mode=Mode.OUTPUT, depends=True))
        names = Names(NAMES.inputs, (*NAMES.outputs, "kept"))
        cuda = CudaStandIn()
        with pytest.raises(StepError, match="size of tensor 'kept' depends on the image"):
            session(cuda, tensors, names=names).run([IMAGE, SCALE])
        assert cuda.held == 0


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ([IMAGE], "the engine takes 2 inputs, not 1"),
        (
            [IMAGE.astype(np.float64), SCALE],
            "input 'image' of the engine is float32, but was given float64",
        ),
        (
            [IMAGE, SCALE[0]],
            "input 'scale' of the engine has the shape 1x2, but was given 2",
        ),
        (
            [SCALE, IMAGE],
            "input 'image' of the engine has the shape 1x2x3, but was given 1x2",
        ),
    ],
)
def test_input_that_does_not_fit_is_told_and_harmless(inputs, sentence):
    running = session(CudaStandIn())
    with pytest.raises(StepError) as caught:
        running.run(inputs)
    assert str(caught.value) == sentence
    assert_equal(running.run([IMAGE, SCALE]), expected(IMAGE, SCALE))


class TestEngineThatDoesNotLoad:
    @pytest.mark.parametrize(
        ("errors", "meaning"),
        [
            (
                [
                    "IRuntime::deserializeCudaEngine: Error Code 6: API Usage Error (The engine "
                    "plan file is generated on an incompatible device, expecting compute 8.9 got "
                    "compute 8.6, please rebuild.)"
                ],
                "was built for another GPU: build it again on this machine",
            ),
            (
                [
                    "Error Code 1: Serialization (Serialization assertion stdVersionRead == "
                    "serializationVersion failed.Version tag does not match. Note: Current "
                    "Version: 239, Serialized Engine Version: 236)",
                    "Error Code 4: Internal Error (Engine deserialization failed.)",
                ],
                "was built by another version of the library: build it again on this machine",
            ),
            (
                [
                    "Error Code 1: Serialization (Serialization assertion magicTagRead == "
                    "kMAGIC_TAG failed.Magic tag does not match)",
                    "Error Code 4: Internal Error (Engine deserialization failed.)",
                ],
                "is damaged, or of another version: build it again on this machine",
            ),
            (
                [
                    "IRuntime::deserializeCudaEngine: Error Code 1: Cuda Runtime (In "
                    "ScopedCudaStream at cudaResources.cpp:25 (cudaError 35: CUDA driver version "
                    "is insufficient for CUDA runtime version))"
                ],
                "cannot be put on this GPU: see what nvidia-smi says",
            ),
            ([], "is damaged, or no engine: build it again on this machine"),
        ],
        ids=["other GPU", "other version", "damaged", "broken GPU", "silent"],
    )
    def test_library_says_why(self, errors, meaning):
        cuda = CudaStandIn()
        with pytest.raises(StepError) as caught:
            session(cuda, failures=Failures(tuple(errors), deserialize=True))
        assert str(caught.value).startswith(f"the engine {meaning}")
        assert (errors[0] if errors else "TensorRT: no reason")[:80] in str(caught.value)
        assert "warning" not in str(caught.value)
        assert cuda.held == 0

    def test_no_gpu(self):
        failures = Failures(("CUDA initialization failure with error: 100",), start=True)
        with pytest.raises(StepError) as caught:
            session(CudaStandIn(), failures=failures)
        assert str(caught.value) == (
            "TensorRT does not start on this GPU (CUDA initialization failure with error: 100): "
            "see what nvidia-smi says"
        )

    def test_no_memory_for_the_context(self):
        cuda = CudaStandIn()
        with pytest.raises(StepError, match="cannot make the engine ready to run"):
            session(cuda, failures=Failures(("Requested amount of GPU memory",), context=True))
        assert cuda.held == 0

    @pytest.mark.parametrize(
        ("tensors", "names", "sentence"),
        [
            (
                TENSORS,
                Names(("image",), NAMES.outputs),
                "the engine has the inputs scale, image, where the model has image: build it "
                "again on this machine",
            ),
            (
                TENSORS,
                Names(NAMES.inputs, ("boxes", "labels")),
                "the engine has the outputs scores, boxes, where the model has boxes, labels: "
                "build it again on this machine",
            ),
            (
                (TensorStandIn("size", (2,), np.int64, place=Place.HOST),),
                None,
                "tensor 'size' of the engine tells a shape, not an image: export the model with "
                "fixed shapes",
            ),
            (
                (TensorStandIn("x", (2,), "bfloat16"),),
                None,
                "tensor 'x' of the engine is of a type that NumPy lacks: export the model with "
                "float32 inputs and outputs",
            ),
        ],
    )
    def test_other_tensors(self, tensors, names, sentence):
        cuda = CudaStandIn()
        with pytest.raises(StepError) as caught:
            session(cuda, tensors, names=names)
        assert str(caught.value) == sentence
        assert cuda.held == 0


def test_errors_are_kept_to_a_bound():
    log = listener(ModuleStandIn)
    for number in range(1000):
        log.log(log.ERROR, f"error {number}")
        log.log(log.WARNING, "a warning")
    assert log.errors == [f"error {n}" for n in (*range(10), *range(990, 1000))]


class TestFailure:
    def test_no_memory_of_the_gpu(self):
        cuda = CudaStandIn(("allocate", 1), out_of_memory())
        with pytest.raises(StepError) as caught:
            session(cuda)
        assert str(caught.value) == (
            "0.0 MiB more of the GPU's memory are not free (cuMemAlloc: "
            "CUDA_ERROR_OUT_OF_MEMORY): end what else uses the GPU, or take a smaller batch"
        )
        assert cuda.held == 0

    def test_no_memory_to_pin(self):
        cuda = CudaStandIn(("pin", 2), out_of_memory("cuMemHostAlloc"))
        with pytest.raises(StepError, match=r"host's memory cannot be pinned .*ulimit -l"):
            session(cuda)
        assert cuda.held == 0

    def test_no_memory_to_grow(self):
        cuda = CudaStandIn(("allocate", 5), out_of_memory())
        running = session(cuda, FREE)
        running.run([IMAGE, SCALE])
        with pytest.raises(StepError, match="GPU's memory are not free"):
            running.run([np.repeat(IMAGE, 4, 0), np.repeat(SCALE, 4, 0)])
        assert cuda.held == 0

    def test_run_that_is_refused(self):
        cuda = CudaStandIn()
        running = session(cuda, failures=Failures(("Error Code 3: no",), run_at=0))
        with pytest.raises(StepError) as caught:
            running.run([IMAGE, SCALE])
        assert str(caught.value) == (
            "TensorRT does not run the engine (Error Code 3: no): build it again on this machine"
        )
        assert cuda.held == 0

    @pytest.mark.parametrize(
        ("failures", "start"),
        [
            (Failures(("not so large",), shape=True), "TensorRT does not take input 'image'"),
            (Failures(("unaligned",), address=True), "TensorRT does not take memory for tensor"),
        ],
    )
    def test_what_else_tensorrt_refuses(self, failures, start):
        cuda = CudaStandIn()
        with pytest.raises(StepError, match=f"^{start}.*{failures.errors[0]}"):
            session(cuda, FREE, failures).run([IMAGE, SCALE])
        assert cuda.held == 0

    def test_broken_gpu(self):
        cuda = CudaStandIn(("synchronize", 1), sticky=True)
        running = session(cuda)
        running.run([IMAGE, SCALE])
        with pytest.raises(StepError) as caught:
            running.run([IMAGE, SCALE])
        assert str(caught.value) == (
            "the GPU failed while the engine ran (cuStreamSynchronize: "
            "CUDA_ERROR_ILLEGAL_ADDRESS): run it again, and if it fails again, look for Xid in "
            "the driver's log (dmesg)"
        )
        assert cuda.held == 0
        with pytest.raises(StepError, match="was given back"):
            running.run([IMAGE, SCALE])


class TestKernels:
    """Of TensorRT for RTX, which compiles them when it makes an engine ready."""

    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "kernels" / "engine.cache"

    def use(self, path, failures=None, compiles: bytes | None = b"kernels") -> ModuleStandIn:
        """Run as a process does; the module tells what it compiled."""
        cuda = CudaStandIn()
        module = ModuleStandIn(cuda, TENSORS, function, failures or Failures(), compiles=compiles)
        running = Session(module, "TensorRT for RTX", b"plan", cuda, names=NAMES, kernels=path)
        for _ in range(3):
            assert_equal(running.run([IMAGE, SCALE]), expected(IMAGE, SCALE))
        running.close()
        assert cuda.held == 0
        return module

    def test_they_are_compiled_once(self, path):
        assert [self.use(path).compiled for _ in range(3)] == [1, 0, 0]
        assert path.read_bytes() == b"kernels"
        assert list(path.parent.iterdir()) == [path]

    @pytest.mark.parametrize("stored", [b"of another driver", b""])
    def test_those_that_do_not_fit_are_replaced(self, path, stored):
        path.parent.mkdir()
        path.write_bytes(stored)
        assert [self.use(path).compiled for _ in range(2)] == [1, 0]
        assert path.read_bytes() == b"kernels"

    def test_those_that_are_there_are_not_written_again(self, path):
        self.use(path)
        before = path.stat()
        self.use(path)
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (
            before.st_ino,
            before.st_mtime_ns,
        )

    @pytest.mark.parametrize("first", ["run", "split"])
    def test_they_are_there_behind_the_first_run(self, path, first):
        cuda = CudaStandIn()
        module = ModuleStandIn(cuda, TENSORS, function, compiles=b"kernels")
        running = Session(module, "TensorRT for RTX", b"plan", cuda, names=NAMES, kernels=path)
        assert not path.exists()
        getattr(running, first)([IMAGE, SCALE])
        assert path.read_bytes() == b"kernels"

    @pytest.mark.parametrize(
        "call", ["lacking", "deserialize", "set", "arguments", "context", "serialize"]
    )
    def test_engine_runs_without_what_the_library_refuses(self, path, call):
        path.parent.mkdir()
        path.write_bytes(b"kernels of another GPU")
        assert self.use(path, Failures(kernels=call)).compiled == 1
        assert path.read_bytes() in (b"kernels of another GPU", b"kernels")

    def test_engine_runs_where_they_cannot_be_written(self, path):
        path.parent.write_text("a file where the folder is to be")
        assert self.use(path).compiled == 1

    def test_library_that_compiles_none_keeps_none(self, path):
        self.use(path, compiles=None)
        assert not path.parent.exists()

    def test_nothing_is_kept_where_no_file_is_named(self, path):
        assert [self.use(None).compiled for _ in range(2)] == [1, 1]


class TestPrepare:
    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "model.engine").write_bytes(b"plan")
        names = {"inputs": NAMES.inputs, "outputs": NAMES.outputs}
        (tmp_path / "bindings.json").write_text(json.dumps(names))
        inspect.write(tmp_path, {"conv1": "int8", "conv2": "fp16", "head": "int8"}, ())
        return tmp_path

    @pytest.fixture
    def cuda(self, monkeypatch):
        stand_in = CudaStandIn()
        monkeypatch.setattr("fqbench.backends.cuda.open_cuda", lambda: stand_in)
        return stand_in

    @pytest.mark.parametrize("name", ["tensorrt", "tensorrt_rtx"])
    def test_folder_of_an_artifact_is_all_it_takes(self, name, folder, cuda, monkeypatch):
        module = ModuleStandIn(cuda, TENSORS, function)
        monkeypatch.setattr(Library, "load", lambda self: module)
        runner = runtime(name).prepare(folder, device="gpu", precision="int8", threads=1)
        assert_equal(runner.run([IMAGE, SCALE]), expected(IMAGE, SCALE))
        assert runner.int8_convolutions() == 2
        assert runner.split([IMAGE, SCALE]).total == 12.0

    @pytest.mark.parametrize(("name", "kept"), [("tensorrt", 0), ("tensorrt_rtx", 1)])
    def test_kernels_are_kept_beside_the_artifacts(
        self, name, kept, folder, cuda, monkeypatch, tmp_path_factory
    ):
        root = tmp_path_factory.mktemp("cache")
        monkeypatch.setenv("FQBENCH_CACHE", str(root))
        before = sorted(folder.iterdir())
        module = ModuleStandIn(cuda, TENSORS, function, compiles=b"kernels")
        monkeypatch.setattr(Library, "load", lambda self: module)
        runner = runtime(name).prepare(folder, device="gpu", precision="int8", threads=1)
        runner.run([IMAGE, SCALE])
        found = [path for path in root.rglob("*") if path.is_file()]
        assert [path.read_bytes() for path in found] == [b"kernels"] * kept
        # Named by the engine's bytes.
        digest = hashlib.sha256(b"plan").hexdigest()
        assert found == [root / "kernels" / f"{digest}.cache"] * kept
        assert sorted(folder.iterdir()) == before

    @pytest.mark.parametrize(
        "failures",
        [
            Failures(("expecting compute capability 8.9",), deserialize=True),
            Failures(("Version tag does not match",), deserialize=True),
            Failures(deserialize=True),
            Failures(("Error Code 3: no",), run_at=0),
        ],
        ids=["other GPU", "other version", "damaged", "refused"],
    )
    def test_what_is_wrong_with_a_stored_engine_is_mended_by_deleting_it(
        self, failures, folder, cuda, monkeypatch
    ):
        module = ModuleStandIn(cuda, TENSORS, function, failures)
        monkeypatch.setattr(Library, "load", lambda self: module)
        with pytest.raises(StepError) as caught:
            runtime("tensorrt").prepare(folder, device="gpu", precision="int8", threads=1).run(
                [IMAGE, SCALE]
            )
        advice = f": delete the folder {folder}, and the next run builds it again"
        assert advice in str(caught.value)
        assert cuda.held == 0

    def test_library_that_does_not_load_takes_no_gpu(self, folder, cuda, monkeypatch):
        def load(self):
            raise StepError("TensorRT is installed but cannot be imported")

        monkeypatch.setattr(Library, "load", load)
        with pytest.raises(StepError, match="cannot be imported"):
            runtime("tensorrt").prepare(folder, device="gpu", precision="fp32", threads=1)
        assert cuda.calls.total() == 0


def _use(cuda: CudaStandIn, tensors) -> None:
    """All that a session does: it is made, runs, splits, changes shapes where it can, is closed."""
    running = session(cuda, tensors)
    for batch in (1, 1, 3) if tensors is FREE else (1, 1, 1):
        running.run([np.repeat(IMAGE, batch, 0), np.repeat(SCALE, batch, 0)])
        running.split([np.repeat(IMAGE, batch, 0), np.repeat(SCALE, batch, 0)])
    running.close()


def _calls(tensors) -> int:
    cuda = CudaStandIn()
    _use(cuda, tensors)
    assert cuda.held == 0
    return cuda.calls.total()


@pytest.mark.parametrize("tensors", [TENSORS, FREE], ids=["fixed", "free"])
@given(data=st.data(), sticky=st.booleans(), short=st.booleans())
def test_whichever_call_fails_everything_is_given_back(tensors, data, sticky, short):
    at = data.draw(st.integers(0, _calls(tensors) - 1))
    error = out_of_memory() if short else CudaError("CUDA_ERROR_UNKNOWN", "cuSomething")
    cuda = CudaStandIn(at, error, sticky=sticky)
    said = None
    try:
        _use(cuda, tensors)
    except StepError as told:
        said = str(told)
    # What gives back and what records a graph may fail, and is done without.
    assert said is None or (error.code in said and "\n" not in said)
    assert cuda.held == 0
    assert cuda.calls["close"] == 1
