"""The matrix and what a selection takes of it."""

import pytest

from fqbench.cells import Cell, Selection, matrix
from fqbench.environments import Missing, here
from fqbench.errors import UsageError

MODELS = ("one", "two")


@pytest.fixture(autouse=True)
def _paddle_is_there_and_openvino_is_not(monkeypatch):
    def found(name):
        return Missing(name, "it is not here") if name == "openvino" else here()

    monkeypatch.setattr("fqbench.cells.find", found)


def ids(cells) -> list[str]:
    return [cell.id for cell in cells]


def test_id_names_every_dimension():
    assert Cell("yolov5s", "onnxruntime", "cpu", "int8").id == "yolov5s-onnxruntime-cpu-int8"


def test_matrix_is_in_the_order_model_backend_device_precision():
    assert ids(matrix(["one"])) == [
        f"one-{backend}-{device}-{precision}"
        for backend in ("onnxruntime", "openvino", "paddle", "tensorrt", "tensorrt_rtx")
        for device in ("cpu", "gpu")
        for precision in ("fp32", "bf16", "fp16", "int8")
    ]


def test_matrix_takes_one_model_after_the_other():
    assert [cell.model for cell in matrix(MODELS)] == ["one"] * 40 + ["two"] * 40
    assert matrix([]) == ()


def test_ids_are_unique():
    assert len(set(ids(matrix(MODELS)))) == 80


def test_default_is_all_that_runs_and_nothing_else():
    cells = Selection().cells(["one"])
    assert ids(cells) == [
        "one-onnxruntime-cpu-fp32",
        "one-onnxruntime-cpu-int8",
        "one-paddle-cpu-fp32",
        "one-paddle-cpu-int8",
    ]
    assert all(cell.unsupported is None for cell in cells)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (
            Selection(backends=("tensorrt",)),
            [
                "one-tensorrt-cpu-fp32",
                "one-tensorrt-cpu-bf16",
                "one-tensorrt-cpu-fp16",
                "one-tensorrt-cpu-int8",
                "one-tensorrt-gpu-fp32",
                "one-tensorrt-gpu-bf16",
                "one-tensorrt-gpu-fp16",
                "one-tensorrt-gpu-int8",
            ],
        ),
        (
            Selection(backends=("tensorrt", "paddle"), precisions=("int8",)),
            ["one-paddle-cpu-int8", "one-tensorrt-cpu-int8", "one-tensorrt-gpu-int8"],
        ),
        (
            Selection(backends=("paddle",), devices=("gpu",)),
            [f"one-paddle-gpu-{name}" for name in ("fp32", "bf16", "fp16", "int8")],
        ),
        (
            Selection(backends=("paddle",), devices=("cpu", "gpu"), precisions=("fp32",)),
            ["one-paddle-cpu-fp32", "one-paddle-gpu-fp32"],
        ),
        (Selection(backends=("paddle",), precisions=("int8",)), ["one-paddle-cpu-int8"]),
        (
            Selection(backends=("paddle",), devices=("cpu",), precisions=("fp16", "int8")),
            ["one-paddle-cpu-fp16", "one-paddle-cpu-int8"],
        ),
        (
            Selection(devices=("cpu",), precisions=("fp32",)),
            ["one-onnxruntime-cpu-fp32", "one-paddle-cpu-fp32"],
        ),
        (Selection(models=("two",), backends=("paddle",), precisions=("fp32",)), None),
    ],
)
def test_unsupported_cells_are_there_where_nothing_named_runs(selection, expected):
    found = ids(selection.cells(MODELS if selection.models else ["one"]))
    assert found == (expected or ["two-paddle-cpu-fp32"])


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("fqbench.cells.find", lambda name: Missing(name, "run 'fqbench env make'"))
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None)
    (cell,) = Selection(backends=("paddle",), devices=("cpu",), precisions=("int8",)).cells(["one"])
    assert cell.unsupported == "run 'fqbench env make'"
    assert Cell("one", "onnxruntime", "cpu", "int8").unsupported == (
        "the package onnxruntime is not installed: pip install 'onnxruntime'"
    )


def test_unsupported_cells_say_why():
    cells = Selection(backends=("tensorrt",), devices=("cpu",)).cells(["one"])
    assert {cell.unsupported for cell in cells} == {"TensorRT runs on NVIDIA GPUs only"}


def test_order_and_repetition_of_names_do_not_matter():
    named = Selection(
        models=("two", "one", "two"),
        backends=("paddle", "onnxruntime"),
        precisions=("int8", "fp32", "int8"),
    )
    assert named.cells(MODELS) == Selection().cells(MODELS)


@pytest.mark.parametrize(
    ("selection", "sentence"),
    [
        (Selection(models=("three",)), "there is no model 'three': the models are one, two"),
        (
            Selection(backends=("paddle", "tvm")),
            "there is no backend 'tvm': the backends are onnxruntime, openvino, paddle, tensorrt, "
            "tensorrt_rtx",
        ),
        (Selection(devices=("tpu",)), "there is no device 'tpu': the devices are cpu, gpu"),
        (
            Selection(precisions=("int4",)),
            "there is no precision 'int4': the precisions are fp32, bf16, fp16, int8",
        ),
    ],
)
def test_unknown_name_is_one_sentence(selection, sentence):
    with pytest.raises(UsageError) as caught:
        selection.cells(MODELS)
    assert str(caught.value) == sentence


def test_versions_of_a_backend_stand_next_to_each_other_in_the_order_they_are_named():
    named = ("onnxruntime==1.32.0", "paddle", "onnxruntime==1.23.2", "onnxruntime")
    cells = Selection(backends=named, devices=("cpu",), precisions=("fp32",)).cells(["one"])
    assert ids(cells) == [
        "one-onnxruntime==1.32.0-cpu-fp32",
        "one-onnxruntime==1.23.2-cpu-fp32",
        "one-onnxruntime-cpu-fp32",
        "one-paddle-cpu-fp32",
    ]


def test_version_of_what_is_no_backend_is_named():
    with pytest.raises(UsageError, match=r"there is no backend 'none==1\.0'"):
        Selection(backends=("none==1.0",)).check()


def test_versions_run_on_the_cpu_only():
    (cell,) = Selection(
        backends=("onnxruntime==1.23.2",), devices=("gpu",), precisions=("fp32",)
    ).cells(["one"])
    assert cell.unsupported is not None


def test_methods_stand_beside_each_other():
    selection = Selection(
        backends=("onnxruntime",), precisions=("fp32", "int8"), methods=("offline", "nncf", "nncf")
    )
    selection.check()
    assert ids(selection.cells(["one"])) == [
        "one-onnxruntime-cpu-fp32",
        "one-onnxruntime-cpu-int8",
        "one-onnxruntime-cpu-int8@nncf",
    ]


def test_without_the_default_method_every_cell_names_its_own():
    selection = Selection(backends=("onnxruntime",), precisions=("int8",), methods=("ort_static",))
    assert ids(selection.cells(["one"])) == ["one-onnxruntime-cpu-int8@ort_static"]


def test_a_method_that_is_not_there_is_named():
    with pytest.raises(UsageError, match="there is no method 'given': the methods are offline"):
        Selection(methods=("given",)).check()


def test_all_are_compared_with_the_same_baseline():
    fp32 = Cell("one", "onnxruntime", "cpu", "fp32")
    assert Cell("one", "onnxruntime", "cpu", "int8", "nncf").baseline == fp32
    assert fp32.baseline == fp32
