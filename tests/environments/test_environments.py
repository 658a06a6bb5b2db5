"""Environments made of tiny wheels, without a network: made, found, checked, chosen, removed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from fqbench.cli.main import main
from fqbench.environments import environment, install, make, pythons, recipe
from fqbench.environments.environment import Environment, Missing, find, here
from fqbench.environments.install import Installer, Source
from tests.support.wheels import Place, Said, look_again, write_wheel

LOOK = Installer.here
"""As it is where no test replaces it."""


@pytest.fixture
def made(place: Place, said: Said) -> Environment:
    return make.make("toolkit", said, Source(place.wheels, offline=True))


def fqbench(*arguments: object) -> int:
    return main(["env", *map(str, arguments)])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one sentence that a command with exit code 2 prints."""
    capsys.readouterr()
    assert fqbench(*arguments) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("fqbench: ")
    assert len(printed.splitlines()) == 1
    return printed.removeprefix("fqbench: ").strip()


def left_over(place: Place) -> list[Path]:
    return sorted(place.root.glob("*.partial-*"))


class TestMissing:
    def test_a_sentence_says_what_makes_it(self, place):
        assert find("toolkit==2.0") == Missing(
            "toolkit==2.0",
            "the environment toolkit==2.0 is not on this machine: run 'fqbench env make"
            " toolkit==2.0'",
        )

    def test_it_is_listed(self, place, capsys):
        assert fqbench() == 0
        lines = [line for line in capsys.readouterr().out.splitlines() if "toolkit" in line]
        assert lines[0].split()[:6] == ["toolkit", "A", "toolkit", "missing", ">=3.10", "~30"]
        assert lines[1].startswith("toolkit: ")
        assert lines[1].endswith("run 'fqbench env make toolkit'")

    def test_nothing_is_made_unasked(self, place):
        find("toolkit")
        assert not place.root.exists()

    @pytest.mark.parametrize("name", ["../x", "a b", "nothing", "toolkit==x"])
    @pytest.mark.parametrize("command", ["make", "check", "remove", "requirements"])
    def test_names_that_cannot_be(self, place, capsys, command, name):
        assert repr(name.removeprefix("toolkit==")) in refused(capsys, command, name)
        assert not place.root.exists()


class TestHere:
    def test_this_python_has_what_is_installed(self):
        found = here()
        assert found.executable == Path(sys.executable)
        assert found.versions["python"].startswith("3.")
        assert "numpy" in found.versions

    def test_it_counts_where_it_has_the_distribution(self, place, monkeypatch, tmp_path):
        for version, counts in (("1.0", True), ("3.0", False)):
            site = tmp_path / version
            folder = site / f"tiny_toolkit-{version}.dist-info"
            folder.mkdir(parents=True)
            (folder / "METADATA").write_text(f"Name: tiny-toolkit\nVersion: {version}\n")
            with monkeypatch.context() as patch:
                patch.syspath_prepend(site)
                environment._here.cache_clear()
                look_again()
                found = find("toolkit")
                assert isinstance(found, Environment) == counts
                if counts:
                    assert (found.name, found.where) == ("toolkit", "here")
                    assert found.versions["tiny-toolkit"] == "1.0"
                assert isinstance(find("toolkit==3.0"), Missing) == counts
        environment._here.cache_clear()
        look_again()


