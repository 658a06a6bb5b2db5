"""What is timed, what is timed again, and what is said of it; processes answer from a script."""

import random
from dataclasses import replace

import pytest

from fqbench.errors import StepError
from fqbench.gate.live.built_version import read_built
from fqbench.gate.live.comparison import ComparisonSettings, compare_live, time_pairs
from fqbench.isolate import Interpreter
from fqbench.measure import launches as module
from fqbench.measure.launches import Process

FP32, INT8 = "net-onnxruntime-cpu-fp32", "net-onnxruntime-cpu-int8"
DIGESTS = {"images": "i", "truth": "t"}


class Machine:
    """Stands in for child processes: how long each side of a cell takes, in seconds."""

    def __init__(self, monkeypatch, seconds, dies=()):
        self.seconds, self.dies, self.asked = seconds, dies, []
        self.noise = random.Random(0)
        monkeypatch.setattr(module.isolate, "converse", self.converse)

    def converse(self, function, arguments, *, name, **options):
        self.asked.append(name)
        return _Conversation(self, name, arguments)


class _Conversation:
    def __init__(self, machine, name, arguments):
        self.machine, self.name, self.arguments = machine, name, arguments

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def ready(self):
        if self.name in self.machine.dies:
            raise StepError(f"{self.name} was killed")
        return True

    def ask(self, question):
        if "warm_up" in question:
            return 2
        side = question["side"]
        key = (self.arguments.get("cell", {}).get("id"), side)
        typical = self.machine.seconds.get(key, 0.01)
        if (measure := self.arguments.get("measure")) is not None:
            return self.machine.measured[measure](side)
        return [typical * self.machine.noise.gauss(1, 0.001) for _ in range(question["runs"])]


def process(cell, side):
    return {
        "name": f"timing {cell}",
        "sides": [side],
        "function": "fqbench.measure.stopwatch:time_cell",
        "arguments": {"cell": {"id": cell}, "side": side},
        "threads": 1,
    }


def measuring(cell, side, measure):
    """What takes a measure, as another version describes it."""
    found = process(cell, side)
    return {
        **found,
        "name": f"{measure} of {cell}",
        "arguments": {**found["arguments"], "measure": measure},
    }


def row(cell, *, files="a", status="ok", **values):
    return {
        "cell": cell,
        "model": "net",
        "precision": cell.rpartition("-")[2],
        "status": status,
        "hashes": {**DIGESTS, "files": files},
        **values,
    }


def version(label, rows, *, code="c", accuracies=None, measures=()):
    side = label.lower()
    ok = [each["cell"] for each in rows if each["status"] == "ok"]
    answer = {
        "protocol": 1,
        "code": code,
        "created": "now",
        "machine": {"versions": {"onnxruntime": "1.0"}},
        "rows": rows,
        "samples": {"groups": [], "accuracies": accuracies or {}},
        "processes": {cell: process(cell, side) for cell in ok},
        "measures": {name: {cell: measuring(cell, side, name) for cell in ok} for name in measures},
    }
    return read_built(label, answer, Interpreter.here())


def verdicts(base, head, **settings):
    report = compare_live(base, head, ComparisonSettings(**settings), lambda *_: None)
    return report, {verdict.cell: verdict for verdict in report.decision.verdicts}


def test_what_is_the_same_on_both_sides_is_not_timed(monkeypatch):
    machine = Machine(monkeypatch, {})
    rows = [row(FP32), row(INT8)]
    report, found = verdicts(version("BASE", rows), version("HEAD", rows))
    assert {v.status for v in found.values()} == {"unchanged"}
    assert machine.asked == []
    assert report.decision.exit_code == 0


@pytest.mark.parametrize("change", [{"code": "other"}, {"files": "other"}])
def test_what_may_differ_is_timed(monkeypatch, change):
    machine = Machine(monkeypatch, {})
    code = change.get("code", "c")
    head = version("HEAD", [row(FP32, files=change.get("files", "a"))], code=code)
    report, found = verdicts(version("BASE", [row(FP32)]), head)
    assert found[FP32].status == "same"
    assert found[FP32].launches == 6
    assert {name for name in machine.asked if "kernels" not in name} == {
        f"timing {FP32} of BASE",
        f"timing {FP32} of HEAD",
    }
    assert "processes started from scratch 6 times per measurement, bound to one core" in (
        " ".join(report.certainty)
    )


def test_what_is_unchanged_may_still_answer_worse(monkeypatch):
    """The same files by the same code, but another spec tells how answers are read."""
    machine = Machine(monkeypatch, {})
    versions = [
        version(label, [row(FP32)], accuracies={FP32: [points, points - 1, points + 1, points]})
        for label, points in (("BASE", 80.0), ("HEAD", 20.0))
    ]
    report, found = verdicts(*versions)
    assert machine.asked == []
    assert found[FP32].status == "less accurate"
    assert report.decision.exit_code == 1


