"""Graphs of steps, and what the local executor makes of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.artifacts import Store
from fqbench.errors import StepError
from fqbench.isolate import SharedMemory
from fqbench.steps import Files, Maybe, Measurement, Needs, Select, Step, Unkeyed
from fqbench.steps import executor as module
from fqbench.steps.executor import LocalExecutor
from fqbench.steps.observer import Silent
from fqbench.storage.contents import contents
from tests.support import step_functions as functions
from tests.support.signals import heed_interrupts

ROOT = Path(__file__).parents[2]


def add(*numbers, parts=(), files=(), log=None, name="add", model="net", **how):
    """A step that adds up."""
    inputs = {
        "numbers": list(numbers),
        "parts": tuple(parts),
        "files": Files(tuple(files)),
        "log": Unkeyed(None if log is None else str(log)),
    }
    return Step(name, model, functions.add, inputs, **how)


def work(name, seconds, log, **how):
    """A step that takes a while."""
    inputs = {"name": name, "seconds": seconds, "log": Unkeyed(str(log))}
    return Step("work", name, functions.work, inputs, **how)


def fail(how):
    return Step("fail", "net", functions.fail, {"how": how})


def total(artifact):
    return int(artifact.file("sum").read_text())


def lines(log):
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


class Recorder(Silent):
    """What the executor tells."""

    def __init__(self):
        self.plans, self.ran, self.failures = [], [], {}

    def planned(self, nodes, seconds):
        self.plans.append((nodes, seconds))

    def ended(self, node, seconds, failure):
        self.ran.append((node.name, node.model))
        if failure is not None:
            self.failures[node.name] = failure


class TestPlan:
    def test_inputs_are_those_of_the_job(self):
        with pytest.raises(TypeError, match=r"has the inputs \['what'\].*the fields \['how'\]"):
            Step("fail", "net", functions.fail, {"what": "error"})

    def test_function_takes_a_job(self):
        with pytest.raises(TypeError, match="must take a parameter 'job' that is a Job"):
            Step("total", "net", total, {})

    def test_looking_runs_nothing(self, tmp_path):
        executor = LocalExecutor(Store(tmp_path / "store"))
        one = add(1)
        both = add(parts=(one,), name="both")
        assert executor.look([both]) == [one, both]
        assert executor.expected([one]) is None
        assert not contents(tmp_path / "store")
        executor.run([one])
        other = LocalExecutor(Store(tmp_path / "store"))
        again = add(parts=(add(1),), name="both")
        assert other.look([again]) == [again]
        assert other.expected([one]) > 0

    @pytest.mark.slow
    def test_plan_counts_what_selections_may_take(self, tmp_path):
        chosen = Select("which", "net", add(1), lambda found: "a", {"a": add(2), "b": add(3)})
        recorder = Recorder()
        LocalExecutor(Store(tmp_path), recorder).run([chosen])
        assert recorder.plans[0][0] == 3
        assert recorder.plans[-1][0] == 0
        assert len(recorder.ran) == 2


class TestKeys:
    def test_step_is_run_once(self, tmp_path):
        log = tmp_path / "log"
        for _ in range(2):
            finished = LocalExecutor(Store(tmp_path / "store")).run([step := add(1, 2, log=log)])
            assert total(finished.artifact(step)) == 3
        assert log.read_text() == "add\n"

    def test_content_of_a_file_counts_and_its_path_does_not(self, tmp_path):
        for name, value in (("a", "1"), ("b", "1"), ("c", "2")):
            (tmp_path / name).write_text(value)
        executor = LocalExecutor(Store(tmp_path / "store"))
        steps = [add(files=[tmp_path / name]) for name in "abc"]
        a, b, c = (executor.run(steps).artifact(step).key for step in steps)
        assert a == b != c

    def test_steps_of_one_artifact_run_once_side_by_side(self, tmp_path):
        log = tmp_path / "log"
        steps = [add(1, log=log, model=name) for name in "abc"]
        finished = LocalExecutor(Store(tmp_path / "store")).run(steps)
        assert {total(finished.artifact(step)) for step in steps} == {1}
        assert log.read_text() == "add\n"

    @pytest.mark.slow
    def test_cpu_counts_unless_a_step_does_not_depend_on_it(self, tmp_path, monkeypatch):
        def keys():
            steps = (add(1), add(1, name="scored", depends_on_cpu=False))
            finished = LocalExecutor(Store(tmp_path)).run(steps)
            return [finished.artifact(step).key for step in steps]

        before = keys()
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
        after = keys()
        assert before[0] != after[0]
        assert before[1] == after[1]

    @pytest.mark.slow
    @settings(max_examples=10, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6))
    def test_any_graph_gives_what_adding_up_gives(self, shape):
        """Node n adds its number and the sums of up to two nodes before it."""
        nodes, sums = [add(1)], [1]
        for number, back in shape:
            parts = sorted({max(0, len(nodes) - 1 - back), len(nodes) - 1})
            nodes.append(add(number, parts=[nodes[part] for part in parts]))
            sums.append(number + sum(sums[part] for part in parts))
        finished = SHARED.run(nodes)
        assert [total(finished.artifact(node)) for node in nodes] == sums


@pytest.fixture(scope="module", autouse=True)
def _shared(tmp_path_factory):
    global SHARED
    SHARED = LocalExecutor(Store(tmp_path_factory.mktemp("shared")))


class TestFailures:
    @pytest.mark.parametrize(
        ("how", "reason"),
        [
            ("error", "the kernel is missing"),
            ("bug", "fail of net failed: ValueError: no such thing"),
            ("kill", "fail of net was killed by SIGKILL"),
        ],
    )
    def test_it_fails_what_depends_on_it_with_the_first_cause(self, tmp_path, how, reason):
        broken, fine = fail(how), add(1)
        after = add(parts=(add(parts=(broken,), name="middle"),), name="last")
        recorder = Recorder()
        finished = LocalExecutor(Store(tmp_path), recorder).run([after, fine])
        assert total(finished.artifact(fine)) == 1
        with pytest.raises(StepError, match=reason):
            finished.artifact(after)
        assert list(recorder.failures) == ["fail"]
        assert recorder.failures["fail"].startswith(reason)

    @pytest.mark.slow
    def test_reader_that_may_do_without_gets_none_and_the_failure_is_reported(
        self, tmp_path, caplog
    ):
        broken = fail("error")
        steps = [add(number, parts=(Maybe(broken),)) for number in (5, 6)]
        finished = LocalExecutor(Store(tmp_path)).run(steps)
        assert [total(finished.artifact(step)) for step in steps] == [4, 5]
        assert caplog.text.count("the kernel is missing") == 1

    def test_file_that_is_gone(self, tmp_path):
        step = add(files=[tmp_path / "gone"])
        with pytest.raises(Exception, match="gone"):
            LocalExecutor(Store(tmp_path / "store")).run([step]).artifact(step)

    def test_failure_is_not_stored(self, tmp_path):
        LocalExecutor(Store(tmp_path)).run([fail("error")])
        assert not [path for path in tmp_path.glob("fail/*") if path.is_dir()]

    def test_full_disk_fails_the_step_in_a_sentence(self, tmp_path, monkeypatch):
        def full(*arguments, **options):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(module.isolate, "call", full)
        step = add(1)
        finished = LocalExecutor(Store(tmp_path)).run([step])
        with pytest.raises(StepError, match=r"the disk of .* is full"):
            finished.artifact(step)

    def test_warning_of_a_step_is_told(self, tmp_path, caplog):
        step = Step("resume", "net", functions.resume, {"count": 0})
        LocalExecutor(Store(tmp_path)).run([step])
        assert "resume of net: it took 1 tries" in caplog.text


class TestSelections:
    @pytest.mark.parametrize(("number", "wanted"), [(1, 10), (2, 20)])
    def test_only_what_is_taken_runs(self, tmp_path, number, wanted):
        recorder = Recorder()
        options = {"1": add(10, name="ten"), "2": add(20, name="twenty")}
        chosen = Select(
            "which", "net", add(number), lambda found: found.file("sum").read_text(), options
        )
        after = add(1, parts=(chosen,), name="after")
        finished = LocalExecutor(Store(tmp_path), recorder).run([after])
        assert total(finished.artifact(after)) == wanted + 1
        assert finished.option(chosen) == str(number)
        assert len(recorder.ran) == 3

    def test_artifact_behind_a_selection_is_that_of_the_option(self, tmp_path):
        one = add(10)
        chosen = Select("which", "net", add(1), lambda found: "a", {"a": one})
        direct, selected = (add(1, parts=(node,), name="after") for node in (one, chosen))
        finished = LocalExecutor(Store(tmp_path)).run([direct, selected])
        assert finished.artifact(direct).key == finished.artifact(selected).key


class TestSideBySide:
    @pytest.mark.slow
    def test_steps_share_the_cores(self, tmp_path):
        if len(cores := module.core_ids()) < 2:
            pytest.skip("one core")
        log = tmp_path / "log"
        steps = [work(name, 0.6, log) for name in ("a", "b")]
        LocalExecutor(Store(tmp_path / "store"), cores=cores[:2]).run(steps)
        one, other = lines(log)
        assert one["begin"] < other["end"]
        assert other["begin"] < one["end"]
        assert {tuple(one["bound"]), tuple(other["bound"])} == {(cores[0],), (cores[1],)}
        assert [one["cores"], one["threads"]] == [1, "1"]

    def test_a_step_by_itself_gets_all_that_it_can_use(self, tmp_path):
        cores, log = module.core_ids()[:2], tmp_path / "log"
        executor = LocalExecutor(Store(tmp_path / "store"), cores=cores)
        executor.run([work("all", 0.0, log)])
        executor.run([work("one", 0.0, log, needs=Needs(cores=1))])
        assert [line["cores"] for line in lines(log)] == [len(cores), 1]

    @pytest.mark.slow
    def test_nothing_runs_beside_what_is_timed(self, tmp_path):
        log, taken = tmp_path / "log", []

        def take(finished, report):
            taken.append((time.monotonic(), len(lines(log))))
            time.sleep(0.3)
            taken.append((time.monotonic(), len(lines(log))))
            return "fast"

        steps = [work(name, 0.3, log) for name in "abc"]
        alone = work("alone", 0.3, log, needs=Needs(alone="always"))
        timed = Measurement("time", "net", (steps[0],), take)
        finished = LocalExecutor(Store(tmp_path / "store")).run([*steps, alone, timed])
        assert finished.value(timed) == "fast"
        assert taken[0][1] == taken[1][1]
        spans = [(line["begin"], line["end"]) for line in lines(log) if line["name"] != "alone"]
        (own,) = [(line["begin"], line["end"]) for line in lines(log) if line["name"] == "alone"]
        spans.append((taken[0][0], taken[1][0]))
        assert all(end <= own[0] or begin >= own[1] for begin, end in spans)

    @pytest.mark.slow
    def test_what_times_in_phases_runs_beside_others_and_is_alone_meanwhile(self, tmp_path):
        if len(cores := module.core_ids()) < 2:
            pytest.skip("one core")
        log, ticks = tmp_path / "log", tmp_path / "ticks"
        timed = Step(
            "time", "b", functions.time_, {"log": Unkeyed(str(log))}, needs=Needs(alone="in phases")
        )
        busy = Step("tick", "a", functions.tick, {"log": Unkeyed(str(ticks))})
        executor = LocalExecutor(Store(tmp_path / "store"), cores=cores[:2])
        finished = executor.run([busy, timed])
        assert [finished.failure(node) for node in (busy, timed)] == [None, None]
        (found,) = lines(log)
        assert found["bound"] == list(cores[:2])
        seen = lines(ticks)
        assert not [tick for tick in seen if found["begin"] + 0.02 < tick < found["end"]]
        assert seen[0] < found["begin"]
        assert found["end"] < seen[-1]

    @pytest.mark.slow
    def test_what_times_in_phases_and_what_leads_to_it_start_first(self, tmp_path):
        one, other = add(1, model="a"), add(2, model="b")
        timed = add(3, parts=(other,), name="timed", model="b", needs=Needs(alone="in phases"))
        recorder = Recorder()
        executor = LocalExecutor(Store(tmp_path), recorder, module.core_ids()[:1])
        executor.run([one, add(4, model="a"), timed])
        assert [name for name, _ in recorder.ran] == ["add", "timed", "add", "add"]
        assert recorder.ran[0] == ("add", "b")

    def test_measurement_is_taken_although_what_is_before_it_failed(self, tmp_path):
        broken = fail("error")
        timed = Measurement("time", "net", (broken,), lambda finished, _: finished.failure(broken))
        finished = LocalExecutor(Store(tmp_path)).run([timed])
        assert str(finished.value(timed)) == "the kernel is missing"

    def test_results_are_told_when_something_is_measured(self, tmp_path):
        seen = []
        timed = Measurement("time", "net", (step := add(1),), lambda *_: 1)
        LocalExecutor(Store(tmp_path)).run(
            [timed, step], lambda found: seen.append(found.all_of([timed, step]))
        )
        assert seen == [True]


class TestMemory:
    @pytest.mark.slow
    def test_eater_is_stopped_and_what_runs_beside_it_is_not(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "memory_mb", lambda: 500)
        eater = Step("eat", "large", functions.eat, {"mb": 600, "seconds": 20.0})
        small = Step("eat", "small", functions.eat, {"mb": 1, "seconds": 1.0})
        recorder = Recorder()
        finished = LocalExecutor(Store(tmp_path), recorder).run([eater, small])
        assert finished.failure(small) is None
        with pytest.raises(StepError, match=r"eat of large used \d+ MiB of memory, more than"):
            finished.artifact(eater)

    @pytest.mark.slow
    def test_what_is_too_large_beside_another_runs_again_by_itself(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "memory_mb", lambda: 700)
        steps = [
            Step("eat", name, functions.eat, {"mb": mb, "seconds": 1.5 + mb / 1000})
            for name, mb in (("a", 300), ("b", 301))
        ]
        finished = LocalExecutor(Store(tmp_path)).run(steps)
        assert [finished.failure(step) for step in steps] == [None, None]

    def test_the_largest_goes_first(self):
        shared, small, large = SharedMemory(100), object(), object()
        assert not shared.exceeds(small, 40)
        assert shared.exceeds(large, 70)
        assert not shared.exceeds(small, 40)
        shared.end(large)
        assert not shared.exceeds(small, 90)
        assert shared.exceeds(small, 101)


DRIVER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from fqbench.artifacts import Store
    from fqbench.steps import Step, Unkeyed
    from fqbench.steps.executor import LocalExecutor
    from tests.support import step_functions as functions
    log, store = map(Path, sys.argv[1:])
    def work(name, seconds):
        inputs = {"name": name, "seconds": seconds, "log": Unkeyed(str(log))}
        return Step("work", name, functions.work, inputs)
    LocalExecutor(Store(store)).run([work("quick", 0.0), work("slow", 3.0), work("last", 0.0)])
    """
)


