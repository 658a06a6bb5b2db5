"""What ``fqbench doctor`` finds out, and what it says of it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fqbench.cli import doctor
from fqbench.cli.main import main
from fqbench.doctor import checkup, noise, products, runtimes
from fqbench.doctor.checkup import Checkup
from fqbench.doctor.noise import Noise
from fqbench.doctor.runtimes import Support
from fqbench.errors import StepError
from fqbench.measure.reference import Speed

SPEED = Speed(float32=40.0, int8=160.0, copy=5.0, spread=0.3)
RUNS = Support("onnxruntime", "cpu", ("fp32", "int8"), {"bf16": "no kernel"})
IDLE = Support("onnxruntime", "gpu", (), {"fp32": "there is no driver", "int8": "other"})


def machine(**fields) -> Checkup:
    cpu = {"model": "A CPU", "arch": "x86_64", "isa": ["avx2"], "cores": 2, "usable_cores": 2}
    known = {
        "cpu": cpu,
        "hidden": (),
        "memory_mb": 2048,
        "load": 0.5,
        "store": Path("/store"),
        "free_mb": 1024,
        "supports": (RUNS, IDLE),
        "saturates": (("onnxruntime", True),),
        "noise": Noise(12.0, 0.01, SPEED),
    }
    return Checkup(**{**known, **fields})


class TestNoise:
    def test_width_is_half_the_interval_as_a_part_of_the_ratio(self):
        # Two launches of one round each: the ratios are 2 and 4.5, their geometric mean is 3.
        times = {
            "float32": [[(2.0,)], [(9.0,)], [(2.0,)]],
            "int8": [[(1.0,)], [(2.0,)], [(1.0,)]],
            "copy": [[(1.0,)], [(1.0,)], [(1.0,)]],
        }
        found = noise.noise(times, 6.0)
        assert found.seconds == 6.0
        assert found.width > 0.5
        assert found.speed.float32 == pytest.approx(512**3 / 2e9)

    def test_what_is_always_the_same_has_no_width(self):
        times = {name: [[(1.0,), (1.0,)]] * 5 for name in ("float32", "int8", "copy")}
        assert noise.noise(times, 6.0).width == pytest.approx(0.0)

    @pytest.mark.parametrize(
        ("width", "seconds", "verdict"),
        [(0.01, 12.0, "quiet"), (0.02, 48.0, "noisy"), (0.05, 300.0, "too noisy")],
    )
    def test_twice_the_width_takes_four_times_as_long(self, width, seconds, verdict):
        found = Noise(12.0, width, SPEED)
        assert found.seconds_for_gate == pytest.approx(seconds)
        assert found.verdict == verdict

    @pytest.mark.slow
    def test_this_machine_is_timed(self):
        found = noise.listen(0.1)
        assert found.speed.float32 > 0
        assert 0 < found.width < 10


class TestSupports:
    def test_onnx_runtime_runs_on_the_cpu(self):
        found = {(each.backend, each.device): each for each in runtimes.supports()}
        assert {"fp32", "int8"} <= set(found["onnxruntime", "cpu"].precisions)
        assert found["tensorrt", "cpu"].precisions == ()
        assert "NVIDIA" in found["tensorrt", "cpu"].reason

    def test_only_what_may_saturate_is_probed(self):
        never = replace(RUNS, backend="tensorrt")
        assert products.probed([RUNS, IDLE, never]) == ("onnxruntime",)


class TestProducts:
    def test_the_probe_of_onnx_runtime_answers(self):
        assert products.saturates("onnxruntime") in (True, False)

    def test_a_probe_that_fails_is_told_in_its_place(self, monkeypatch):
        def fail(name):
            raise StepError(f"{name} died")

        monkeypatch.setattr(checkup, "saturates", fail)
        monkeypatch.setattr(checkup, "supports", lambda: (RUNS,))
        found = checkup.examine(lambda *_: None, 0)
        assert found.saturates == (("onnxruntime", "onnxruntime died"),)
        assert found.noise is None
        assert not found.runs


class TestCheckup:
    def test_something_runs(self):
        assert machine().runs
        assert machine(noise=None).runs

    def test_nothing_runs(self):
        assert not machine(supports=(IDLE,)).runs

    def test_what_failed_is_not_fine(self):
        assert not machine(noise="timing hung").runs

    def test_the_store_need_not_be_there(self, monkeypatch, tmp_path):
        monkeypatch.setenv("FQBENCH_CACHE", str(tmp_path / "not" / "yet"))
        monkeypatch.setattr(checkup, "supports", lambda: (IDLE,))
        found = checkup.examine(lambda *_: None, 0)
        assert found.free_mb > 0
        assert not (tmp_path / "not").exists()


class TestSentences:
    def test_what_is_said_of_a_quiet_machine(self):
        text = " ".join(doctor.sentences(machine()))
        assert "INT8 is at most 4.0 times as fast" in text
        assert "ONNX Runtime: sums of 8-bit products saturate on this CPU" in text
        assert "a ratio was known to 1.0% after 12 s; to 1% it takes about 12 s" in text
        assert "tells a change of 2% in its own time" in text
        assert "fqbench init MODEL.onnx" in text

    def test_a_noisy_machine_gets_the_option_that_helps(self):
        text = " ".join(doctor.sentences(machine(noise=Noise(12.0, 0.02, SPEED))))
        assert "give the gate --seconds 96" in text

    def test_a_machine_that_is_too_noisy(self):
        text = " ".join(doctor.sentences(machine(noise=Noise(12.0, 0.2, SPEED))))
        assert "too noisy for the gate" in text
        assert "to 1% it takes about 80 min" in text

    def test_times_that_nobody_waits_for_are_not_counted(self):
        text = " ".join(doctor.sentences(machine(noise=Noise(12.0, 2.5, SPEED))))
        assert "to 1% it takes more than a day" in text

    def test_what_does_not_run_is_said_once_for_each_reason(self):
        also = replace(IDLE, backend="tensorrt")
        (said,) = [
            each
            for each in doctor.sentences(machine(supports=(RUNS, IDLE, also)))
            if each.startswith("Does not run")
        ]
        assert said == (
            "Does not run: ONNX Runtime on the GPU, TensorRT on the GPU: there is no driver."
        )

    def test_what_failed_is_said(self):
        text = " ".join(doctor.sentences(machine(noise="timing hung", saturates=())))
        assert "It could not be timed on: timing hung" in text


class TestCommand:
    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch):
        monkeypatch.setattr(doctor, "examine", lambda progress, seconds: machine())
        monkeypatch.setenv("COLUMNS", "200")

    def test_the_table_says_why_a_device_runs_nothing(self, capsys):
        assert main(["doctor"]) == 0
        out = capsys.readouterr().out
        assert "FP32, INT8" in out
        assert "there is no driver" in out
        assert "no kernel" not in out

    def test_json_holds_all_of_it(self, capsys):
        assert main(["doctor", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["backends"][0]["reasons"] == {"bf16": "no kernel"}
        assert found["noise"]["verdict"] == "quiet"
        assert found["saturates"] == {"onnxruntime": True}
        assert found["store"] == {"folder": "/store", "free_mb": 1024}

    @pytest.mark.parametrize("seconds", ["-1", "nan", "much", "inf"])
    def test_seconds_that_are_none_are_refused(self, seconds, capsys):
        with pytest.raises(SystemExit) as ended:
            main(["doctor", "--seconds", seconds])
        assert ended.value.code == 2
        assert "is not a number of seconds" in capsys.readouterr().err