class TestMade:
    def test_what_is_made(self, place, made, said):
        assert made == find("toolkit")
        assert made.where == "made"
        assert made.versions["tiny-toolkit"] == "1.0"
        assert made.versions["tiny-base"] == "1.5"
        assert made.executable == place.root / "toolkit/bin/python"
        code = "import tiny_toolkit, numpy"
        done = subprocess.run([made.executable, "-I", "-c", code], capture_output=True, text=True)
        assert "No module named 'numpy'" in done.stderr
        assert left_over(place) == []

    def test_its_scripts_run(self, place, made):
        assert subprocess.run([place.root / "toolkit/bin/tiny-toolkit"]).returncode == 0

    def test_what_is_there_is_not_made_again(self, place, made, said):
        before = (place.root / "toolkit" / environment.MANIFEST).stat().st_mtime_ns
        again = Said()
        assert make.make("toolkit", again, Source(place.wheels, offline=True)) == made
        assert again.lines == []
        assert (place.root / "toolkit" / environment.MANIFEST).stat().st_mtime_ns == before

    def test_no_python_is_started_to_find_it(self, place, made, monkeypatch):
        monkeypatch.setattr(subprocess, "Popen", None)
        environment.forget()
        assert find("toolkit") == made

    def test_a_name_with_its_version_stands_for_it(self, place, made):
        found = find("toolkit==1.0")
        assert isinstance(found, Environment)
        assert (found.name, found.executable) == ("toolkit==1.0", made.executable)
        assert isinstance(find("toolkit==2.0"), Missing)

    def test_it_is_listed(self, place, made, capsys):
        assert fqbench("list") == 0
        printed = capsys.readouterr().out
        line = next(line for line in printed.splitlines() if "toolkit" in line)
        assert line.split()[3:6] == ["made", "1.0", made.versions["python"]]
        assert f"\ntoolkit: {made.executable}\n" in printed

    def test_check(self, place, made, capsys):
        assert fqbench("check", "toolkit") == 0
        assert capsys.readouterr().err == f"toolkit is as listed: {made.executable}\n"

    def test_check_finds_a_difference(self, place, made, capsys):
        (info,) = (place.root / "toolkit").glob("lib/*/site-packages/tiny_base-*.dist-info")
        metadata = (info / "METADATA").read_text()
        (info / "METADATA").write_text(metadata.replace("1.5", "1.6"))
        try:
            assert fqbench("check", "toolkit") == 1
        finally:
            (info / "METADATA").write_text(metadata)
        expected = "fqbench: toolkit: tiny-base is 1.6, the list has ==1.5\n"
        assert capsys.readouterr().err == expected

    def test_check_finds_what_cannot_be_imported(self, place, made, capsys, monkeypatch):
        monkeypatch.setattr("fqbench.cli.env._names", lambda: ["toolkit", "toolkit==2.7"])
        (module,) = (place.root / "toolkit").glob("lib/*/site-packages/tiny_base/__init__.py")
        code = module.read_text()
        module.write_text("raise ImportError('libGL.so.1 is not there')")
        try:
            assert fqbench("check") == 1
        finally:
            module.write_text(code)
        (printed,) = capsys.readouterr().err.splitlines()
        assert printed.startswith("fqbench: toolkit: tiny-toolkit cannot be imported: ")
        assert printed.endswith("failed: ImportError: libGL.so.1 is not there")

    def test_another_list_makes_it_again(self, place, made, capsys):
        listed = place.listed.read_text()
        place.listed.write_text(listed.replace("tiny-base==1.5", "tiny-base>=1.5"))
        look_again()
        try:
            assert find("toolkit") == made
            assert fqbench("list") == 0
            assert "made, of another list" in capsys.readouterr().out
            again = Said()
            make.make("toolkit", again, Source(place.wheels, offline=True))
            assert again.lines[0].startswith("Making toolkit in ")
            assert left_over(place) == []
        finally:
            place.listed.write_text(listed)
            look_again()

    @pytest.mark.slow
    def test_another_version_beside_it(self, place, made, said, capsys):
        other = make.make("toolkit==2.0", said, Source(place.wheels, offline=True))
        assert other.versions["tiny-toolkit"] == "2.0"
        assert find("toolkit==2.0") == other
        assert find("toolkit") == made
        assert fqbench() == 0
        assert "toolkit==2.0" in capsys.readouterr().out
        assert fqbench("remove", "toolkit==2.0") == 0
        assert isinstance(find("toolkit==2.0"), Missing)
        assert find("toolkit") == made

    def test_one_that_lost_its_python_or_its_manifest(self, place, made):
        for path in (made.executable, place.root / "toolkit" / environment.MANIFEST):
            aside = path.with_name("aside")
            os.rename(path, aside)
            environment.forget()
            found = find("toolkit")
            os.rename(aside, path)
            assert isinstance(found, Missing)
            assert found.reason.endswith("is not whole: run 'fqbench env make toolkit'")
        environment.forget()

    @pytest.mark.parametrize(
        "content", ["", "[]", "{}", '{"format": 1, "versions": {"python": 3}}', "\x00"]
    )
    def test_a_damaged_manifest(self, place, made, content):
        path = place.root / "toolkit" / environment.MANIFEST
        before = path.read_text()
        path.write_text(content)
        environment.forget()
        assert isinstance(find("toolkit"), Missing)
        path.write_text(before)
        environment.forget()


