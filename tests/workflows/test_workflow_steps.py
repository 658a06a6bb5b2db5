"""The ``run:`` steps of the workflows, executed."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from tests.support.tiny_spec import classifier, write_spec
from tests.support.workflow_expressions import evaluate
from tests.support.workflows import ROOT, Runner, commit, git, load, tool

PYTHON = """
import os, sys
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""

RECORDING = """
import json, os, pathlib, sys
folder = pathlib.Path(__file__).parent
with (folder / "calls.jsonl").open("a") as stream:
    print(json.dumps(sys.argv[1:]), file=stream)
"""

VERDICT = (
    RECORDING
    + """
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
if verdict := os.environ.get("FAKE_VERDICT"):
    out.mkdir(parents=True, exist_ok=True)
    (out / "gate.md").write_text(verdict)
print("said on the way", file=sys.stderr)
print("the last word")
sys.exit(int(os.environ.get("FAKE_CODE", "0")))
"""
)

COMMENTS = (
    RECORDING
    + """
import subprocess
if "--jq" in sys.argv:
    comments = os.environ["FAKE_COMMENTS"]
    chosen = sys.argv[sys.argv.index("--jq") + 1]
    sys.exit(subprocess.run(["jq", "-r", chosen], input=comments, text=True).returncode)
sys.exit(int(os.environ.get("FAKE_CODE", "0")))
"""
)


def calls(tools: Path) -> list[list[str]]:
    path = tools / "calls.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def place(tmp_path):
    for name in ("repository", "scratch", "tools"):
        (tmp_path / name).mkdir()
    git(tmp_path / "repository", "init", "--quiet", "--initial-branch", "main")
    tool(tmp_path / "tools", "python", PYTHON)
    return tmp_path


def runner(place: Path, name: str, **changes) -> Runner:
    return Runner(
        load(name),
        place / "repository",
        place / "scratch",
        place / "tools",
        **{"github": {}, **changes},
    )


def pull_request(base: str = "", head: str = "", *, origin: str = "ann/models", **event) -> dict:
    return {
        "event_name": "pull_request",
        "repository": "ann/models",
        "ref": "refs/pull/7/merge",
        "token": "secret",
        "actor": "ann",
        "event": {
            "pull_request": {
                "number": 7,
                "base": {"sha": base},
                "head": {"sha": head, "repo": {"full_name": origin}},
                "labels": [],
            },
            **event,
        },
    }


