"""A run that is killed goes on where it was; runs at once and damaged files do no harm."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import psutil
import pytest

from tests.support.paddle import needs_paddle
from tests.support.tiny_spec import without_data_root, write_spec

pytestmark = [pytest.mark.slow, needs_paddle]

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 120
MOMENTS = (
    "probe",
    "canonical",
    "predict",
    "calibrate",
    "paddle_program",
    "score",
    "choose",
    "lower_onnxruntime",
    "lower_paddle",
)
"""Steps in about the order in which a run comes to them: some run side by side."""

TRAINING = {"iterations": 30, "eval_iterations": 10, "learning_rate": {"rate": 1e-3}}

REPEATABLE = ("status", "accuracy", "drop", "images", "hashes", "int8_convolutions", "size_mb")


class Project:
    """A spec, and runs of it, each with a cache; ``first`` starts at once, undisturbed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec = write_spec(folder / "project")
        self.first = self.start("cache", "undisturbed")

    def start(self, cache: str, out: str, *options: str) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            "-m",
            "tests.support.quick_fqbench",
            "run",
            "--spec",
            str(self.spec),
            *("--backends", "onnxruntime", "paddle"),
        ]
        return subprocess.Popen(
            [*command, "--out", str(self.folder / out), *options],
            cwd=ROOT,
            env={
                **without_data_root(),
                "FQBENCH_CACHE": str(self.folder / cache),
                "COLUMNS": "1000",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str], out: str) -> tuple[dict[str, dict], str]:
        """What is the same in every run, by cell; and what the run said."""
        _, said = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0, said
        content = json.loads((self.folder / out / "results.json").read_text())
        return {r["cell"]: {key: r[key] for key in REPEATABLE} for r in content["rows"]}, said

    def run(self, cache: str, out: str) -> tuple[dict[str, dict], str]:
        return self.finish(self.start(cache, out), out)

    @cached_property
    def undisturbed(self) -> dict[str, dict]:
        """What ``first`` found, alone with its cache; waits for it."""
        found, _ = self.finish(self.first, "undisturbed")
        assert [row["status"] for row in found.values()] == ["ok"] * 4
        assert [row["int8_convolutions"] for row in found.values()] == [0, 3, 0, 2]
        return found


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("durability"))
    yield made
    made.first.kill()
    made.first.communicate()


@pytest.fixture
def undisturbed(project) -> dict[str, dict]:
    return project.undisturbed


def kill_when(process: subprocess.Popen[str], seen: Callable[[], bool]) -> None:
    """Kill a run and all it started, as soon as ``seen``; it must not have ended before."""
    deadline = time.monotonic() + TIMEOUT_S
    while not seen():
        assert process.poll() is None, "the run ended before the moment came"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    root = psutil.Process(process.pid)
    tree = [root, *root.children(recursive=True)]
    for member in tree:
        with suppress(psutil.NoSuchProcess):  # A child that ended meanwhile.
            member.kill()
    process.communicate(timeout=TIMEOUT_S)
    psutil.wait_procs(tree[1:], timeout=10)


def made(cache: Path) -> dict[str, int]:
    """Finished artifacts, by step and key, with the time at which each was made."""
    return {
        str(path.relative_to(cache)): (path / "manifest.json").stat().st_mtime_ns
        for path in cache.glob("*/*")
        if path.is_dir() and len(path.name) == 64
    }


def test_killed_run_goes_on_where_it_was(project):
    cache, finished = project.folder / "killed", {}
    kill_when(project.start("killed", "out"), lambda: True)
    kills = 0
    for step in MOMENTS:
        if any(path.startswith(f"{step}/") for path in made(cache)):
            continue  # It was done beside the one before.
        kills += 1
        process = project.start("killed", "out")
        kill_when(process, lambda step=step: any((cache / step).glob("*.tmp-*")))
        assert not (project.folder / "out" / "results.json").exists()
        assert finished.items() <= made(cache).items()
        finished = made(cache)
    assert kills >= 5
    found, _ = project.run("killed", "out")
    assert found == project.undisturbed
    assert finished.items() <= made(cache).items()
    assert set(made(cache)) == set(made(project.folder / "cache"))
    assert list(cache.glob("*/*.tmp-*")) == []


def test_killed_training_ends_with_the_same_weights(project, undisturbed):
    """What the training starts from is there: it is what is killed."""
    spec = write_spec(project.folder / "taught", "taught", distillation=TRAINING)
    options = ("--spec", str(spec), "--models", "taught", "--backends", "onnxruntime")
    options += ("--method", "distillation")
    whole, stopped = (project.folder / cache / "distill" for cache in ("whole", "stopped"))
    shutil.copytree(project.folder / "cache", whole.parent)
    project.finish(project.start("whole", "one", *options), "one")
    shutil.copytree(whole.parent, stopped.parent, ignore=shutil.ignore_patterns("distill"))
    process = project.start("stopped", "two", *options)
    kill_when(process, lambda: any(stopped.glob("*.scratch/checkpoint.npz")))
    project.finish(project.start("stopped", "two", *options), "two")
    assert list(stopped.glob("*.scratch")) == list(stopped.glob("*.tmp-*")) == []
    keys = {path.parent.name for path in whole.glob("*/manifest.json")}
    assert keys == {path.parent.name for path in stopped.glob("*/manifest.json")}
    for key in keys:
        for name in ("model.onnx", "quantization.json"):
            assert (whole / key / name).read_bytes() == (stopped / key / name).read_bytes()
        # Those that are kept may be from before: the errors are of what it came to in the end.
        one, two = (
            json.loads((folder / key / "history.json").read_text())["evaluations"]
            for folder in (whole, stopped)
        )
        assert one == two
        assert two[-1]["iteration"] == TRAINING["iterations"]


def test_second_run_repeats_nothing(project, undisturbed):
    before = made(project.folder / "cache")
    found, _ = project.run("cache", "again")
    assert found == undisturbed
    assert made(project.folder / "cache") == before


def test_two_runs_at_once_agree(project, undisturbed):
    options = ("--precisions", "fp32")
    runs = [project.start("shared", out, *options) for out in ("one", "two")]
    one, two = (project.finish(run, out)[0] for run, out in zip(runs, ("one", "two"), strict=True))
    assert one == two == {k: v for k, v in undisturbed.items() if k.endswith("fp32")}
    assert list((project.folder / "shared").glob("*/*.tmp-*")) == []


def test_damaged_artifact_is_made_again(project, undisturbed):
    shutil.copytree(project.folder / "cache", project.folder / "damaged")
    (lowered,) = (project.folder / "damaged" / "lower_onnxruntime").glob("*/model.onnx")
    content = bytearray(lowered.read_bytes())
    whole = bytes(content)
    content[len(content) // 2] ^= 0xFF
    lowered.write_bytes(content)
    found, said = project.run("damaged", "mended")
    assert found == undisturbed
    assert lowered.read_bytes() == whole
    assert "is damaged (model.onnx has other bytes)" in said
