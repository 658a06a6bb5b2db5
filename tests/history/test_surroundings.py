"""Which machine and which code a run was of."""

import subprocess

import pytest

from fqbench.hardware import settings
from fqbench.history.provenance import Provenance, provenance, without_password
from fqbench.history.surroundings import Difference, differences, environment_of, machine_of
from tests.support.kept_runs import MACHINE, OTHER_MACHINE, with_version


def git(folder, *arguments) -> str:
    identity = ("-c", "user.name=Me", "-c", "user.email=me@host")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "spec.yaml").write_text("name: net\n")
    git(tmp_path, "add", "spec.yaml")
    git(tmp_path, "commit", "--quiet", "-m", "First")
    return tmp_path


class TestProvenance:
    def test_commit_and_folder(self, repository):
        (repository / "untracked").touch()
        found = provenance(repository)
        assert found == Provenance(
            str(repository.resolve()), git(repository, "rev-parse", "HEAD"), False
        )

    def test_changed_files(self, repository):
        (repository / "spec.yaml").write_text("name: other\n")
        assert provenance(repository).dirty is True

    def test_where_it_comes_from(self, repository):
        git(repository, "remote", "add", "origin", "https://me:secret@host/models.git")
        (repository / "below").mkdir()
        assert provenance(repository / "below").project == "https://host/models.git"

    def test_no_repository(self, tmp_path):
        assert provenance(tmp_path) == Provenance()

    def test_no_commit(self, tmp_path):
        git(tmp_path, "init", "--quiet")
        assert provenance(tmp_path).revision is None

    def test_no_git(self, repository, monkeypatch):
        monkeypatch.setenv("PATH", "")
        assert provenance(repository) == Provenance()

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("https://token@host/a.git", "https://host/a.git"),
            ("ssh://git:secret@host:22/a.git", "ssh://host:22/a.git"),
            ("git@host:a.git", "git@host:a.git"),
            ("/srv/a@b.git", "/srv/a@b.git"),
            ("https://a:b@[bad", "[bad"),
        ],
    )
    def test_passwords_are_not_kept(self, url, shown):
        assert without_password(url) == shown


def test_versions_are_no_part_of_the_machine():
    assert machine_of(MACHINE).key == machine_of(with_version("1.99")).key
    assert machine_of(MACHINE).key != machine_of(OTHER_MACHINE).key


@pytest.mark.parametrize(
    "other",
    [
        {**MACHINE, "hidden": {"ONEDNN_MAX_CPU_ISA": "AVX2"}},
        {**MACHINE, "cpu": {**MACHINE["cpu"], "isa": ["avx2"]}},
        {**MACHINE, "cpu": {**MACHINE["cpu"], "usable_cores": 1}},
    ],
)
def test_what_makes_another_machine(other):
    assert machine_of(MACHINE).key != machine_of(other).key


def test_an_environment_holds_all_that_may_change():
    facts = {
        **MACHINE,
        "environments": {"openvino": {"openvino": "2026.4.1", "python": "3.11.7"}},
        "toolkits": {"nncf": "3.4.0"},
        "settings": {"governor": "performance"},
        "gpu": {"name": "Some GPU", "driver": "580.1", "capability": (8, 9), "cuda": (13, 0)},
    }
    assert environment_of(facts) == {
        **MACHINE["versions"],
        "openvino (environment openvino)": "2026.4.1",
        "nncf (toolkit)": "3.4.0",
        "governor": "performance",
        "system": "Linux-6.1",
        "GPU": "Some GPU",
        "GPU driver": "580.1",
    }


def test_differences():
    found = differences({"a": "1", "b": "2", "gone": "3"}, {"a": "1", "b": "4", "New": "5"})
    assert found == (
        Difference("b", "2", "4"),
        Difference("gone", "3", None),
        Difference("New", None, "5"),
    )
    assert [*map(str, found)] == ["b 2 → 4", "gone 3 is gone", "New 5 is new"]


def test_clock_settings(tmp_path):
    cpu = tmp_path / "cpu" / "cpu0"
    (cpu / "cpufreq").mkdir(parents=True)
    (cpu / "cpufreq" / "scaling_governor").write_text("powersave\n")
    (tmp_path / "cpu" / "smt").mkdir()
    (tmp_path / "cpu" / "smt" / "control").write_text("on\n")
    assert settings(cpu) == {"governor": "powersave", "SMT": "on"}
    assert settings(tmp_path / "missing") == {}
