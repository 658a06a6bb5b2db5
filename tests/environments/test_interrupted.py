"""Making that is killed, and that two do at once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fqbench.environments import environment, make
from fqbench.environments.environment import Environment, Missing, find
from tests.support.outside import ROOT
from tests.support.signals import heed_interrupts
from tests.support.wheels import Place, Said

KILLS = 10

_COMMAND = "import sys; from fqbench.cli.main import main; sys.exit(main(sys.argv[1:]))"


def start(place: Place) -> subprocess.Popen[str]:
    """``fqbench env make toolkit`` in a process of its own."""
    paths = [str(place.site), str(ROOT), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [
            *(sys.executable, "-c", _COMMAND, "env", "make", "toolkit"),
            *("--offline", "--find-links", str(place.wheels)),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )


def finish(process: subprocess.Popen[str]) -> list[str]:
    _, printed = process.communicate(timeout=120)
    assert process.returncode == 0, printed
    return printed.splitlines()


def looked_at_again() -> Environment | Missing:
    environment.forget()
    return find("toolkit")


def running_in(folder: Path) -> list[str]:
    """Commands of processes that have ``folder`` in them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # It ended meanwhile.
        if str(folder) in command:
            found.append(command)
    return found


@pytest.mark.slow
def test_killed_at_any_time_it_leaves_nothing_that_looks_whole(place):
    begin = time.monotonic()
    finish(start(place))
    took = time.monotonic() - begin
    order, killed = random.Random(0), 0
    for _ in range(KILLS):
        if isinstance(looked_at_again(), Environment):
            make_again(place)
        process = start(place)
        time.sleep(order.uniform(0, took))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if isinstance(looked_at_again(), Missing):
            killed += 1
            assert not (place.root / "toolkit").exists()
        if sys.platform == "linux":
            ended = time.monotonic() + 5
            while (
                left := running_in(place.root / "toolkit.partial-")
            ) and time.monotonic() < ended:
                time.sleep(0.1)
            assert left == []
    assert killed >= KILLS // 2
    finish(start(place))
    found = looked_at_again()
    assert isinstance(found, Environment)
    assert make.problems(found) == []
    assert list(place.root.glob("*.partial-*")) == []


def make_again(place: Place) -> None:
    """Take away what was made, so that it is made again."""
    make.remove("toolkit", Said())


@pytest.mark.slow
def test_two_at_once(place):
    if isinstance(looked_at_again(), Environment):
        make_again(place)
    printed = [finish(process) for process in (start(place), start(place))]
    makers = [lines for lines in printed if any(line.startswith("Making") for line in lines)]
    assert len(makers) == 1
    found = looked_at_again()
    assert isinstance(found, Environment)
    assert make.problems(found) == []


@pytest.mark.slow
def test_interrupted_it_clears_up(place):
    if isinstance(looked_at_again(), Environment):
        make_again(place)
    process = start(place)
    ended = time.monotonic() + 60
    while not list(place.root.glob("toolkit.partial-*")) and time.monotonic() < ended:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 130
    assert printed.splitlines()[-1].startswith("fqbench: interrupted")
    assert list(place.root.glob("toolkit.partial-*")) == []
    assert isinstance(looked_at_again(), Missing)