def test_another_input_is_timed(monkeypatch):
    machine = Machine(monkeypatch, {})
    head = version("HEAD", [row(FP32)])
    process = head.processes[FP32]
    arguments = {**process.arguments, "cell": {"id": FP32, "reading": "other"}}
    head.processes[FP32] = replace(process, arguments=arguments)
    verdicts(version("BASE", [row(FP32)]), head)
    assert machine.asked


def test_different_int8_models_are_named_where_they_are_slower(monkeypatch):
    Machine(monkeypatch, {(INT8, "head"): 0.0105})
    head = version("HEAD", [row(INT8, files="other")], code="other")
    report, _ = verdicts(version("BASE", [row(INT8)]), head)
    (caution,) = report.cautions
    assert caution.startswith(f"{INT8}: the versions made different INT8 models.")


def test_what_is_slower_is_timed_again_and_called_so(monkeypatch):
    Machine(monkeypatch, {(INT8, "head"): 0.0105})
    rows = [row(FP32), row(INT8)]
    report, found = verdicts(version("BASE", rows), version("HEAD", rows, code="other"))
    assert (found[FP32].status, found[FP32].again) == ("same", False)
    assert (found[INT8].status, found[INT8].again) == ("slower", True)
    assert found[INT8].slowdown.value == pytest.approx(1.05, abs=0.002)
    assert report.decision.exit_code == 1
    told = " ".join(report.certainty)
    assert "1 cell did not show to be the same and was measured again" in told


def test_what_looked_slower_by_chance_is_not_called_so(monkeypatch):
    """Slow in the first measurement, as when something else ran, and not in the second."""
    machine = Machine(monkeypatch, {(INT8, "head"): 0.012})
    converse = machine.converse

    def recovering(function, arguments, *, name, **options):
        # Three processes a launch, six launches: then the first measurement is over.
        if len(machine.asked) == 18:
            machine.seconds = {}
        return converse(function, arguments, name=name, **options)

    monkeypatch.setattr(module.isolate, "converse", recovering)
    base, head = version("BASE", [row(INT8)]), version("HEAD", [row(INT8)], code="other")
    report, found = verdicts(base, head)
    assert (found[INT8].status, found[INT8].again) == ("same", True)
    assert report.decision.exit_code == 0


def test_a_cell_that_dies_in_head_is_worse(monkeypatch):
    Machine(monkeypatch, {}, dies=(f"timing {INT8} of HEAD",))
    rows = [row(FP32), row(INT8)]
    report, found = verdicts(version("BASE", rows), version("HEAD", rows, code="other"))
    assert (found[FP32].status, found[INT8].status) == ("same", "failed")
    assert f"timing {INT8} of HEAD was killed" in found[INT8].reason
    assert report.decision.exit_code == 1


def test_cells_of_one_side_only_are_named(monkeypatch):
    Machine(monkeypatch, {})
    unsupported = row(INT8, status="unsupported", reason="no such device")
    base = version("BASE", [row(FP32), row(INT8)])
    head = version("HEAD", [unsupported, row("other-onnxruntime-cpu-fp32")], code="other")
    report, found = verdicts(base, head)
    assert {cell: v.status for cell, v in found.items()} == {
        INT8: "missing",
        "other-onnxruntime-cpu-fp32": "new",
        FP32: "missing",
    }
    assert report.decision.exit_code == 1


def test_accuracy_is_compared_on_the_same_images(monkeypatch):
    Machine(monkeypatch, {})
    drop = {"drop": {"value": 0.5, "ci95": [0.4, 0.6]}, "margin": 1.0}
    out = {"drop": {"value": 1.5, "ci95": [1.4, 1.6]}, "margin": 1.0}
    base = version("BASE", [row(INT8, **drop)], accuracies={INT8: [80.0, 79.0, 81.0, 80.5]})
    head = version(
        "HEAD", [row(INT8, **out)], code="o", accuracies={INT8: [79.0, 78.0, 80.0, 79.5]}
    )
    report, found = verdicts(base, head)
    assert found[INT8].status == "less accurate"
    assert found[INT8].loss.value == 1.0
    assert "left its margin" in found[INT8].reason
    assert report.decision.exit_code == 1


def test_the_same_process_is_told_its_side(monkeypatch):
    """As the self-test does, which times one version against itself."""
    Machine(monkeypatch, {(INT8, "head"): 0.02})
    one = Process(
        f"timing {INT8}", ("x",), "fqbench.measure.stopwatch:time_cell", {"cell": {"id": INT8}}
    )
    timed = time_pairs({INT8: (one, one)}, ComparisonSettings(), random.Random(0))[INT8]
    assert timed.again is not None
    assert set(timed.first.times) == {"base", "head", "float32", "int8", "copy"}


