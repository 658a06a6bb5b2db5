"""Which library is installed, found without importing it."""

import importlib
import importlib.util
import os
import sys
from importlib import metadata

import pytest

from fqbench.backends.tensorrt.library import LIBRARIES, TENSORRT, TENSORRT_RTX
from fqbench.errors import StepError

BOTH = pytest.mark.parametrize("library", LIBRARIES.values(), ids=list(LIBRARIES))


@pytest.fixture
def installed(monkeypatch):
    """Pretends that only the distributions given, by their modules, are installed."""

    def pretend(**modules):
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: name if name in modules else None
        )

        def version(name):
            for distribution, number in modules.values():
                if distribution == name:
                    return number
            raise metadata.PackageNotFoundError(name)

        monkeypatch.setattr(metadata, "version", version)

    return pretend


@BOTH
def test_library_that_is_not_there_says_what_to_install(library, installed):
    installed()
    assert library.missing() == f"{library.name} is not installed: pip install {library.install!r}"
    assert library.version() is None
    with pytest.raises(StepError, match="is not installed: pip install 'fqbench"):
        library.load()


def test_version_is_that_of_the_first_distribution_there_is(installed):
    installed(tensorrt=("tensorrt_cu12", "10.3.0"))
    assert (TENSORRT.missing(), TENSORRT.version()) == (None, "10.3.0")
    assert TENSORRT_RTX.missing() is not None
    installed(tensorrt_rtx_bindings=("tensorrt_rtx_cu13_bindings", "1.7.1.116"))
    assert (TENSORRT_RTX.missing(), TENSORRT_RTX.version()) == (None, "1.7.1.116")


def test_nothing_is_imported_to_find_out():
    for library in LIBRARIES.values():
        library.missing(), library.version()
    assert "tensorrt" not in sys.modules


@pytest.mark.parametrize("error", [ImportError, OSError])
def test_library_that_cannot_be_imported_is_said_to_be_broken(installed, monkeypatch, error):
    installed(tensorrt=("tensorrt", "10.3.0"))

    def fail(name):
        raise error("libnvinfer.so.10: cannot open\nshared object file")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(
        StepError,
        match=r"TensorRT is installed but cannot be imported \(libnvinfer.so.10: cannot open sh",
    ):
        TENSORRT.load()


@BOTH
@pytest.mark.parametrize(
    ("asked", "order"), [(None, "PCI_BUS_ID"), ("FASTEST_FIRST", "FASTEST_FIRST")]
)
def test_cuda_counts_as_the_driver_before_a_library_is_there(
    library, asked, order, installed, monkeypatch
):
    installed(**{library.modules[0]: (library.distributions[0], "1")})
    # Set first, so that it is taken back behind the test.
    monkeypatch.setenv("CUDA_DEVICE_ORDER", asked or "")
    if asked is None:
        del os.environ["CUDA_DEVICE_ORDER"]
    monkeypatch.setattr(
        importlib, "import_module", lambda name: (name, os.environ.get("CUDA_DEVICE_ORDER"))
    )
    assert library.load() == (library.modules[0], order)


@pytest.mark.skipif(TENSORRT_RTX.missing() is not None, reason=str(TENSORRT_RTX.missing()))
def test_module_is_of_the_version_that_was_told():
    assert TENSORRT_RTX.load().__version__ == TENSORRT_RTX.version()
