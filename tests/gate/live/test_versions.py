"""Two versions of a repository: what cannot be built, and which paths each is given."""

from pathlib import Path

import pytest

from fqbench.cells import Selection
from fqbench.errors import FqbenchError, StepError, UsageError
from fqbench.gate.live import versions
from fqbench.gate.live.comparison import ComparisonSettings
from fqbench.gate.live.versions import Version, compare_versions
from fqbench.gate.side import Matrix
from tests.support.answers import ANSWER
from tests.support.outside import install
from tests.support.repository import git


def test_a_version_older_than_the_gate_is_reported(repo, monkeypatch, tmp_path):
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
            ComparisonSettings(),
            install=None,
            cache=tmp_path / "cache",
            progress=lambda *_: None,
        )


def quickly(**values):
    """Two versions compared without building anything."""
    settings = {"install": None, "cache": Path("/nowhere"), "progress": lambda *_: None}
    sides = Version("v1"), Version("main")
    matrix = values.pop("matrix", Matrix())
    return compare_versions(*sides, matrix, ComparisonSettings(), **settings | values)


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
        report = quickly(matrix=Matrix(specs=(path,), data_root=outside))
        assert report.cautions == ()
        for arguments in built.values():
            (spec,) = map(Path, arguments["specs"])
            assert spec.name == "file"
            assert spec.parent.name == "checkout"
            assert arguments["root"] == str(outside)
        assert built["base"]["specs"] != built["head"]["specs"]


def test_what_git_ignores_is_that_of_the_working_tree(repo, built):
    (repo / "data").mkdir()
    report = quickly(matrix=Matrix(data_root=Path("data")))
    assert {arguments["root"] for arguments in built.values()} == {str(repo / "data")}
    assert report.cautions == ("data is in neither version: both used that of the working tree.",)


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
def test_a_spec_that_is_nowhere_is_reported_before_any_work(repo, monkeypatch, path):
    monkeypatch.chdir(repo)
    monkeypatch.setattr(versions, "interpreter", None)
    with pytest.raises(UsageError, match=f"there is no {path}"):
        quickly(matrix=Matrix(specs=(Path(path),)), install=".")


def test_a_backend_that_is_none_is_reported_before_any_work(repo, monkeypatch):
    monkeypatch.chdir(repo)
    monkeypatch.setattr(versions, "checked_out", None)
    with pytest.raises(UsageError, match="there is no backend 'nnapi'"):
        quickly(matrix=Matrix(selection=Selection(backends=("nnapi",))))
    with pytest.raises(UsageError, match="there is no method 'given'"):
        quickly(matrix=Matrix(method="given"))


@pytest.fixture
def elsewhere(monkeypatch):
    """What versions with environments of their own answer, by side; these have no Python."""
    answers = {side: {**ANSWER, "processes": {}} for side in ("base", "head")}
    monkeypatch.setattr(versions, "interpreter", lambda *_, **__: None)
    monkeypatch.setattr(versions, "check_fqbench", lambda *_: None)
    call = lambda function, arguments, **_: answers[arguments["side"]]  # noqa: E731
    monkeypatch.setattr(versions.isolate, "call", call)
    return answers


def test_names_are_those_of_the_versions(repo, monkeypatch, elsewhere):
    """Where either runs in an environment of its own, this one need not have them."""
    monkeypatch.chdir(repo)
    matrix = Matrix(selection=Selection(backends=("nnapi", "hexagon")), method="other")
    assert quickly(matrix=matrix, install=".").decision.verdicts == ()
    elsewhere["base"]["left_out"] = {"backends": ["nnapi", "hexagon"]}
    assert quickly(matrix=matrix, install=".").decision.verdicts == ()
    elsewhere["head"]["left_out"] = {"backends": ["hexagon"]}
    message = r"neither BASE \(v1, \w+\) nor HEAD \(main, \w+\) has 'hexagon' among its backends"
    with pytest.raises(UsageError, match=message):
        quickly(matrix=matrix, install=".")


def test_a_package_of_the_working_tree_that_both_ran_is_told(repo, monkeypatch, built):
    """Its modules are not where the gate would find those of a version."""
    site = repo / "lib"
    install(site, "mine", {"fqbench.test_records": {"some": "mine_of_tests:RECORD"}})
    (site / "mine_of_tests.py").write_text("RECORD = True\n")
    monkeypatch.syspath_prepend(site)
    (caution,) = quickly().cautions
    assert caution == (
        "The package mine is installed from the working tree, and both versions ran that code of"
        " it: --install gives each its own."
    )