class TestGate:
    @pytest.fixture
    def versions(self, place):
        """Where HEAD left the base branch, the base branch as it went on, HEAD (checked out)."""
        left = commit(place / "repository", "start")
        git(place / "repository", "checkout", "--quiet", "-b", "change")
        head = commit(place / "repository", "change")
        git(place / "repository", "checkout", "--quiet", "main")
        gone_on = commit(place / "repository", "another change")
        git(place / "repository", "checkout", "--quiet", "--detach", head)
        tool(place / "tools", "fqbench", VERDICT)
        return left, gone_on, head

    def test_compares_with_where_head_left_the_base_branch(self, place, versions):
        left, gone_on, head = versions
        ran = runner(place, "gate", github=pull_request(gone_on, head)).run("gate", "Gate")
        assert ran.code == 0
        expected = ["gate", "--base", left, "--head", head, "--out", "fqbench-gate"]
        assert calls(place / "tools") == [expected]

    def test_passes_inputs_on(self, place, versions):
        left, _, head = versions
        inputs = {
            "base": "main",
            "specs": "a.yaml\nmodels/b.yaml\n",
            "models": "a  b",
            "backends": "onnxruntime",
            "install": "-c 'own constraints.txt' .",
            "seconds": "5",
            "slowdown": "0",
        }
        ran = runner(place, "gate", inputs=inputs).run("gate", "Gate")
        assert ran.code == 0
        (call,) = calls(place / "tools")
        assert call[:5] == ["gate", "--base", left, "--head", head]
        assert shlex.join(call[7:]) == shlex.join(
            [
                *("--spec", "a.yaml", "models/b.yaml", "--models", "a", "b"),
                *("--backends", "onnxruntime", "--install=-c 'own constraints.txt' ."),
                *("--seconds=5", "--slowdown=0"),
            ]
        )

    def test_inputs_are_no_shell(self, place, versions):
        inputs = {"base": "main", "specs": "$(touch harm) `touch harm` * ;touch harm"}
        assert runner(place, "gate", inputs=inputs).run("gate", "Gate").code == 0
        assert not (place / "repository/harm").exists()
        assert "*" in calls(place / "tools")[0]

    @pytest.mark.parametrize("code", [0, 1, 2])
    def test_its_exit_code_is_that_of_the_command(self, place, versions, code):
        inputs = {"base": "main"}
        environment = {"FAKE_CODE": str(code)}
        ran = runner(place, "gate", inputs=inputs, environment=environment).run("gate", "Gate")
        assert ran.code == code
        assert ran.said.splitlines() == ["said on the way", "the last word"]

    @pytest.mark.parametrize(
        ("base", "said"),
        [
            ("", "::error::The input base is needed where there is no pull request."),
            ("no-such", "::error::HEAD shares no history with a version no-such."),
            ("--all", "::error::HEAD shares no history with a version --all."),
            ("stranger", "::error::HEAD shares no history with a version stranger."),
        ],
    )
    def test_says_what_base_it_lacks(self, place, versions, base, said):
        git(place / "repository", "checkout", "--quiet", "--orphan", "stranger")
        commit(place / "repository", "of another project")
        git(place / "repository", "checkout", "--quiet", "--detach", versions[2])
        ran = runner(place, "gate", inputs={"base": base}).run("gate", "Gate")
        assert (ran.code, ran.said.strip()) == (2, said)
        assert calls(place / "tools") == []

    def test_verdict_becomes_summary_and_output(self, place, versions):
        verdict = "**Nothing got worse.**\n\n| `cell` | EOF |\nEOF\nverdict=other\n"
        job = runner(place, "gate", inputs={"base": "main"}, environment={"FAKE_VERDICT": verdict})
        job.run("gate", "Gate")
        assert job.run("gate", "Verdict").code == 0
        assert job.summary == f"### fqbench gate\n\n{verdict}"
        assert job.outputs == {"verdict": job.summary.rstrip("\n")}

    def test_without_a_verdict_the_end_of_the_log_is_told(self, place, versions):
        job = runner(place, "gate", inputs={"base": "main"}, environment={"FAKE_CODE": "2"})
        job.run("gate", "Gate")
        assert job.run("gate", "Verdict").code == 0
        assert job.summary == (
            "### fqbench gate\n\nThe gate could not run; the log of the job says why.\n\n"
            "    said on the way\n    the last word\n"
        )

    def test_where_nothing_could_be_installed_the_summary_says_so(self, place):
        job = runner(place, "gate")
        assert job.run("gate", "Verdict").code == 0
        assert "The gate could not run" in job.outputs["verdict"]

    def test_verdict_longer_than_a_comment(self, place, versions):
        environment = {"FAKE_VERDICT": "x" * 70_000}
        job = runner(place, "gate", inputs={"base": "main"}, environment=environment)
        job.run("gate", "Gate")
        assert job.run("gate", "Verdict").code == 0
        assert "x" * 70_000 in job.summary
        assert job.outputs["verdict"].startswith("The verdict is too long")

    def test_installs_what_it_is_told(self, place):
        tool(place / "tools", "python", RECORDING + SHAM_VENV)
        job = runner(place, "gate", inputs={"fqbench": "-c constraints.txt -e ."})
        assert job.run("gate", "Install fqbench").code == 0
        venv = place / "scratch/fqbench"
        assert calls(place / "tools") == [["-m", "venv", str(venv)]]
        assert calls(venv / "bin") == [["-m", "pip", "install", "-c", "constraints.txt", "-e", "."]]
        assert (place / "scratch/path").read_text() == f"{venv}/bin\n"


