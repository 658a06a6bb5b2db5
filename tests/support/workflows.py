"""Workflows of GitHub Actions, and their ``run:`` steps executed as a runner does it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from tests.support.tiny_spec import without_data_root
from tests.support.workflow_expressions import evaluate, text_of

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github/workflows"

_HEREDOC = re.compile(r"^(\w+)<<(\w+)\n(.*?)\n\2$", re.M | re.S)


def load(name: str) -> dict[str, Any]:
    """A workflow by its name; its triggers are at ``on``."""
    return parse((FOLDER / f"{name}.yml").read_text())


def parse(text: str) -> dict[str, Any]:
    content = yaml.safe_load(text)
    content["on"] = content.pop(True)  # YAML 1.1 takes the word for a truth value.
    return content


def _hash_files(folder: Path) -> Any:
    def digest(*patterns: str) -> str:
        names = [str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()]
        return "digest" if any(fnmatch(n, p) for n in names for p in patterns) else ""

    return digest


@dataclass(frozen=True)
class Ran:
    """A step that ran: its exit code and what it said."""

    code: int
    said: str


@dataclass
class Runner:
    """Executes steps of one workflow in ``folder``; programs in ``tools`` stand before others."""

    workflow: dict[str, Any]
    folder: Path
    scratch: Path
    tools: Path
    github: Mapping[str, Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    needs: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("summary", "output", "path"):
            (self.scratch / name).touch()

    @property
    def context(self) -> dict[str, Any]:
        """What expressions may name."""
        declared = self.workflow["on"].get("workflow_call", {}).get("inputs", {})
        assert set(self.inputs) <= set(declared)
        return {
            "github": self.github,
            "inputs": {k: v.get("default") for k, v in declared.items()} | dict(self.inputs),
            "needs": self.needs,
            "vars": self.variables,
            "runner": {"temp": str(self.scratch), "os": "Linux", "arch": "X64"},
            "functions": {
                "cancelled": lambda: False,
                "contains": lambda values, wanted: wanted in (values or ()),
                "fromJSON": json.loads,
                "hashFiles": _hash_files(self.folder),
            },
        }

    def wanted(self, job: str, step: str | None = None) -> bool:
        """Whether the ``if:`` of a job or a step holds."""
        holder = self.workflow["jobs"][job] if step is None else self._step(job, step)
        return bool(evaluate(holder.get("if", True), self.context))

    def run(self, job: str, step: str) -> Ran:
        """Execute a step, with the shell that GitHub runs for ``shell: bash``."""
        assert self.workflow["defaults"] == {"run": {"shell": "bash"}}
        script = self.scratch / "step.sh"
        script.write_text(self._step(job, step)["run"])
        given = {
            **self.workflow["jobs"][job].get("env", {}),
            **self._step(job, step).get("env", {}),
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.folder,
            env=without_data_root()
            | {"PATH": f"{self.tools}{os.pathsep}{os.environ['PATH']}"}
            | {f"GITHUB_{n.upper()}": str(self.scratch / n) for n in ("output", "path")}
            | {"GITHUB_STEP_SUMMARY": str(self.scratch / "summary")}
            | dict(self.environment)
            | {name: text_of(evaluate(value, self.context)) for name, value in given.items()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        return Ran(done.returncode, done.stdout)

    @property
    def summary(self) -> str:
        """The summary of the job."""
        return (self.scratch / "summary").read_text()

    @property
    def outputs(self) -> dict[str, str]:
        """Outputs of several lines."""
        found = _HEREDOC.findall((self.scratch / "output").read_text())
        return {name: value for name, _, value in found}

    def _step(self, job: str, name: str) -> dict[str, Any]:
        steps = self.workflow["jobs"][job]["steps"]
        return next(step for step in steps if step.get("name") == name)


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    command = ["git", *who, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, message: str) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def tool(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(0o755)
