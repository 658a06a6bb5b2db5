"""Which library is installed, found without importing it."""

import importlib
import importlib.util
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


@pytest.mark.skipif(TENSORRT_RTX.missing() is not None, reason=str(TENSORRT_RTX.missing()))
def test_module_is_of_the_version_that_was_told():
    assert TENSORRT_RTX.load().__version__ == TENSORRT_RTX.version()
