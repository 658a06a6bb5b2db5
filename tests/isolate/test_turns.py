"""A child that asks for the machine has it to itself, and gives it back however it ends."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fqbench.errors import Interrupted, MemoryExceeded, StepError
from fqbench.isolate import SharedMachine, SharedMemory, alone, turns
from fqbench.isolate.parent import _answered, _Watch
from fqbench.isolate.process import Interpreter, Request

HERE = Path(__file__).parents[1] / "support"
STOPPING_S = 0.02
"""How long after it was asked to a process may still be on its way to stop."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="binds to cores, reads /proc")


@pytest.fixture(autouse=True)
def _functions_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as threads:
        yield threads


class Children:
    """Children that share a machine, each watched by a thread."""

    def __init__(self, pool, folder, machine=None):
        self._pool, self._folder = pool, folder
        self.machine = machine or SharedMachine()

    def start(self, function, arguments, *, cores=(), timeout_s=20.0, **limits):
        watch = _Watch(function, timeout_s, machine=self.machine, **limits)
        request = Request(
            f"isolated_functions:{function}", arguments, {}, Interpreter.here(), cores
        )
        return self._pool.submit(_answered, request, watch)

    def ticking(self, function="tick", name="ticks", *, more=None, **how):
        """A child that is busy, once it is, until it is ``enough``."""
        file = self._folder / name
        arguments = {"file": str(file), "until": str(self._folder / "enough"), **(more or {})}
        future = self.start(function, arguments, **how)
        wait_for(lambda: file.exists() and file.read_text())
        return future

    def enough(self):
        """Those that are busy need not be any more."""
        time.sleep(0.1)
        (self._folder / "enough").touch()

    def ticks(self, name="ticks"):
        return [float(line) for line in (self._folder / name).read_text().splitlines()]

    def alone(self, seconds=0.5, name="pid", *, more=None, **how):
        """A child that is alone, and its process id, once it is."""
        file = self._folder / name
        arguments = {"seconds": seconds, "pid_file": str(file), **(more or {})}
        future = self.start("be_alone", arguments, **how)
        wait_for(lambda: file.exists() and file.read_text())
        return future, int(file.read_text())


@pytest.fixture
def children(pool, tmp_path):
    yield Children(pool, tmp_path)
    assert psutil.Process().children(recursive=True) == []


