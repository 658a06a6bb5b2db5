"""The workflows and the examples of docs/ci.md: linted, and safe."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.workflows import FOLDER, ROOT, git, load, parse

NAMES = sorted(path.stem for path in FOLDER.glob("*.yml"))
JOBS = [(name, job) for name in NAMES for job in load(name)["jobs"]]
STEPS = [(name, step) for name, job in JOBS for step in load(name)["jobs"][job].get("steps", ())]
OURS = "OWNER/fqbench/.github/workflows/gate.yml@v0.1.0"
HERE = "./.github/workflows/gate.yml"


def actionlint(*files: Path, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """What actionlint says, with shellcheck on every script; both come with the extra ``dev``."""
    programs = Path(sys.executable).parent
    if not (programs / "actionlint").is_file():
        pytest.skip("actionlint comes with the extra dev")
    return subprocess.run(
        [programs / "actionlint", "-shellcheck", programs / "shellcheck", "-pyflakes", "", *files],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


class TestLint:
    def test_workflows_are_clean(self):
        found = actionlint()
        assert (found.returncode, found.stdout) == (0, "")

    @pytest.mark.parametrize(
        ("line", "finding"),
        [
            ("echo ${{ github.event.pull_request.title }}", "potentially untrusted"),
            ("echo ${{ github.evnt }}", "property"),
            ('rm "$1', "SC1073"),
        ],
    )
    def test_what_is_wrong_is_found(self, tmp_path, line, finding):
        job = {"runs-on": "ubuntu-24.04", "steps": [{"run": line}]}
        path = tmp_path / "wrong.yml"
        path.write_text(yaml.safe_dump({"on": "push", "jobs": {"job": job}}))
        found = actionlint(path)
        assert found.returncode == 1
        assert finding in found.stdout


class TestSafety:
    def test_nothing_runs_with_the_rights_of_the_base_branch(self):
        triggers = {trigger for name in NAMES for trigger in load(name)["on"]}
        known = {"pull_request", "push", "schedule", "workflow_call", "workflow_dispatch"}
        assert triggers == known

    def test_nothing_may_write_but_the_comment(self):
        allowed = {
            (name, job, right)
            for name, job in JOBS
            for right, level in load(name)["jobs"][job]["permissions"].items()
            if level != "read"
        }
        assert allowed == {
            ("gate", "comment", "pull-requests"),
            ("pull-request", "gate", "pull-requests"),
        }
        assert all(load(name)["permissions"] == {} for name in NAMES)

    def test_the_job_that_writes_runs_nothing_of_the_pull_request(self):
        (step,) = load("gate")["jobs"]["comment"]["steps"]
        assert step["name"] == "Comment"
        assert "uses" not in step

    @pytest.mark.parametrize(("name", "step"), STEPS)
    def test_scripts_hold_no_expressions(self, name, step):
        assert "${{" not in step.get("run", "")

    def test_actions_are_githubs_own_and_pinned(self):
        actions = r"actions/(checkout|setup-python|upload-artifact|cache(/restore|/save)?)"
        pattern = rf"{actions}@[0-9a-f]{{40}} # v\d+\.\d+\.\d+"
        used = [
            line.partition("uses:")[2].strip()
            for name in NAMES
            for line in (FOLDER / f"{name}.yml").read_text().splitlines()
            if "uses:" in line
        ]
        used.remove(HERE)
        assert len(used) > 10
        assert [each for each in used if not re.fullmatch(pattern, each)] == []
        versions = {(each.split("@")[0].split("/")[1], each.split("@")[1]) for each in used}
        assert len(versions) == 4

    def test_checkouts_leave_no_credentials(self):
        given = [
            step["with"]["persist-credentials"]
            for _, step in STEPS
            if step.get("uses", "").startswith("actions/checkout@")
        ]
        # Files in Git LFS are fetched with them.
        assert sorted(map(str, given)) == ["${{ inputs.lfs }}", "False", "False", "False"]

    def test_every_job_ends_and_every_workflow_gives_way(self):
        for name, job in JOBS:
            called = "uses" in load(name)["jobs"][job]
            assert called or load(name)["jobs"][job]["timeout-minutes"] <= 180
            assert called or "group" in load(name)["concurrency"]


def test_ci_runs_what_ci_is():
    job = load("ci")["jobs"]["test"]
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    declared = re.findall(
        r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text()
    )
    assert job["strategy"]["matrix"]["python"] == declared
    assert declared[0] == "3.10"


class TestDocument:
    TEXT = (ROOT / "docs/ci.md").read_text()
    EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.M | re.S)

    def test_examples_are_clean(self, tmp_path):
        """Beside the reusable workflow itself, so that their inputs are checked too."""
        workflows = tmp_path / ".github/workflows"
        shutil.copytree(FOLDER, workflows)
        shutil.copy(ROOT / ".github/actionlint.yaml", workflows.parent)
        git(tmp_path, "init", "--quiet")
        assert len(self.EXAMPLES) >= 2
        for number, example in enumerate(self.EXAMPLES):
            assert f"uses: {OURS}\n" in example
            (workflows / f"example-{number}.yml").write_text(example.replace(OURS, HERE))
        found = actionlint(folder=tmp_path)
        assert (found.returncode, found.stdout) == (0, "")

    def test_examples_allow_what_the_gate_asks_for(self):
        asked = {
            right: level
            for job in load("gate")["jobs"].values()
            for right, level in job["permissions"].items()
        }
        for example in self.EXAMPLES:
            for job in parse(example)["jobs"].values():
                assert job["permissions"] == asked
                assert "pull_request_target" not in example

    def test_every_input_is_told(self):
        told = re.findall(r"^\| `([\w-]+)` \|", self.TEXT, re.M)
        assert told == list(load("gate")["on"]["workflow_call"]["inputs"])