SHAM_VENV = """
if sys.argv[1:3] == ["-m", "venv"]:
    programs = pathlib.Path(sys.argv[3]) / "bin"
    programs.mkdir(parents=True)
    (programs / "python").write_text(pathlib.Path(__file__).read_text())
    (programs / "python").chmod(0o755)
"""


class TestComment:
    NEEDS = {"gate": {"outputs": {"verdict": "### fqbench gate\n\n**Nothing got worse.**"}}}  # noqa: RUF012

    def job(self, place, comments=(), **changes) -> Runner:
        if shutil.which("jq") is None:
            pytest.skip("the stand-in for gh needs jq")
        tool(place / "tools", "gh", COMMENTS)
        environment = {"FAKE_COMMENTS": json.dumps(comments), **changes}
        return runner(
            place, "gate", github=pull_request(), needs=self.NEEDS, environment=environment
        )

    def test_the_first_one_is_made(self, place):
        others = [
            {"id": 1, "user": {"type": "User"}, "body": "<!-- fqbench gate -->\n\nno bot"},
            {"id": 2, "user": {"type": "Bot"}, "body": "<!-- fqbench arm -->\n\nanother gate"},
            {"id": 3, "user": {"type": "Bot"}, "body": "quotes <!-- fqbench gate -->"},
        ]
        assert self.job(place, others).run("comment", "Comment").code == 0
        *_, (command, *arguments) = calls(place / "tools")
        assert (command, arguments) == (
            "api",
            ["--method", "POST", "repos/ann/models/issues/7/comments", "--field", "body=@body.md"],
        )
        body = (place / "repository/body.md").read_text()
        assert body == "<!-- fqbench gate -->\n\n### fqbench gate\n\n**Nothing got worse.**\n"

    def test_an_earlier_one_is_replaced(self, place):
        body = "<!-- fqbench gate -->\n\n### fqbench gate\n"
        earlier = [{"id": i, "user": {"type": "Bot"}, "body": body} for i in (41, 42)]
        assert self.job(place, earlier).run("comment", "Comment").code == 0
        assert calls(place / "tools")[-1][1:] == [
            *("--method", "PATCH", "repos/ann/models/issues/comments/41"),
            *("--field", "body=@body.md"),
        ]

    def test_a_refusal_fails_the_step(self, place):
        assert self.job(place, FAKE_CODE="1").run("comment", "Comment").code == 1

    @pytest.mark.parametrize(
        ("github", "needs", "wanted"),
        [
            (pull_request(), NEEDS, True),
            (pull_request(origin="mallory/models"), NEEDS, False),
            ({**pull_request(), "actor": "dependabot[bot]"}, NEEDS, False),
            ({**pull_request(), "event_name": "push"}, NEEDS, False),
            (pull_request(), {"gate": {"outputs": {}}}, False),
        ],
    )
    def test_only_where_it_may_be_written(self, place, github, needs, wanted):
        assert runner(place, "gate", github=github, needs=needs).wanted("comment") is wanted