def wait_for(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def is_gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def stopped_children():
    children = psutil.Process().children()
    return [child.pid for child in children if child.status() == psutil.STATUS_STOPPED]


def inside(ticks, phase):
    begin, end, *_ = phase
    return [tick for tick in ticks if begin + STOPPING_S < tick < end]


@pytest.mark.parametrize("function", ["tick", "tick_in_a_session_of_its_own"])
def test_nothing_else_gets_on_while_one_is_alone(children, function):
    busy = children.ticking(function)
    timed, _ = children.alone(0.2, more={"times": 2})
    phases = timed.result()["phases"]
    children.enough()
    assert busy.result() == "done"
    ticks = children.ticks()
    assert [inside(ticks, phase) for phase in phases] == [[], []]
    assert any(tick < phases[0][0] for tick in ticks)
    assert any(tick > phases[1][1] for tick in ticks)


def test_two_that_want_to_be_alone_take_turns(children):
    busy = children.ticking()
    one, _ = children.alone(0.1, "one", more={"times": 3})
    other, _ = children.alone(0.1, "other", more={"times": 3})
    phases = sorted([*one.result()["phases"], *other.result()["phases"]])
    children.enough()
    assert busy.result() == "done"
    assert all(first[1] <= second[0] for first, second in pairwise(phases))
    assert not any(inside(children.ticks(), phase) for phase in phases)


@pytest.mark.slow
def test_what_starts_meanwhile_waits(children):
    timed, _ = children.alone(1.0)
    late = children.ticking()
    children.enough()
    (phase,) = timed.result()["phases"]
    assert late.result() == "done"
    assert min(children.ticks()) >= phase[1]


def test_who_is_alone_may_use_all_cores_and_has_its_own_again_after(pool, tmp_path):
    every = tuple(sorted(os.sched_getaffinity(0)))
    timed, _ = Children(pool, tmp_path, SharedMachine(every)).alone(0.0, cores=every[:1])
    found = timed.result()
    assert found["phases"][0][2] == list(every)
    assert found["after"] == [every[0]]


def test_a_child_by_itself_is_alone_at_once(pool, tmp_path):
    own = min(os.sched_getaffinity(0))
    timed, _ = Children(pool, tmp_path).alone(0.0, cores=(own,))
    assert timed.result()["phases"][0][2] == [own]


def test_outside_of_a_child_nothing_is_waited_for():
    with alone(lambda *_: None) as cores:
        assert cores == ()


# Limits


@pytest.mark.slow
def test_time_that_a_child_is_paused_is_not_its_own(children):
    busy = children.ticking(timeout_s=2.5)
    timed, _ = children.alone(3.0)
    assert timed.result()
    children.enough()
    assert busy.result() == "done"


@pytest.mark.slow
def test_time_that_one_waits_for_its_turn_is_not_its_own(children):
    first, _ = children.alone(3.0, "first")
    second, _ = children.alone(0.1, "second", timeout_s=2.0)
    assert first.result()["phases"][0][1] <= second.result()["phases"][0][0]


@pytest.mark.slow
def test_one_that_hangs_while_it_is_alone_is_stopped_and_the_others_go_on(children):
    busy = children.ticking()
    timed, pid = children.alone(60.0, timeout_s=1.0)
    with pytest.raises(StepError, match="be_alone hangs: it did not end within 1 s"):
        timed.result()
    children.enough()
    assert busy.result() == "done"
    assert is_gone(pid)


@pytest.mark.slow
def test_memory_is_watched_while_one_is_alone(children):
    memory = SharedMemory(400)
    busy = children.ticking(memory=memory)
    timed, pid = children.alone(60.0, more={"eat": True}, memory=memory)
    with pytest.raises(MemoryExceeded, match="be_alone used"):
        timed.result()
    children.enough()
    assert busy.result() == "done"
    assert is_gone(pid)


@pytest.mark.slow
def test_one_that_is_paused_goes_where_it_uses_most(children):
    memory = SharedMemory(500)
    held = children.ticking("hold_memory", more={"mb": 350}, memory=memory)
    timed, pid = children.alone(60.0, more={"eat": True}, memory=memory)
    with pytest.raises(MemoryExceeded, match="hold_memory used"):
        held.result()
    assert not is_gone(pid)
    with pytest.raises(MemoryExceeded, match="be_alone used"):
        timed.result()


# However it ends


def test_kill_of_the_one_that_is_alone_lets_the_others_go_on(children):
    busy, other = children.ticking(), children.ticking(name="other")
    timed, pid = children.alone(60.0)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(StepError, match="be_alone was killed by SIGKILL"):
        timed.result()
    children.enough()
    assert [busy.result(), other.result()] == ["done", "done"]


@pytest.mark.slow
def test_kill_of_one_that_is_paused_leaves_the_others_their_turns(children):
    first, _ = children.alone(1.5, "first")
    paused = children.start("be_alone", {"seconds": 0.0, "pid_file": os.devnull})
    wait_for(stopped_children)
    (pid,) = stopped_children()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(StepError, match="SIGKILL"):
        paused.result()
    third, _ = children.alone(0.0, "third")
    assert first.result()["phases"][0][1] <= third.result()["phases"][0][0]


@pytest.mark.slow
def test_one_that_is_paused_is_stopped_like_any_other(children):
    stop = Event()
    busy = children.ticking(stop=stop)
    timed, _ = children.alone(1.0)
    stop.set()
    begin = time.monotonic()
    with pytest.raises(Interrupted):
        busy.result()
    assert time.monotonic() - begin < 0.9
    assert timed.result()


PARENT = """
    import signal, sys
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path[:] = {path!r}
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path
    from threading import Event
    from fqbench.isolate import SharedMachine
    from fqbench.isolate.parent import _run, _Watch
    machine, stop = SharedMachine(), Event()
    def run(function, arguments):
        watch = _Watch("x", 60.0, machine=machine, stop=stop)
        return _run("isolated_functions:" + function, arguments, {{}}, watch)
    folder = Path({folder!r})
    pool = ThreadPoolExecutor(2)
    ticks = folder / "ticks"
    futures = [pool.submit(run, "tick", {{"file": str(ticks), "until": str(folder / "enough")}})]
    while not ticks.exists():
        pass
    futures.append(
        pool.submit(run, "be_alone", {{"seconds": 60.0, "pid_file": str(folder / "pid")}})
    )
    try:
        futures[1].result()
    except BaseException:
        stop.set()
        pool.shutdown()
        raise
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_parent_that_is_ended_meanwhile_takes_all_along(tmp_path, number):
    code = textwrap.dedent(PARENT.format(path=sys.path, folder=str(tmp_path)))
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) as parent:
        wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        below = psutil.Process(parent.pid).children(recursive=True)
        states = [process.status() for process in below]
        parent.send_signal(number)
        _, told = parent.communicate(timeout=20)
    assert len(below) == 2
    assert states.count(psutil.STATUS_STOPPED) == 1
    assert (b"KeyboardInterrupt" in told) == (number == signal.SIGINT)
    wait_for(lambda: all(is_gone(process.pid) for process in below))


# Any order


class Pause:
    """Stands in for a process that is stopped and goes on."""

    def __init__(self, pid):
        self.pid, self.stopped = pid, False

    def begin(self):
        assert not self.stopped
        self.stopped = True

    def end(self):
        self.stopped = False

    kill = end


class StandIn:
    """A child that keeps to the rules, and the line that it was granted the machine by."""

    def __init__(self, pid):
        self.process = SimpleNamespace(pid=pid)
        self.questions = self
        self.asked = self.granted = False

    def write(self, line):
        assert self.asked
        self.granted = True


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=40))
def test_in_any_order_one_at_a_time_is_alone_and_nobody_is_forgotten(moves):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "_Pause", Pause)
        machine = SharedMachine()
        here, waiting, made = {}, [], 0

        def check():
            granted = [child for child in here.values() if child.granted]
            assert len(granted) <= 1
            assert bool(granted) == bool(waiting)
            for child in here.values():
                assert machine._pauses[child].stopped == (bool(granted) and not child.granted)
            if granted:
                assert granted == waiting[:1], "first come, first served"

        def move(place, leaves):
            nonlocal made
            child = here.get(place)
            if child is None:
                made += 1
                here[place] = child = StandIn(made)
                machine.join(child)
            elif leaves:
                del here[place]
                if child in waiting:
                    waiting.remove(child)
                machine.leave(child)
            elif child.granted:
                waiting.remove(child)
                child.asked = child.granted = False
                machine.give_back(child)
            elif not child.asked:
                child.asked = True
                waiting.append(child)
                machine.ask(child)
            check()

        for place, leaves in moves:
            move(place, leaves)
        while waiting:
            move(next(p for p, child in here.items() if child is waiting[0]), False)
        assert not any(machine._pauses[child].stopped for child in here.values())
