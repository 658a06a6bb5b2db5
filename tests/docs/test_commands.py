"""Commands of README and docs: all are understood, and those that can be here are run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fqbench.cli.gate_options import mode_of
from fqbench.cli.main import parser
from fqbench.history.writer import record
from fqbench.measure.margin import images_needed
from fqbench.measure.stats import Interval
from tests.support.documented import PAGES, ROOT, blocks, commands, of_fqbench
from tests.support.kept_runs import SOURCE, results, row, samples
from tests.support.repository import git
from tests.support.tiny_config import write_config
from tests.support.tiny_spec import without_data_root, write_spec

WHOLE = {
    "tutorial.md": "block after block, below; its first lines install, which NOT_RUN has",
    "pytest.md": "tests/pytest_plugin/test_pytest_wheel.py, by a wheel instead of from GitHub",
}
"""Pages that are run from their first command to their last."""

OWN_MODEL = "fqbench init my_model.onnx --images photos --labels labels.txt"
"""The first command of a block of the README that is run as a whole, below."""

NOT_RUN = {
    r"(python|python3) -m (venv|pip) ": "the network; .ci/run installs by the same lines",
    r"pip (install|wheel) ": "the network",
    r"nvidia-smi ": "a GPU, and its settings",
    r"fqbench env (make|remove|use) ": "the network; tests/environments makes small ones",
    r"fqbench env check$": "what is installed decides its exit code; tests/environments has both",
    r"fqbench fetch \w": "gigabytes from the network; tests/fetch has a server of its own",
    r"fqbench run$": "takes minutes; nightly, below",
    r"fqbench run --(json|out \S+|measure \S+|methods \S+)$": "the embedded models take minutes",
    r"fqbench run --models published( --devices cpu)?$": "takes 15 minutes; nightly.yml runs it",
    r"fqbench run --models published --devices gpu": "a GPU",
    r"fqbench run --models (vit_)?seeded": "tests/pipeline takes each of them all the way",
    r"fqbench run --backends \S+==": "versions of a runtime, each in an environment",
    r"fqbench gate --base (main --head HEAD|onnxruntime==)": "tests/gate/live has versions",
    r"fqbench gate --self-test ": "takes minutes; tests/gate/selftest has stored times",
    r"fqbench (baseline|gate \S+.json) ": "of five runs; tests/gate/stored has such",
    r"(python -m )?pytest ": ".ci/run runs them",
    r"python -m tools\.cpu_mask ": "tests/tools has them",
    r"fqbench history (compare|yolov5s)": "of runs that are kept; tests/history has such",
    r"(for|jq|xargs|sleep) ": "no command of ours",
}
"""Commands that no test runs as they stand, each with why."""


def shown(words: list[str]) -> str:
    """A command by its program's name alone."""
    return " ".join([Path(words[0]).name, *words[1:]])


def why_not_run(command: str) -> str | None:
    return next((why for each, why in NOT_RUN.items() if re.match(each, command)), None)


def own_model() -> list[str]:
    (found,) = (block for block in blocks(PAGES[0]) if OWN_MODEL in block)
    return found.replace(".venv/bin/", "").splitlines()


ALL = {
    shown(words): words
    for page in PAGES
    if page.name not in WHOLE
    for block in blocks(page)
    for words in commands(block)
}
RUN = [
    words for each, words in ALL.items() if why_not_run(each) is None and each not in own_model()
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_understood(page):
    for arguments in of_fqbench(page):
        options = parser(arguments).parse_args(arguments)
        if options.command == "gate":
            mode_of(options)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("a && b -c 'x; y'\n", [["a"], ["b", "-c", "x; y"]]),
        ("for i in 1 2; do a $i; done", [["for", "i", "in", "1", "2"], ["a", "$i"]]),
        ("a --b \\\n    c   # why; so\n", [["a", "--b", "c"]]),
        ("a 'b # c'; d\n# e\n", [["a", "b # c"], ["d"]]),
        ("cat > x <<'EOF'\nno: command\nEOF\na > b | c\n", [["cat"], ["a"], ["c"]]),
    ],
)
def test_how_blocks_are_read(block, expected):
    assert list(commands(block)) == expected


def test_what_is_not_run_is_there():
    assert [each for each in NOT_RUN if not any(re.match(each, command) for command in ALL)] == []


def test_only_what_runs_here_is_run():
    """Nothing is left to a shell that is no program of the repository."""
    assert {Path(words[0]).name for words in RUN} <= {"fqbench", "python"}


