"""A call that is slowed on purpose."""

import pytest

from fqbench.gate.selftest import slowdown_injection


def test_a_slowed_call_takes_its_part_longer(monkeypatch):
    now = [0.0]

    def clock():
        now[0] += 0.0001
        return now[0]

    monkeypatch.setattr(slowdown_injection.time, "perf_counter", clock)

    def call():
        now[0] += 1.0

    slowdown_injection.slowed(call, 0.05)()
    assert now[0] == pytest.approx(1.05, abs=0.001)