class TestMeasures:
    """What is compared beside latency, as if it were a cell of its own."""

    def compared(self, monkeypatch, measure, answer, **sides):
        machine = Machine(monkeypatch, {})
        machine.measured = {measure: answer}
        base = version("BASE", [row(FP32)], measures=sides.get("base", (measure,)))
        head = version("HEAD", [row(FP32)], code="other", measures=sides.get("head", (measure,)))
        report, found = verdicts(base, head)
        assert found.pop(FP32).status == "same"
        (verdict,) = found.values()
        assert verdict.cell == f"{FP32}: {measure}"
        assert verdict.measure == measure
        return report, verdict, machine

    def test_more_memory_is_worse(self, monkeypatch):
        noise = random.Random(1)

        def answer(side):
            peak = {"base": 200e6, "head": 230e6}[side] * noise.gauss(1, 0.001)
            return [60e6, 80e6, peak]

        report, verdict, _ = self.compared(monkeypatch, "memory", answer)
        assert (verdict.status, verdict.regressed) == ("more memory", True)
        assert verdict.base_mb == pytest.approx(200, rel=0.01)
        assert verdict.head_mb == pytest.approx(230, rel=0.01)
        assert verdict.base_ms is verdict.head_ms is None
        assert verdict.slowdown.value == pytest.approx(1.15, abs=0.005)
        assert verdict.reason.startswith(
            f"memory changed by {100 * (verdict.slowdown.value - 1):+.1f} %"
        )
        # Of seven launches the first does not count.
        assert verdict.launches == 6
        assert report.decision.exit_code == 1

    def test_less_memory_is_not(self, monkeypatch):
        noise = random.Random(1)

        def answer(side):
            return [60e6, 80e6, {"base": 200e6, "head": 150e6}[side] * noise.gauss(1, 0.001)]

        report, verdict, _ = self.compared(monkeypatch, "memory", answer)
        assert verdict.status == "less memory"
        assert report.decision.exit_code == 0

    def test_the_same_memory_is_the_same(self, monkeypatch):
        _, verdict, _ = self.compared(monkeypatch, "memory", lambda side: [60e6, 80e6, 200e6])
        assert verdict.status == "same"

    def test_a_slower_start_is_worse(self, monkeypatch):
        noise = random.Random(1)

        def answer(side):
            load = {"base": 0.1, "head": 0.2}[side] * noise.gauss(1, 0.01)
            return [0.2 * noise.gauss(1, 0.01), load, 0.05]

        report, verdict, _ = self.compared(monkeypatch, "startup", answer)
        assert (verdict.status, verdict.again) == ("slower", True)
        assert verdict.base_ms == pytest.approx(350, rel=0.02)
        assert verdict.head_ms == pytest.approx(450, rel=0.02)
        assert "time to the first answer changed by" in verdict.reason
        assert report.decision.exit_code == 1

    def test_fewer_images_a_second_are_slower(self, monkeypatch):
        noise = random.Random(1)

        def answer(side):
            return [{"base": 0.004, "head": 0.005}[side] * noise.gauss(1, 0.005)]

        _, verdict, machine = self.compared(monkeypatch, "throughput", answer)
        assert verdict.status == "slower"
        assert verdict.base_ms == pytest.approx(4, rel=0.02)
        # The kernels stand for latencies only.
        kernels = [name for name in machine.asked if "kernels" in name]
        assert len(kernels) == 6

    def test_end_to_end_is_of_the_whole(self, monkeypatch):
        noise = random.Random(1)

        def answer(side):
            part = {"base": 0.010, "head": 0.020}[side] * noise.gauss(1, 0.005)
            return [0.02, 0.01, part, 0.01] * 4

        _, verdict, _ = self.compared(monkeypatch, "end_to_end", answer)
        assert verdict.status == "slower"
        assert verdict.base_ms == pytest.approx(50, rel=0.02)
        assert verdict.head_ms == pytest.approx(60, rel=0.02)

    def test_what_an_older_version_does_not_have_is_new(self, monkeypatch):
        report, verdict, _ = self.compared(monkeypatch, "memory", None, base=())
        assert verdict.status == "new"
        assert report.decision.exit_code == 0

    def test_what_is_unchanged_is_not_taken(self, monkeypatch):
        machine = Machine(monkeypatch, {})
        sides = [version(label, [row(FP32)], measures=("memory",)) for label in ("BASE", "HEAD")]
        _, found = verdicts(*sides)
        assert {verdict.status for verdict in found.values()} == {"unchanged"}
        assert machine.asked == []
