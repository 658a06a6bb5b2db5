"""Hidden instruction sets: what a process with them does, and what it must bear."""

import os
import subprocess
import sys

import pytest

from tests.support.masked import hiding

WITHOUT_ALTERNATE_STACK = """
import ctypes
class Stack(ctypes.Structure):
    _fields_ = [("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]
gone = Stack(1 << 20, 0, 1 << 16)
assert ctypes.CDLL(None).sigaltstack(ctypes.byref(gone), None) == 0
import numpy.linalg  # asks for the CPU's instruction sets
print("answered")
"""


@pytest.mark.parametrize("profile", ["vnni", "avx512", "avx2"])
def test_cpuid_is_answered_where_the_alternate_signal_stack_is_gone(profile):
    """As OpenVINO leaves it behind once its models are closed."""
    command = [sys.executable, "-c", WITHOUT_ALTERNATE_STACK]
    found = subprocess.run(
        command, env={**os.environ, **hiding(profile)}, capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (0, "answered\n"), found.stderr