class TestUse:
    @pytest.mark.slow
    def test_another_python_is_used(self, place, made, said, capsys):
        other = make.make("toolkit==2.0", said, Source(place.wheels, offline=True))
        assert fqbench("use", "toolkit", other.executable) == 0
        printed = capsys.readouterr().err
        assert "toolkit: tiny-toolkit is 2.0, the list has ==1.0" in printed
        found = find("toolkit")
        assert isinstance(found, Environment)
        assert (found.where, found.executable) == ("used", other.executable)
        assert found.versions["tiny-toolkit"] == "2.0"
        # Made again, it is used again.
        make.make("toolkit", said, Source(place.wheels, offline=True))
        assert find("toolkit") == made

    def test_removing_leaves_it_as_it_is(self, place, made, said, capsys):
        other = make.make("toolkit==2.0", said, Source(place.wheels, offline=True))
        fqbench("use", "toolkit==1.0", made.executable)
        assert fqbench("remove", "toolkit==1.0") == 0
        expected = f"toolkit==1.0: {made.executable} is no longer used, and stays as it is"
        assert expected in capsys.readouterr().err
        assert made.executable.exists()
        assert other.executable.exists()

    def test_one_that_is_gone(self, place, made, tmp_path):
        python = tmp_path / "python"
        python.symlink_to(made.executable)
        (place.root / "toolkit.json").write_text(json.dumps({"python": str(python)}))
        python.unlink()
        environment.forget()
        found = find("toolkit")
        (place.root / "toolkit.json").unlink()
        environment.forget()
        assert isinstance(found, Missing)
        assert found.reason == (
            f"the Python of the environment toolkit is not usable: {python} does not run: No such"
            " file or directory: choose another by 'fqbench env use toolkit PYTHON', or run"
            " 'fqbench env make toolkit'"
        )

    def test_what_cannot_be_used(self, place, made, capsys, tmp_path):
        here = sys.executable
        no_toolkit = f"{here} cannot be used for toolkit: tiny-toolkit is not installed for it"
        another = "; name another Python"
        assert refused(capsys, "use", "toolkit", here) == f"{no_toolkit}{another}"
        other = f"{made.executable} cannot be used for toolkit==2.0: it has tiny-toolkit 1.0"
        said = refused(capsys, "use", "toolkit==2.0", made.executable)
        assert said == f"{other}{another}"
        nothing = tmp_path / "nothing"
        said = refused(capsys, "use", "toolkit", nothing)
        assert said == f"there is no Python {nothing}: name the file of one"
        no_python = shutil.which("true")
        assert f"{no_python} is not a Python" in refused(capsys, "use", "toolkit", no_python)


