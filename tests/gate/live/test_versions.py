"""Two versions of a repository: what is checked out, where paths are, and what is told."""

import shutil
import subprocess
from pathlib import Path

import pytest

from fqbench.cells import Selection
from fqbench.errors import FqbenchError, StepError, UsageError
from fqbench.gate import versions
from fqbench.gate.built import read_built
from fqbench.gate.contest import Terms
from fqbench.gate.places import place
from fqbench.gate.refs import checked_out, repository
from fqbench.gate.side import Matrix
from fqbench.gate.versions import Version, compare_versions
from fqbench.isolate import Interpreter

AUTHOR = ("-c", "user.name=n", "-c", "user.email=n@example.org")


def git(folder, *arguments):
    done = subprocess.run(
        ["git", "-C", str(folder), *AUTHOR, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repo(tmp_path):
    """Two commits: the first is tagged, the second is on the branch."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    for text in ("one", "two"):
        (folder / "file").write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", text)
    git(folder, "tag", "v1", "HEAD~1")
    return folder


def test_a_version_is_checked_out_and_taken_away(repo):
    with checked_out(repo, "v1") as checkout:
        assert (checkout.folder / "file").read_text() == "one"
        assert checkout.commit == git(repo, "rev-parse", "v1^{commit}")
        assert checkout.label == f"v1, {checkout.commit[:12]}"
    assert not checkout.folder.exists()
    assert git(repo, "worktree", "list").count("\n") == 0
    assert (repo / "file").read_text() == "two"


def worktrees(repo):
    """Folders of the repository's work trees, but for its own."""
    lines = git(repo, "worktree", "list", "--porcelain").splitlines()
    return [line for line in lines if line.startswith("worktree ")][1:]


def test_a_work_tree_that_is_locked_is_taken_away(repo):
    """Git locks one while it adds it, and may be stopped there."""
    with checked_out(repo, "v1") as checkout:
        git(repo, "worktree", "lock", str(checkout.folder))
    assert worktrees(repo) == []


def test_a_record_whose_folder_is_gone_is_pruned(repo, tmp_path):
    git(repo, "worktree", "add", "--quiet", "--detach", str(tmp_path / "killed"), "v1")
    shutil.rmtree(tmp_path / "killed")
    with checked_out(repo, "v1"):
        assert len(worktrees(repo)) == 1


def test_what_fails_while_tidying_loses_no_verdict(repo, monkeypatch):
    def verdict():
        with checked_out(repo, "v1"):
            monkeypatch.setenv("PATH", "/nowhere")
            return "slower"

    assert verdict() == "slower"


def test_two_versions_at_once_leave_the_working_tree_alone(repo):
    (repo / "file").write_text("three")
    with checked_out(repo, "main~1") as base, checked_out(repo, "main") as head:
        texts = [(each.folder / "file").read_text() for each in (base, head)]
    assert texts == ["one", "two"]
    assert (repo / "file").read_text() == "three"


def test_a_commit_is_its_own_label(repo):
    with checked_out(repo, git(repo, "rev-parse", "HEAD")) as checkout:
        assert checkout.label == checkout.commit[:12]


@pytest.mark.parametrize("ref", ["nowhere", "--upload-pack=touch", "", "HEAD:file"])
def test_a_version_that_is_not_there_is_told(repo, ref):
    with pytest.raises(UsageError, match="has no version"), checked_out(repo, ref):
        pass


def test_the_repository_of_a_folder_inside(repo):
    inside = repo / "inside"
    inside.mkdir()
    assert repository(inside) == repo


def test_a_folder_in_no_repository_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UsageError, match="is in no git"):
        repository(tmp_path)


# What a version answers

PROCESS = {
    "name": "timing it",
    "sides": ["base"],
    "function": "fqbench.measure.stopwatch:time_cell",
    "arguments": {"threads": 1},
    "threads": 1,
}
ANSWER = {
    "protocol": 1,
    "code": "c",
    "created": "now",
    "machine": {},
    "rows": [],
    "samples": {"groups": [], "accuracies": {}},
    "processes": {"net-paddle-cpu-fp32": PROCESS},
}


def test_an_answer_is_read():
    built = read_built("BASE", ANSWER, Interpreter("/other/python"))
    process = built.processes["net-paddle-cpu-fp32"]
    assert process.interpreter.executable == "/other/python"
    assert process.arguments == {"threads": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": 2},
        {"rows": "none"},
        {
            "processes": {
                "net": {**ANSWER["processes"]["net-paddle-cpu-fp32"], "function": "os:system"}
            }
        },
    ],
)
def test_an_answer_of_another_shape_is_told(change):
    with pytest.raises(UsageError, match="the fqbench of BASE cannot be gated by this one"):
        read_built("BASE", {**ANSWER, **change}, Interpreter.here())


