"""Steps that run in another environment: with its libraries, and with this process's fqbench."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import onnx
import pytest

from fqbench.artifacts import Store
from fqbench.environments import HERE, Environment, Missing, here
from fqbench.environments import interpreter as module
from fqbench.errors import StepError
from fqbench.isolate import Interpreter
from fqbench.pipeline import steps
from fqbench.steps import Needs, Step, Unkeyed
from fqbench.steps.executor import LocalExecutor
from tests.support.operator_graphs import one
from tests.support.outside import install


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    """The Python of an environment with the libraries of this one, but without fqbench."""
    folder = tmp_path_factory.mktemp("other")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/*/site-packages")
    # Folders that a .pth file adds are searched, but their own .pth files are not read.
    (site / "these.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin/python"


@pytest.fixture
def found(other, monkeypatch, tmp_path):
    """``other`` as the environment called "elsewhere"."""
    there = Environment("elsewhere", other, {**here().versions, "numpy": "0.1"}, "made")
    monkeypatch.setattr(module, "find", lambda name: there)
    monkeypatch.setenv("FQBENCH_CACHE", str(tmp_path / "cache"))
    module._code.cache_clear()
    yield there
    module._code.cache_clear()


def run_in(interpreter: Interpreter, code: str) -> str:
    """What ``code`` prints where a child's path is that of ``interpreter``."""
    first = json.dumps(list(interpreter.first))
    text = f"import sys; sys.path[:0] = {first}\n{code}"
    command = [interpreter.executable, "-I", "-c", text]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_this_environment_is_this_python():
    assert module.interpreter(HERE) == Interpreter.here()


def test_missing_environment_says_what_makes_it(monkeypatch):
    monkeypatch.setattr(module, "find", lambda name: Missing(name, "run 'fqbench env make x'"))
    with pytest.raises(StepError, match="run 'fqbench env make x'"):
        module.interpreter("x")


def test_fqbench_is_this_one(found):
    import fqbench

    python = module.interpreter("elsewhere")
    assert python.executable == str(found.executable)
    code = "import fqbench, pathlib; print(pathlib.Path(fqbench.__file__).resolve().parent)"
    assert run_in(python, code) == str(Path(fqbench.__file__).resolve().parent)


def test_records_are_found(found):
    code = (
        "from fqbench.backends import backends; from fqbench.tasks.registry import tasks;"
        "print(*backends(), *tasks())"
    )
    from fqbench.backends import backends
    from fqbench.tasks.registry import tasks

    assert run_in(module.interpreter("elsewhere"), code).split() == [*backends(), *tasks()]


def test_packages_that_offer_records_come_along(found, monkeypatch, tmp_path):
    site = tmp_path / "site"
    install(site, "outside", {"fqbench.tasks": {"regression": "outside_tasks.own:TASK"}})
    (site / "outside_tasks").mkdir()
    (site / "outside_tasks/__init__.py").write_text("")
    (site / "outside_tasks/own.py").write_text(
        "from dataclasses import replace\n"
        "from fqbench.tasks.classification import TASK as OWN\n"
        "TASK = replace(OWN, name='regression', metric=replace(OWN.metric, name='error'),"
        " decoders=())\n"
    )
    monkeypatch.syspath_prepend(str(site))
    module._code.cache_clear()
    code = "import outside_tasks; print(outside_tasks.__name__)"
    assert run_in(module.interpreter("elsewhere"), code) == "outside_tasks"


def test_links_are_made_once(found, tmp_path):
    first = module.interpreter("elsewhere").first
    module._code.cache_clear()
    assert module.interpreter("elsewhere").first == first
    assert len(list((tmp_path / "cache/code").iterdir())) == 1


def test_folder_that_cannot_be_written_is_named(found, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(StepError, match=r"cannot be written .*: name another folder by FQBENCH"):
        module.interpreter("elsewhere")


@pytest.mark.slow
def test_step_runs_there_and_its_key_has_the_versions_there(found, monkeypatch, tmp_path):
    from fqbench import machine

    monkeypatch.setattr(machine, "find", lambda name: found if name == "elsewhere" else here())
    machine.versions.cache_clear()
    executor = LocalExecutor(Store(tmp_path / "store"))
    onnx.save(one("Relu"), str(tmp_path / "model.onnx"))
    counted = [
        Step(
            "multiply_adds",
            "net",
            steps.multiply_adds,
            {"canonical": Unkeyed(str(tmp_path)), "input_shape": []},
            ("numpy",),
            Needs(environment=name),
        )
        for name in (HERE, "elsewhere")
    ]
    made = [executor.run([step]).artifact(step) for step in counted]
    machine.versions.cache_clear()
    # A 1x1 convolution of 4 to 4 channels on 8x8.
    assert [each.file("multiply_adds.json").read_text() for each in made] == ["1024", "1024"]
    assert made[0].key != made[1].key