def test_what_a_verdict_needs_is_what_is_computed():
    """The three lines of the table in docs/verdicts.md."""
    assert Interval(0.2, -0.4, 0.8).high <= 1
    assert images_needed(Interval(0.6, -0.4, 1.6), 0.5, 700) == pytest.approx(70_000, rel=0.02)
    assert images_needed(Interval(1.0, 0.0, 2.0), 0.5, 128) == pytest.approx(500, rel=0.05)


def programs(folder: Path, fqbench: str) -> Path:
    """A folder of ``fqbench``, which that module is, and ``python``, as the README names them."""
    folder.mkdir()
    for name, module in (("fqbench", f"-m {fqbench}"), ("python", "")):
        file = folder / name
        file.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        file.chmod(0o755)
    return folder


def run(command: list[str], programs_of: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{programs_of}{os.pathsep}{os.environ['PATH']}"
    home = {
        "FQBENCH_HISTORY": str(folder.parent / "history"),
        "PYTHONPATH": _path(),
    }
    return subprocess.run(
        command,
        cwd=folder,
        env={**without_data_root(), **home, "PATH": path},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def _path() -> str:
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))


@pytest.mark.slow
@pytest.mark.parametrize("words", RUN, ids=shown)
def test_command(words, tmp_path):
    """By an fqbench that hardly times."""
    data = tmp_path / "data"
    (tmp_path / "here").mkdir()
    spec, config = write_spec(data), write_config(data / "config")
    ours = {
        "my_model.yaml": str(spec),
        "my_model.onnx": str(data / "tiny.onnx"),
        "photos": str(data / "images"),
        "annotations.json": str(data / "list.txt"),
        "/path/to/data": str(data),
        "CFG.yaml": str(config),
    }
    command = [Path(words[0]).name, *(ours.get(word, word) for word in words[1:])]
    if "compress" in command:
        command += ["--data-root", str(data / "config")]
    if "history" in command:
        kept = results(row(model="digits_yolov5"))
        record(kept, samples(), SOURCE, tmp_path / "history")
    quick = programs(tmp_path / "bin", "tests.support.quick_fqbench")
    done = run(command, quick, tmp_path / "here")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_way_of_a_model_of_ones_own(tmp_path):
    """The README's four commands, one after the other, in a repository whose main has the spec."""
    project = tmp_path / "here"
    write_spec(project)
    (project / "tiny.yaml").unlink()
    (project / "tiny.onnx").rename(project / "my_model.onnx")
    (project / "images").rename(project / "photos")
    (project / "list.txt").rename(project / "labels.txt")
    quick = programs(tmp_path / "bin", "tests.support.quick_fqbench")
    for command in own_model():
        if " gate " in command:
            git(project, "init", "--quiet", "--initial-branch", "main")
            git(project, "add", "my_model.onnx", "my_model.yaml", "photos", "labels.txt")
            git(project, "commit", "--quiet", "--message", "Add the model")
        done = run(command.split(), quick, project)
        assert done.returncode == 0, done.stderr
    assert (project / "my_model.yaml").is_file()
    assert (project / "fqbench-out/report.html").is_file()
    assert (project / "ship/load.py").is_file()


nightly = pytest.mark.skipif(
    "FQBENCH_NIGHTLY" not in os.environ, reason="takes minutes: FQBENCH_NIGHTLY is not set"
)


@nightly
def test_the_first_command(tmp_path):
    (tmp_path / "here").mkdir()
    done = run(["fqbench", "run"], programs(tmp_path / "bin", "fqbench"), tmp_path / "here")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "here/fqbench-out/report.md").is_file()


@nightly
def test_the_tutorial(tmp_path):
    """All of it, block after block, by the fqbench and the clock that its readers have."""
    script = "\n".join(blocks(ROOT / "docs/tutorial.md"))
    installed = "python3 -m venv .venv"
    kept = [line for line in script.splitlines() if not line.startswith((installed, ". .venv"))]
    assert len(script.splitlines()) - len(kept) == 2
    command = ["bash", "-euo", "pipefail", "-c", "\n".join(kept)]
    (tmp_path / "here").mkdir()
    done = run(command, programs(tmp_path / "bin", "fqbench"), tmp_path / "here")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^exit code [01]$", done.stdout, re.M)
    project = tmp_path / "here" / "digits"
    for name in ("results/report.md", "ship/load.py", "verdict/gate.md"):
        assert (project / name).is_file()
    assert "['digits-onnxruntime-cpu-fp32', 'digits-onnxruntime-cpu-int8']" in done.stdout
