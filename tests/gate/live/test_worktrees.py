"""Versions of a repository: what is checked out, and where paths are in it."""

import shutil

import pytest

from fqbench.errors import UsageError
from fqbench.gate.live.worktrees import checked_out, map_path, repository
from tests.support.repository import git


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
def test_a_version_that_is_not_there_is_reported(repo, ref):
    with pytest.raises(UsageError, match="has no version"), checked_out(repo, ref):
        pass


def test_the_repository_of_a_folder_inside(repo):
    inside = repo / "inside"
    inside.mkdir()
    assert repository(inside) == repo


def test_a_folder_in_no_repository_is_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UsageError, match="is in no git"):
        repository(tmp_path)


def test_a_link_inside_is_each_versions_own(repo):
    (repo / "link").symlink_to("file")
    git(repo, "add", ".")
    git(repo, "commit", "--quiet", "-m", "a link")
    with checked_out(repo, "main") as checkout:
        assert map_path(repo / "link", repo, [checkout]).sides == (checkout.folder / "link",)
