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
from tests.support.tiny_config import write_config
from tests.support.tiny_spec import without_data_root, write_spec

NOT_RUN = {
    r"(python|python3) -m (venv|pip) ": ".ci/run installs by the same lines",
    r"fqbench env make ": "installs hundreds of megabytes; tests/environments makes small ones",
    r"fqbench fetch ": "gigabytes from the network; tests/fetch has a server of its own",
    r"fqbench run$": "takes minutes; nightly, below",
    r"fqbench run --models published": "takes a quarter of an hour; nightly.yml runs it",
    r"fqbench run --backends \S+==": "versions of a runtime, each in an environment",
    r"fqbench gate --base (main|onnxruntime==)": "tests/gate/live has versions to compare",
    r"fqbench (baseline|gate baseline.json) ": "of five runs; tests/gate/stored has such",
    r"python -m pytest ": ".ci/run runs them",
    r"python -m tools\.(cpu_mask|peers) ": "tests/tools has them",
}
"""Commands of the README that no test runs as they stand, each with why. The first word is the
program's name alone."""


def shown(words: list[str]) -> str:
    return " ".join([Path(words[0]).name, *words[1:]])


def why_not_run(words: list[str]) -> str | None:
    return next((why for each, why in NOT_RUN.items() if re.match(each, shown(words))), None)


README = [words for block in blocks(PAGES[0]) for words in commands(block)]
RUN = [words for words in README if why_not_run(words) is None]


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
        ("a --b \\\n    c   # why\n", [["a", "--b", "c"]]),
        ("cat > x <<'EOF'\nno: command\nEOF\na > b | c\n", [["cat"], ["a"], ["c"]]),
    ],
)
def test_how_blocks_are_read(block, expected):
    assert list(commands(block)) == expected


def test_what_is_not_run_is_there():
    assert [each for each in NOT_RUN if not any(re.match(each, shown(w)) for w in README)] == []


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
        "FQBENCH_CACHE": str(folder.parent / "cache"),
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
def test_command_of_the_readme(words, tmp_path):
    """By an fqbench that hardly times."""
    data = tmp_path / "data"
    (tmp_path / "here").mkdir()
    spec, config = write_spec(data), write_config(data / "config")
    ours = {
        "my_model.yaml": str(spec),
        "/path/to/data": str(data),
        "examples/compress/yolov5s.yaml": str(config),
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
