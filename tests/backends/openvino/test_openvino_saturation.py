"""On a CPU without VNNI OpenVINO's products saturate, and what is safe there is exact."""

import pytest

from tests.support.openvino import needs_openvino
from tests.support.saturating import ask


@pytest.mark.slow
@needs_openvino
def test_safe_layers_are_exact_where_others_saturate():
    errors = ask("openvino_errors", {})
    assert errors["plain"] > 0.02
    assert errors["safe"] < 0.01