class TestRefused:
    def test_no_folder_of_wheels(self, place, capsys):
        message = "--offline needs a folder of wheels: name it by --find-links DIR"
        assert refused(capsys, "make", "toolkit==2.0", "--offline") == message
        message = "--find-links /nowhere is not a folder: name a folder of wheels"
        assert refused(capsys, "make", "toolkit==2.0", "--find-links", "/nowhere") == message

    @pytest.mark.slow
    def test_a_wheel_that_is_not_in_the_folder(self, place, capsys, tmp_path):
        write_wheel(tmp_path, "tiny-toolkit", "2.5", ["tiny-base"])
        capsys.readouterr()
        assert fqbench("make", "toolkit==2.5", "--offline", "--find-links", tmp_path) == 2
        printed = capsys.readouterr().err.splitlines()[-1]
        assert printed == (
            "fqbench: the environment toolkit==2.5 was not made: there is no tiny-base for this"
            f" Python and machine in {tmp_path}: name another Python by --python, or a folder that"
            " has it by --find-links"
        )
        assert left_over(place) == []
        assert isinstance(find("toolkit==2.5"), Missing)

    @pytest.mark.slow
    def test_no_network(self, place, capsys, monkeypatch, tmp_path):
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_RETRIES", "1")
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        assert fqbench("make", "toolkit==2.5") == 2
        assert capsys.readouterr().err.splitlines()[-1] == (
            "fqbench: the environment toolkit==2.5 was not made: the package index could not be"
            " reached: connect this machine, or name a folder of wheels by --find-links DIR"
            " --offline"
        )
        assert left_over(place) == []

    def test_a_folder_that_cannot_be_written(self, place, capsys, monkeypatch, tmp_path):
        (tmp_path / "file").touch()
        monkeypatch.setenv("FQBENCH_ENVIRONMENTS", str(tmp_path / "file" / "root"))
        assert refused(capsys, "make", "toolkit") == (
            f"cannot write environments to {tmp_path}/file/root: Not a directory; choose another"
            " folder by FQBENCH_ENVIRONMENTS"
        )

    def test_a_home_that_is_read_only(self, place, made, capsys, monkeypatch, tmp_path):
        def mkdir(self, *arguments, **options):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

        monkeypatch.setenv("FQBENCH_ENVIRONMENTS", str(tmp_path / "root"))
        monkeypatch.setattr(Path, "mkdir", mkdir)
        for command in (["make", "toolkit"], ["use", "toolkit==1.0", made.executable]):
            assert refused(capsys, *command) == (
                f"cannot write environments to {tmp_path}/root: Read-only file system; choose"
                " another folder by FQBENCH_ENVIRONMENTS"
            )

    def test_no_room(self, place, capsys, monkeypatch):
        usage = shutil._ntuple_diskusage(100, 90, 29 * 10**6)
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
        assert refused(capsys, "make", "toolkit==2.1") == (
            f"the environment toolkit==2.1 needs about 30 MB, and the disk of {place.root} has 29"
            " MB free: free some space, or choose another folder by FQBENCH_ENVIRONMENTS"
        )

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
    def test_the_disk_is_full(self, place, capsys, monkeypatch, number):
        def full(name, python, folder, *others):
            folder.mkdir()
            (folder / "some").write_text("some")
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(make, "install", full)
        capsys.readouterr()
        assert fqbench("make", "toolkit==2.5") == 2
        assert capsys.readouterr().err.splitlines()[-1] == (
            f"fqbench: the disk of {place.root} is full: free some space, or choose another folder"
            " by FQBENCH_ENVIRONMENTS"
        )
        assert left_over(place) == []

    @pytest.mark.parametrize(
        ("line", "cause"),
        [
            (
                "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on"
                " device",
                "the disk is full: free some space, or choose other folders by"
                " FQBENCH_ENVIRONMENTS and TMPDIR",
            ),
            (
                "error: failed to unpack: No space left on device (os error 28)",
                "the disk is full: free some space, or choose other folders by"
                " FQBENCH_ENVIRONMENTS and TMPDIR",
            ),
            (
                "error: Failed to fetch: `https://example.org/simple/numpy/`",
                "the package index could not be reached: connect this machine, or name a folder of"
                " wheels by --find-links DIR --offline",
            ),
            (
                "ERROR: what nobody foresaw",
                "the installer ended with 1: ERROR: what nobody foresaw",
            ),
        ],
    )
    def test_what_installers_say(self, line, cause):
        assert install._cause(["Collecting numpy", line], 1, Source()) == cause

    def test_what_says_nothing(self):
        assert install._cause([], -9, Source()) == "the installer ended with -9"


