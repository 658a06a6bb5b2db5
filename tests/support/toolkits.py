"""Whether other toolkits are installed here."""

import importlib.util

import pytest


def _needs(*modules: str) -> pytest.MarkDecorator:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed")


needs_nncf = _needs("nncf", "openvino")
needs_ort_quantization = _needs("ml_dtypes", "sympy")
