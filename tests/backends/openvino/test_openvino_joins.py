"""Codes that operators pass on between layers, on CPUs that read them as int8 and as uint8."""

from functools import cache

import pytest

from fqbench.isolate.parent import _run, _Watch
from tests.support.masked import hiding
from tests.support.openvino import needs_openvino
from tests.support.openvino_functions import OPERATORS

pytestmark = needs_openvino

each_cpu = pytest.mark.parametrize("cpu", ["here", "vnni", "avx512", "avx2"])


def found(cpu):
    return _found(tuple((hiding(cpu) if cpu != "here" else {}).items()))


@cache
def _found(variables):
    return _run(
        "tests.support.openvino_functions:errors",
        {},
        {**dict(variables), "OMP_NUM_THREADS": "1"},
        _Watch("the test", 300),
    )


@pytest.mark.slow
@each_cpu
@pytest.mark.parametrize("operator", OPERATORS)
def test_codes_keep_their_values_through(operator, cpu):
    assert max(found(cpu)["errors"][operator]) < 1e-4


@each_cpu
def test_int8_codes_are_joined_only_where_they_keep_their_scale(cpu):
    assert found(cpu)["kept"] == (found(cpu)["plain"] < 1e-4)