class TestGpu:
    def after(self, place: Path, script: str) -> Runner:
        """After pytest wrote its report of a module."""
        module = place / "test_module.py"
        module.write_text(f"import pytest\n{script}")
        report = place / "repository/gpu/tests.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        subprocess.run(
            [*command, f"--junitxml={report}", "--rootdir", place, "-c", "/dev/null", module],
            env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            check=False,
        )
        return runner(place, "gpu")

    @pytest.mark.slow
    def test_skips_do_not_pass(self, place):
        skipped = '@pytest.mark.skip(reason="no GPU")\ndef test_it(): pass\n'
        ran = self.after(place, skipped).run("gpu", "At least one test ran")
        assert (ran.code, ran.said) == (1, "0 of 1 tests ran\n")

    @pytest.mark.slow
    def test_no_tests_do_not_pass(self, place):
        ran = self.after(place, "").run("gpu", "At least one test ran")
        assert (ran.code, ran.said) == (1, "0 of 0 tests ran\n")

    @pytest.mark.slow
    def test_one_that_ran_passes(self, place):
        both = "def test_it(): pass\ndef test_other(): pytest.skip('no GPU')\n"
        ran = self.after(place, both).run("gpu", "At least one test ran")
        assert (ran.code, ran.said) == (0, "1 of 2 tests ran\n")

    @pytest.mark.parametrize(
        ("told", "extra"),
        [
            ("| Driver Version: 550.54   CUDA Version: 12.4 |", "tensorrt-cu12"),
            ("| Driver Version: 580.65   CUDA Version: 13.0 |", "tensorrt"),
        ],
    )
    def test_installs_what_the_driver_runs(self, place, told, extra):
        tool(place / "tools", "python", RECORDING + SHAM_VENV)
        tool(place / "tools", "nvidia-smi", f"print({told!r})")
        assert runner(place, "gpu").run("gpu", "Install fqbench").code == 0
        (installed,) = calls(place / "scratch/fqbench/bin")
        assert installed[-2:] == ["-e", f".[{extra}]"]

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("told", "package"),
        [
            ("CUDA Version: 12.4 ", "onnxruntime-gpu[cuda,cudnn]<1.27"),
            ("CUDA Version: 13.0 ", "onnxruntime-gpu[cuda,cudnn]"),
        ],
    )
    def test_onnx_runtime_for_the_gpu_takes_the_place_of_the_other(self, place, told, package):
        tool(place / "tools", "python", RECORDING)
        tool(place / "tools", "nvidia-smi", f"print({told!r})")
        assert runner(place, "gpu").run("gpu", "FP32 by ONNX Runtime").code == 0
        gone, come, ran = calls(place / "tools")
        assert gone == ["-m", "pip", "uninstall", "--yes", "onnxruntime"]
        assert come == ["-m", "pip", "install", package, "numpy<2"]
        assert ran[-3:] == ["--backends", "onnxruntime", "--benchmark-json=gpu/onnxruntime.json"]

    def test_runs_what_is_marked(self, place):
        tool(place / "tools", "python", RECORDING)
        assert runner(place, "gpu").run("gpu", "Benchmarks and conformance").code == 0
        (call,) = calls(place / "tools")
        assert call == [
            *("-m", "pytest", "benchmarks", "conformance", "tests/test_gpu.py", "-m", "gpu"),
            *("--benchmark-json=gpu/latency.json", "--junitxml=gpu/tests.xml"),
        ]

    @pytest.mark.parametrize(
        ("action", "label", "labels", "origin", "wanted"),
        [
            ("labeled", "gpu", ["gpu"], "ann/models", True),
            ("labeled", "docs", ["gpu", "docs"], "ann/models", False),
            ("synchronize", None, ["docs", "gpu"], "ann/models", True),
            ("synchronize", None, ["docs"], "ann/models", False),
            ("labeled", "gpu", ["gpu"], "mallory/models", False),
        ],
    )
    def test_on_pull_requests(self, place, action, label, labels, origin, wanted):
        github = pull_request(origin=origin, action=action, label={"name": label})
        github["event"]["pull_request"]["labels"] = [{"name": name} for name in labels]
        assert runner(place, "gpu", github=github).wanted("gpu") is wanted

    def test_another_label_does_not_stop_a_run(self, place):
        def group(label: str, run: int) -> str:
            github = pull_request(action="labeled", label={"name": label})
            given = runner(place, "gpu", github={**github, "workflow": "GPU", "run_id": run})
            return evaluate(given.workflow["concurrency"]["group"], given.context)

        assert group("gpu", 1) == group("gpu", 2) == "GPU-refs/pull/7/merge"
        assert group("docs", 3) == "GPU-3"

    @pytest.mark.parametrize(("variables", "wanted"), [({}, False), ({"GPU_RUNNER": "true"}, True)])
    def test_scheduled_where_there_is_a_runner(self, place, variables, wanted):
        github = {"event_name": "schedule"}
        assert runner(place, "gpu", github=github, variables=variables).wanted("gpu") is wanted


