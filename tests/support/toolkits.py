"""Whether other toolkits are installed here."""

import importlib.util

import pytest

from fqbench.environments import Missing, find


def _needs(*modules: str) -> pytest.MarkDecorator:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed")


def _needs_environment(name: str) -> pytest.MarkDecorator:
    there = find(name)
    missing = isinstance(there, Missing)
    return pytest.mark.skipif(missing, reason=there.reason if missing else "")


needs_modelopt = _needs_environment("modelopt")
needs_nncf = _needs("nncf", "openvino")
needs_ort_quantization = _needs("ml_dtypes", "sympy")