def test_a_version_older_than_the_gate_is_told(repo, monkeypatch, tmp_path):
    (repo / "fqbench").mkdir()
    (repo / "fqbench" / "__init__.py").write_text("")
    (repo / "fqbench" / "errors.py").write_text("class FqbenchError(Exception): pass\n")
    git(repo, "add", ".")
    git(repo, "commit", "--quiet", "-m", "an fqbench of long ago")
    monkeypatch.chdir(repo)
    with pytest.raises(UsageError, match=r"the fqbench of BASE \(main, .* is older than the gate"):
        compare_versions(
            Version("main"),
            Version("main"),
            Matrix(),
            Terms(),
            install=None,
            cache=tmp_path / "cache",
            progress=lambda *_: None,
        )


# What cannot be built, and where paths are


def quickly(**values):
    """Two versions compared without building anything."""
    settings = {"install": None, "cache": Path("/nowhere"), "progress": lambda *_: None}
    sides = Version("v1"), Version("main")
    return compare_versions(*sides, values.pop("matrix", Matrix()), Terms(), **settings | values)


@pytest.mark.parametrize(("crashing", "error"), [("base", UsageError), ("head", StepError)])
def test_only_a_head_that_crashes_is_worse(repo, monkeypatch, crashing, error):
    def call(function, arguments, **_):
        if arguments["side"] == crashing:
            raise StepError("it was killed")
        return ANSWER

    monkeypatch.setattr(versions.isolate, "call", call)
    monkeypatch.chdir(repo)
    with pytest.raises(FqbenchError, match="it was killed") as caught:
        quickly()
    assert type(caught.value) is error


@pytest.fixture
def built(repo, monkeypatch):
    """What the versions were built with, by side; nothing is timed."""
    found = {}

    def call(function, arguments, **_):
        found[arguments["side"]] = arguments
        return {**ANSWER, "processes": {}}

    monkeypatch.setattr(versions.isolate, "call", call)
    monkeypatch.chdir(repo)
    return found


def test_paths_of_the_working_tree_are_those_of_the_version(repo, tmp_path, built):
    (repo / "inside").mkdir()
    (tmp_path / "link").symlink_to(repo)
    outside = tmp_path / "data"
    outside.mkdir()
    for path in (Path("file"), repo / "file", Path("inside/../file"), tmp_path / "link/file"):
        account = quickly(matrix=Matrix(specs=(path,), data_root=outside))
        assert account.cautions == ()
        for arguments in built.values():
            (spec,) = map(Path, arguments["specs"])
            assert spec.name == "file"
            assert spec.parent.name == "checkout"
            assert arguments["root"] == str(outside)
        assert built["base"]["specs"] != built["head"]["specs"]


def test_a_link_inside_is_each_versions_own(repo):
    (repo / "link").symlink_to("file")
    git(repo, "add", ".")
    git(repo, "commit", "--quiet", "-m", "a link")
    with checked_out(repo, "main") as checkout:
        assert place(repo / "link", repo, [checkout]).sides == (checkout.folder / "link",)


def test_what_git_ignores_is_that_of_the_working_tree(repo, built):
    (repo / "data").mkdir()
    account = quickly(matrix=Matrix(data_root=Path("data")))
    assert {arguments["root"] for arguments in built.values()} == {str(repo / "data")}
    assert account.cautions == ("data is in neither version: both used that of the working tree.",)


def test_code_of_specs_is_allowed_to_both(built):
    for allowed in (False, True):
        quickly(matrix=Matrix(allow_code=allowed))
        assert [arguments["allow_code"] for arguments in built.values()] == [allowed] * 2


def test_what_is_new_in_a_version_is_not_lent_to_the_other(repo, built):
    (repo / "new").write_text("")
    git(repo, "add", ".")
    git(repo, "commit", "--quiet", "-m", "a new file")
    assert quickly(matrix=Matrix(specs=(Path("new"),))).cautions == ()
    assert not any(arguments["specs"] == [str(repo / "new")] for arguments in built.values())


@pytest.mark.parametrize("path", ["nowhere.yaml", "/nowhere.yaml", "../nowhere.yaml"])
def test_a_spec_that_is_nowhere_is_told_before_any_work(repo, monkeypatch, path):
    monkeypatch.chdir(repo)
    monkeypatch.setattr(versions, "interpreter", None)
    with pytest.raises(UsageError, match=f"there is no {path}"):
        quickly(matrix=Matrix(specs=(Path(path),)), install=".")


def test_a_backend_that_is_none_is_told_before_any_work(repo, monkeypatch):
    monkeypatch.chdir(repo)
    monkeypatch.setattr(versions, "checked_out", None)
    with pytest.raises(UsageError, match="there is no backend 'nnapi'"):
        quickly(matrix=Matrix(selection=Selection(backends=("nnapi",))))
