"""Resident memory of this process, by the system's own count."""

import sys

import numpy as np
import pytest

from fqbench.isolate.parent import _run, _Watch
from fqbench.measure import memory

MB = 10**6


def held(megabytes):
    """Memory that was written to, and so is resident."""
    return np.ones(megabytes * MB, np.uint8)


def test_peak_is_kept_after_memory_is_given_back():
    before = memory.resident()
    block = held(200)
    during = memory.resident()
    del block
    assert during - before > 190 * MB
    assert memory.peak() >= during - MB
    assert memory.resident() < during - 150 * MB


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep no peak that can be reset")
def test_peak_starts_again_when_it_is_forgotten():
    block = held(200)
    del block
    high = memory.peak()
    memory.forget_peak()
    assert memory.peak() < high - 150 * MB
    assert memory.peak() >= memory.resident() - 10 * MB


def test_peak_that_cannot_be_forgotten_is_no_error(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_CLEAR", tmp_path / "missing" / "clear_refs")
    before = memory.peak()
    memory.forget_peak()
    assert memory.peak() >= before


def test_systems_without_proc_count_by_getrusage(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "missing")
    assert memory.peak() >= memory.resident() - 10 * MB


def test_peak_of_a_child_is_not_its_parent_s():
    block = held(400)
    watch = _Watch("the test", timeout_s=60)
    # The child looks for modules where this process does: the root of the repository.
    assert _run("tests.support.isolated_functions:own_peak", {}, {}, watch) < block.nbytes
