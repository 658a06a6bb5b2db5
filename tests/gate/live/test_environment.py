"""What runs a version: this Python, another, or an environment made for it."""

import os
import shutil
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
from filelock import FileLock

from fqbench.errors import UsageError
from fqbench.gate.live import environment
from fqbench.gate.live.environment import check_fqbench, interpreter, own_modules
from fqbench.gate.live.worktrees import Checkout
from fqbench.isolate import Interpreter


def checkout_of(folder, ref="main"):
    return Checkout(folder, "0" * 40, ref)


def test_it_is_this_python_by_default(tmp_path):
    assert interpreter(checkout_of(tmp_path), python=None, install=None, root=tmp_path) == (
        Interpreter.here()
    )


def test_a_version_of_fqbench_itself_brings_its_own_code(tmp_path):
    (tmp_path / "fqbench").mkdir()
    (tmp_path / "fqbench" / "__init__.py").write_text("")
    (tmp_path / "pyproject.toml").write_text(
        '[project.entry-points."fqbench.backends"]\nours = "fqbench.ours:BACKEND"\n'
    )
    first = (str(tmp_path / ".fqbench-gate"), str(tmp_path))
    found = interpreter(checkout_of(tmp_path), python=None, install=None, root=tmp_path)
    assert found == Interpreter.here(*first)
    python = Path(sys.executable)
    other = interpreter(checkout_of(tmp_path), python=python, install=None, root=tmp_path)
    assert other == Interpreter(str(python.absolute()), None, first)
    (known,) = distributions(name="fqbench", path=[first[0]])
    assert [(p.group, p.name, p.value) for p in known.entry_points] == [
        ("fqbench.backends", "ours", "fqbench.ours:BACKEND")
    ]


@pytest.mark.parametrize("place", ["", "src"])
@pytest.mark.parametrize("module", ["mine.py", "mine/__init__.py"])
def test_a_version_of_a_package_that_offers_records_brings_its_own_code(tmp_path, place, module):
    (tmp_path / place / module).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place / module).write_text("")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "my-own"\nversion = "2.1"\n'
        '[project.entry-points."fqbench.backends"]\nours = "mine:BACKEND"\n'
    )
    found = interpreter(checkout_of(tmp_path), python=None, install=None, root=tmp_path)
    metadata = tmp_path / ".fqbench-gate"
    assert found == Interpreter.here(str(metadata), str(tmp_path / place))
    (known,) = distributions(path=[str(metadata)])
    assert (known.name, known.version) == ("my-own", "2.1")
    assert [point.value for point in known.entry_points] == ["mine:BACKEND"]
    python = Path(sys.executable)
    # What is installed there is meant.
    other = interpreter(checkout_of(tmp_path), python=python, install=None, root=tmp_path)
    assert other == Interpreter(str(python.absolute()))


@pytest.mark.parametrize(
    "entry",
    ['[project.entry-points."fqbench.backends"]\nours = "elsewhere:BACKEND"', "[project.scripts]"],
)
def test_other_sources_are_left_alone(tmp_path, entry):
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "mine"\n{entry}\n')
    assert own_modules(tmp_path) == ()
    found = interpreter(checkout_of(tmp_path), python=None, install=None, root=tmp_path)
    assert found == Interpreter.here()


