"""Whether OpenVINO is installed here."""

import importlib.util

import pytest

HERE = importlib.util.find_spec("openvino") is not None

needs_openvino = pytest.mark.skipif(not HERE, reason="openvino is not installed")
