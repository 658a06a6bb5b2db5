"""A repository with two versions."""

import pytest

from tests.support.repository import git


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