def test_a_project_that_cannot_be_read_is_reported(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project")
    with pytest.raises(UsageError, match=r"pyproject\.toml cannot be read: "):
        own_modules(tmp_path)


def test_a_python_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(UsageError, match=r"there is no Python .*nowhere"):
        interpreter(
            checkout_of(tmp_path), python=Path("/nowhere/python"), install=None, root=tmp_path
        )


def test_an_environment_is_made_once_for_a_version(tmp_path, monkeypatch):
    ran = []

    def run(command, *_):
        ran.append(command[1:])
        if command[2] == "venv":
            python = Path(command[3]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()

    monkeypatch.setattr(environment, "_run", run)
    for _ in range(2):
        found = interpreter(
            checkout_of(tmp_path), python=None, install="-c 'my list.txt' .", root=tmp_path / "e"
        )
    assert len(ran) == 2
    assert ran[1] == ["-m", "pip", "install", "--quiet", "-c", "my list.txt", "."]
    assert (found.path, found.first) == (None, ())
    interpreter(checkout_of(tmp_path), python=None, install="-r other", root=tmp_path / "e")
    assert len(ran) == 4


def test_an_environment_that_was_not_finished_is_made_again(tmp_path, monkeypatch):
    def fail(command, *_):
        Path(command[3]).mkdir(parents=True, exist_ok=True)
        raise UsageError("out of space")

    monkeypatch.setattr(environment, "_run", fail)
    for _ in range(2):
        with pytest.raises(UsageError, match="out of space"):
            interpreter(checkout_of(tmp_path), python=None, install=".", root=tmp_path / "e")


@pytest.fixture
def instant(monkeypatch):
    """Environments are made at once, with nothing in them."""

    def run(command, *_):
        if command[2] == "venv":
            python = Path(command[3]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()

    monkeypatch.setattr(environment, "_run", run)


def made(checkout, install, root):
    found = interpreter(checkout, python=None, install=install, root=root)
    return Path(found.executable).parents[1]


def test_a_file_outside_of_the_commit_may_change(tmp_path, instant):
    wheel = tmp_path / "a.whl"
    folders = []
    for text in ("one", "two", "one"):
        wheel.write_text(text)
        folders.append(made(checkout_of(tmp_path), str(wheel), tmp_path / "e"))
    assert folders[0] == folders[2] != folders[1]


def test_environments_that_were_used_last_are_kept(tmp_path, instant, monkeypatch):
    monkeypatch.setattr(environment, "KEPT", 2)
    root = tmp_path / "e"
    first, second = (made(checkout_of(tmp_path), name, root) for name in ("a", "b"))
    assert made(checkout_of(tmp_path), "a", root) == first
    third = made(checkout_of(tmp_path), "c", root)
    assert [folder.exists() for folder in (first, second, third)] == [True, False, True]
    assert len(list(root.glob("*.done"))) == 2


def test_an_environment_in_use_is_not_taken_away(tmp_path, instant, monkeypatch):
    monkeypatch.setattr(environment, "KEPT", 1)
    first = made(checkout_of(tmp_path), "a", tmp_path / "e")
    with FileLock(first.with_suffix(".lock")):
        made(checkout_of(tmp_path), "b", tmp_path / "e")
    assert first.exists()


@pytest.mark.parametrize("install", ["-e .", "-e.", "-Ue .", "--editable=.", "-r x --edit ."])
def test_what_stays_in_the_checkout_is_not_installed(tmp_path, instant, install):
    with pytest.raises(UsageError, match=r"--install .* installs editably"):
        made(checkout_of(tmp_path), install, tmp_path / "e")


@pytest.mark.parametrize("install", ["--extra-index-url https://x .", "-rreq.txt", "-c e.txt ."])
def test_other_options_of_pip_are_left_alone(tmp_path, instant, install):
    assert made(checkout_of(tmp_path), install, tmp_path / "e").is_dir()


def test_what_a_list_of_requirements_leaves_in_the_checkout_is_reported(tmp_path, monkeypatch):
    def run(command, *_):
        if command[2] == "venv":
            info = Path(command[3]) / "lib/python3/site-packages/mine-1.0.dist-info"
            info.mkdir(parents=True)
            (info / "direct_url.json").write_text('{"url": "x", "dir_info": {"editable": true}}')

    monkeypatch.setattr(environment, "_run", run)
    for _ in range(2):
        with pytest.raises(UsageError, match="mine was installed editably"):
            made(checkout_of(tmp_path), "-r requirements.txt", tmp_path / "e")


def test_words_that_no_shell_would_read_are_reported(tmp_path):
    with pytest.raises(UsageError, match=r"--install .* is not usable: No closing quotation"):
        made(checkout_of(tmp_path), "'", tmp_path / "e")


def test_a_python_that_does_not_start_is_reported(tmp_path):
    (tmp_path / "python").write_text("")
    python = Interpreter(str(tmp_path / "python"))
    with pytest.raises(UsageError, match=r"the Python of BASE does not run: .*Permission denied"):
        check_fqbench(python, "BASE")
    with pytest.raises(UsageError, match="the Python of HEAD does not run: it ended with 1"):
        check_fqbench(Interpreter(shutil.which("false")), "HEAD")


def test_an_environment_without_fqbench_is_reported():
    with pytest.raises(UsageError, match="BASE has no fqbench: name it in --install as well"):
        check_fqbench(Interpreter(sys.executable, path=(os.path.dirname(os.__file__),)), "BASE")


def test_this_environment_has_fqbench():
    check_fqbench(Interpreter.here(), "BASE")


@pytest.mark.slow
def test_pip_that_fails_is_reported(tmp_path):
    with pytest.raises(UsageError, match=r"the environment of main, 0{12} was not made: .*ERROR"):
        interpreter(
            checkout_of(tmp_path),
            python=None,
            install="--no-index --disable-pip-version-check nothing-of-this-name",
            root=tmp_path / "e",
        )