class TestInterruption:
    def start(self, tmp_path):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", DRIVER, tmp_path / "log", tmp_path / "store"]
        return subprocess.Popen(
            command, env=environment, stderr=subprocess.DEVNULL, preexec_fn=heed_interrupts
        )

    def until(self, tmp_path, name):
        limit = time.monotonic() + 30
        while name not in {line["name"] for line in lines(tmp_path / "log")}:
            assert time.monotonic() < limit
            time.sleep(0.05)

    @pytest.mark.slow
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
    def test_what_was_done_is_not_done_again(self, tmp_path, number):
        first = self.start(tmp_path)
        self.until(tmp_path, "quick")
        time.sleep(0.3)
        first.send_signal(number)
        begin = time.monotonic()
        assert first.wait(20) != 0
        assert time.monotonic() - begin < 3
        assert self.start(tmp_path).wait(60) == 0
        names = [line["name"] for line in lines(tmp_path / "log")]
        assert sorted(set(names)) == ["last", "quick", "slow"]
        assert names.count("slow") == 1
        assert names.count("quick") == 1

    @pytest.mark.slow
    def test_two_runs_on_one_store(self, tmp_path):
        both = [self.start(tmp_path), self.start(tmp_path)]
        assert [process.wait(60) for process in both] == [0, 0]
        assert sorted(line["name"] for line in lines(tmp_path / "log")) == ["last", "quick", "slow"]

    def test_step_that_resumes_goes_on_after_a_kill(self, tmp_path):
        step = Step("resume", "net", functions.resume, {"count": 1})
        store = Store(tmp_path)
        with pytest.raises(StepError, match="killed by SIGKILL"):
            LocalExecutor(store).run([step]).artifact(step)
        made = LocalExecutor(store).run([step]).artifact(step)
        assert made.file("tries").read_text() == "2"
