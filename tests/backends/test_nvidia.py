"""Which GPU there is, or why there is none; with a stand-in for NVML, and on this machine."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fqbench.backends import nvidia
from fqbench.backends.nvidia import Conditions, Gpu, NoGpu, probe, read_conditions
from tests.support.nvml_stand_in import Card, NvmlStandIn

RTX = Card()
H200 = Card("NVIDIA H200", "GPU-11111111-2222", (9, 0), 141 << 30, parts=("MIG-5e0a",))
T4 = Card(b"Tesla T4", "GPU-11122222-3333", (7, 5), 15 << 30)
SOME = (RTX, H200, T4)


def test_gpu_is_what_the_driver_tells():
    nvml = NvmlStandIn(driver=b"550.54.15", cuda=12040)
    assert probe(nvml, None) == Gpu(
        "NVIDIA GeForce RTX 4090", (8, 9), "550.54.15", (12, 4), 24 * 1024
    )
    assert nvml.open == 0


def test_gpu_that_shares_the_memory_of_the_host_tells_none():
    shared = NvmlStandIn((Card("NVIDIA GB10", capability=(12, 1)),), unknown=frozenset(["memory"]))
    assert probe(shared, None) == Gpu("NVIDIA GB10", (12, 1), "580.65.06", (13, 0), None)
    assert shared.open == 0


@pytest.mark.parametrize(
    ("visible", "card"),
    [
        (None, RTX),
        ("0", RTX),
        ("2", T4),
        (" 1 , 0", H200),
        ("1,0,7", H200),
        ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", RTX),
        ("GPU-1112", T4),
        ("GPU-11111,0", H200),
    ],
)
def test_first_visible_gpu_is_the_gpu(visible, card):
    name = card.name.decode() if isinstance(card.name, bytes) else card.name
    found = probe(NvmlStandIn(SOME), visible)
    assert (found.name, found.capability) == (name, card.capability)


def test_part_of_a_gpu_has_the_capability_of_the_whole():
    found = probe(NvmlStandIn(SOME), "MIG-5e0a")
    assert found == Gpu("NVIDIA H200 MIG 1g.10gb", (9, 0), "580.65.06", (13, 0), 10 * 1024)


@pytest.mark.parametrize(
    "visible", ["", "-1", "3", "-1,0", "GPU-111", "GPU-9", "MIG-nope", "all", "none", "0x1", "1.0"]
)
def test_hidden_gpus_are_told(visible):
    nvml = NvmlStandIn(SOME)
    with pytest.raises(NoGpu) as caught:
        probe(nvml, visible)
    assert str(caught.value) == (
        f"CUDA_VISIBLE_DEVICES={visible!r} hides every GPU of this machine (3): unset it, or name "
        "one that nvidia-smi -L lists"
    )
    assert nvml.open == 0


@given(st.text())
def test_any_text_names_a_gpu_or_is_told(visible):
    try:
        said = probe(NvmlStandIn((RTX,)), visible).name
    except NoGpu as error:
        said = str(error)
    assert said == RTX.name or ("hides every GPU" in said and "\n" not in said)


@pytest.mark.parametrize(
    ("nvml", "start"),
    [
        (NvmlStandIn(start=12), "there is no NVIDIA driver"),
        (NvmlStandIn(start=9), "the NVIDIA driver is installed but not loaded"),
        (NvmlStandIn(start=18), "the NVIDIA driver and its libraries are of different versions"),
        (NvmlStandIn(start=4), "this user may not use the NVIDIA driver"),
        (NvmlStandIn(start=15), "the NVIDIA GPU fell off the bus"),
        (NvmlStandIn(start=999), "the NVIDIA driver does not answer (NVML: error 999)"),
        (NvmlStandIn(()), "the NVIDIA driver sees no GPU"),
    ],
)
def test_reason_is_the_one_that_was_found(nvml, start):
    for ask in (probe, read_conditions):
        with pytest.raises(NoGpu) as caught:
            ask(nvml, None)
        assert str(caught.value).startswith(start)
    assert nvml.open == 0


def test_missing_package_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    nvidia._found.cache_clear()
    try:
        assert nvidia.why_no_gpu() == (
            "whether there is an NVIDIA GPU is unknown, since nvidia-ml-py is not installed: "
            "pip install nvidia-ml-py"
        )
        with pytest.raises(NoGpu, match="nvidia-ml-py"):
            nvidia.gpu()
    finally:
        nvidia._found.cache_clear()


def test_conditions():
    assert read_conditions(NvmlStandIn(), None) == Conditions(
        sm_mhz=2520,
        sm_max_mhz=3105,
        memory_mhz=10501,
        temperature_c=61,
        power_limit_w=450.0,
        persistence=True,
        slowed=(),
    )
    assert read_conditions(NvmlStandIn(slowed=0x1), None).slowed == ()
    hot = read_conditions(NvmlStandIn(slowed=0x1 | 0x4 | 0x40), None)
    assert hot.slowed == ("power cap", "hardware thermal slowdown")


def test_what_a_gpu_does_not_tell_is_left_out():
    unknown = frozenset(("clock", "temperature", "power", "persistence", "slowed"))
    assert read_conditions(NvmlStandIn(unknown=unknown), None) == Conditions(
        None, None, None, None, None, None, ()
    )


def test_cuda_is_made_to_count_as_nvml():
    environment = {"PATH": "/bin"}
    nvidia.count_as_nvml(environment)
    assert environment == {"PATH": "/bin", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    asked = {"CUDA_DEVICE_ORDER": "FASTEST_FIRST"}
    nvidia.count_as_nvml(asked)
    assert asked == {"CUDA_DEVICE_ORDER": "FASTEST_FIRST"}


@pytest.mark.parametrize("order", ["FASTEST_FIRST", ""])
@pytest.mark.parametrize("visible", [None, "1", "2,GPU-1112"])
@pytest.mark.parametrize("ask", [probe, read_conditions])
def test_order_in_which_a_number_means_another_gpu_is_refused(ask, visible, order):
    nvml = NvmlStandIn(SOME)
    with pytest.raises(NoGpu) as caught:
        ask(nvml, visible, order)
    assert str(caught.value) == (
        f"CUDA_DEVICE_ORDER={order!r} counts the 3 GPUs of this machine otherwise than the driver: "
        "unset it or set PCI_BUS_ID"
    )
    assert nvml.open == 0


@pytest.mark.parametrize(
    ("cards", "visible", "order", "name"),
    [
        (SOME, "1", "PCI_BUS_ID", "NVIDIA H200"),
        (SOME, "GPU-1112", "FASTEST_FIRST", "Tesla T4"),
        (SOME, "MIG-5e0a", "FASTEST_FIRST", "NVIDIA H200 MIG 1g.10gb"),
        ((T4,), None, "FASTEST_FIRST", "Tesla T4"),
    ],
)
def test_order_that_changes_nothing_is_taken(cards, visible, order, name):
    assert probe(NvmlStandIn(cards), visible, order).name == name


def test_order_is_that_of_the_environment(monkeypatch):
    monkeypatch.setattr(nvidia, "_nvml", lambda: NvmlStandIn(SOME))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    nvidia._found.cache_clear()
    try:
        monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
        assert str(nvidia.why_no_gpu()).startswith("CUDA_DEVICE_ORDER='FASTEST_FIRST' counts")
        with pytest.raises(NoGpu, match="otherwise than the driver"):
            nvidia.conditions()
        monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
        assert nvidia.gpu().name == RTX.name
        assert nvidia.conditions().sm_mhz == 2520
    finally:
        nvidia._found.cache_clear()


def test_names_of_the_stand_in_are_pynvmls():
    if importlib.util.find_spec("pynvml") is None:
        pytest.skip("nvidia-ml-py is not installed")
    real = importlib.import_module("pynvml")
    names = [name for name in dir(NvmlStandIn) if name.lower().startswith("nvml")]
    assert len(names) > 20
    for name in names:
        assert hasattr(real, name), name
        if name.isupper():
            assert getattr(real, name) == getattr(NvmlStandIn, name)


def test_real_nvml_answers_or_says_why():
    if importlib.util.find_spec("pynvml") is None:
        pytest.skip("nvidia-ml-py is not installed")
    program = (
        "from fqbench.backends import nvidia; import sys;"
        "why = nvidia.why_no_gpu(); print(why if why else nvidia.gpu());"
        "sys.exit(any(m in sys.modules for m in ('onnxruntime', 'tensorrt', 'cuda', 'pycuda')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ}
    )
    assert (done.returncode, done.stderr) == (0, "")
    if not os.path.exists("/dev/nvidiactl"):
        assert done.stdout.strip() == (
            "there is no NVIDIA driver (its library libnvidia-ml was not found)"
        )