class TestInstaller:
    """What makes environments where this Python's pip does not."""

    @pytest.mark.slow
    @pytest.mark.parametrize("with_uv", [True, False])
    def test_it_is_made_all_the_same(self, place, said, capsys, monkeypatch, tmp_path, with_uv):
        uv = shutil.which("uv") if with_uv else None
        if with_uv and uv is None:
            pytest.skip("uv is not on the path")
        monkeypatch.setattr(Installer, "here", staticmethod(lambda: Installer(uv, False)))
        monkeypatch.setenv("FQBENCH_ENVIRONMENTS", str(tmp_path / "root"))
        found = make.make("toolkit", said, Source(place.wheels, offline=True))
        assert found == find("toolkit")
        assert make.problems(found) == []
        assert subprocess.run([tmp_path / "root/toolkit/bin/tiny-toolkit"]).returncode == 0
        wheels = write_wheel(tmp_path / "wheels", "tiny-toolkit", "2.5", ["tiny-base"]).parent
        assert fqbench("make", "toolkit==2.5", "--offline", "--find-links", wheels) == 2
        assert f"there is no tiny-base for this Python and machine in {wheels}: name" in (
            capsys.readouterr().err
        )

    def test_pip_is_looked_for(self, monkeypatch):
        for version, found in (("22.3", True), ("22.2.2", False), ("23.0.1", True)):
            monkeypatch.setattr(install, "version", lambda name, version=version: version)
            assert LOOK() == Installer(shutil.which("uv"), found)


class TestPython:
    def test_one_that_does_not_fit(self, place, capsys, monkeypatch):
        toolkit = replace(recipe.recipes()["toolkit"], python=">=3.6,<3.9")
        monkeypatch.setattr(recipe, "recipes", lambda: {"toolkit": toolkit})
        monkeypatch.setattr(pythons, "_candidates", lambda *_: [Path(sys.executable)])
        monkeypatch.setenv("FQBENCH_ENVIRONMENTS", str(place.root / "other"))
        assert refused(capsys, "make", "toolkit") == (
            "toolkit runs on Python 3.8, 3.7 or 3.6, and none was found that can make an"
            " environment: install one of these (on Debian with its python3-venv), or name one by"
            " --python"
        )
        version = ".".join(map(str, sys.version_info[:3]))
        assert refused(capsys, "make", "toolkit", "--python", sys.executable) == (
            f"{sys.executable} is Python {version}, and toolkit runs on Python 3.8, 3.7 or 3.6:"
            " name one of these by --python"
        )
        assert refused(capsys, "make", "toolkit", "--python", "/no/python") == (
            "there is no Python /no/python: name the file of one by --python"
        )

    def test_this_one_is_the_first(self):
        first = next(iter(pythons._candidates(SpecifierSet(">=3.10"), None)))
        assert first == Path(sys.executable)

    def test_those_on_the_path_follow_the_newest_first(self, monkeypatch, tmp_path):
        for name in ("python3.10", "python3.12", "python3.13"):
            (tmp_path / name).touch(0o755)
        for name in ("3.11.9", "3.12.1", "some-environment"):
            (tmp_path / "pyenv/versions" / name / "bin").mkdir(parents=True)
            (tmp_path / "pyenv/versions" / name / "bin/python").touch(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
        found = list(pythons._candidates(SpecifierSet(">=3.10,<3.13"), None))
        assert [str(path.relative_to(tmp_path)) for path in found[1:]] == [
            "python3.12",
            "python3.10",
            "pyenv/versions/3.12.1/bin/python",
            "pyenv/versions/3.11.9/bin/python",
        ]


class TestRemove:
    def test_what_is_not_there(self, place, capsys):
        message = (
            f"there is no environment toolkit==2.7 in {place.root}: fqbench env lists what there is"
        )
        assert refused(capsys, "remove", "toolkit==2.7") == message

    def test_what_was_made(self, place, made, capsys):
        assert fqbench("remove", "toolkit") == 0
        assert capsys.readouterr().err == f"Removed: {place.root}/toolkit\n"
        assert isinstance(find("toolkit"), Missing)
        assert not (place.root / "toolkit").exists()
        assert left_over(place) == []