class TestNightly:
    def test_report_becomes_the_summary(self, place):
        job = runner(place, "nightly")
        (place / "repository/nightly").mkdir()
        (place / "repository/nightly/report.md").write_text("# Results\n")
        assert job.run("table", "Report").code == 0
        assert job.summary == "# Results\n"

    def test_no_report(self, place):
        job = runner(place, "nightly")
        assert job.run("table", "Report").code == 0
        assert job.summary == "Nothing was measured; the log of the job says why.\n"

    def test_builds_the_published_engines(self, place):
        tool(place / "tools", "python", RECORDING)
        assert runner(place, "nightly").run("table", "Engines").code == 0
        assert calls(place / "tools") == [
            [
                *("-m", "pytest", "conformance", "-k", "rtx", "--models", "published"),
                "--junitxml=nightly/engines.xml",
            ]
        ]

    def test_runs_the_commands_of_the_docs(self, place):
        tool(place / "tools", "python", RECORDING)
        job = runner(place, "nightly")
        assert job.run("table", "Commands of README and tutorial").code == 0
        assert calls(place / "tools") == [["-m", "pytest", "tests/docs"]]

    def test_measures_the_published_table(self, place):
        tool(place / "tools", "fqbench", RECORDING)
        assert runner(place, "nightly").run("table", "Measure").code == 0
        assert calls(place / "tools") == [["run", "--models", "published", "--out", "nightly"]]

    def test_against_the_baseline_where_there_is_one(self, place):
        job = runner(place, "nightly")
        assert not job.wanted("table", "Against the baseline")
        (place / "repository/baseline.json").write_text("{}")
        assert job.wanted("table", "Against the baseline")

    @pytest.mark.parametrize("verdict", ["**2 of 24 cells got worse.**\n", ""])
    @pytest.mark.parametrize("code", [0, 1, 2])
    def test_baseline(self, place, code, verdict):
        tool(place / "tools", "fqbench", VERDICT)
        environment = {"FAKE_CODE": str(code), "FAKE_VERDICT": verdict}
        job = runner(place, "nightly", environment=environment)
        assert job.run("table", "Against the baseline").code == code
        assert job.summary == verdict
        expected = ["gate", "baseline.json", "nightly/results.json", "--out", "nightly"]
        assert calls(place / "tools") == [expected]

    @pytest.mark.parametrize(
        ("variables", "labels"),
        [
            ({}, "ubuntu-24.04"),
            ({"NIGHTLY_RUNNER": '["self-hosted", "bench"]'}, ["self-hosted", "bench"]),
        ],
    )
    def test_runner(self, place, variables, labels):
        job = runner(place, "nightly", variables=variables)
        assert evaluate(job.workflow["jobs"]["table"]["runs-on"], job.context) == labels


@pytest.mark.slow
def test_pull_request_that_makes_a_users_model_slower(place):
    """The real command, from the checkout to the comment."""
    repository = place / "repository"
    write_spec(repository / "models")
    base = commit(repository, "a model")
    onnx.save(classifier(width=96), str(repository / "models/tiny.onnx"))
    head = commit(repository, "a larger model")
    tool(place / "tools", "fqbench", PYTHON.replace("*sys.argv", '"-m", "fqbench", *sys.argv'))
    job = runner(
        place,
        "gate",
        github=pull_request(base, head),
        inputs={"specs": "models/tiny.yaml", "backends": "onnxruntime", "seconds": "1"},
        environment={"FQBENCH_CACHE": str(place / "cache"), "PYTHONPATH": str(ROOT)},
    )
    ran = job.run("gate", "Gate")
    assert ran.code == 1, ran.said
    assert job.run("gate", "Verdict").code == 0
    assert "2 of 2 cells got worse: 2 slower" in job.summary
    for precision in ("fp32", "int8"):
        assert f"| `tiny-onnxruntime-cpu-{precision}` |" in job.outputs["verdict"]
    content = json.loads((repository / "fqbench-gate/gate.json").read_text())
    assert all(cell["slowdown"]["value"] > 1.1 for cell in content["cells"])
