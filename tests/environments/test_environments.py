"""Environments made of tiny wheels, without a network: made, found, checked, chosen, removed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fqbench.environments import environment, make
from fqbench.environments.environment import Environment, Missing, find, here
from fqbench.environments.install import Source
from tests.support.wheels import Place, Said, fqbench_env, left_over, look_again, refused


@pytest.fixture
def made(place: Place, said: Said) -> Environment:
    return make.make("toolkit", said, Source(place.wheels, offline=True))


class TestMissing:
    def test_a_sentence_says_what_makes_it(self, place):
        assert find("toolkit==2.0") == Missing(
            "toolkit==2.0",
            "the environment toolkit==2.0 is not on this machine: run 'fqbench env make"
            " toolkit==2.0'",
        )

    def test_it_is_listed(self, place, capsys):
        assert fqbench_env() == 0
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


@pytest.mark.slow
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
        assert fqbench_env("list") == 0
        printed = capsys.readouterr().out
        line = next(line for line in printed.splitlines() if "toolkit" in line)
        assert line.split()[3:6] == ["made", "1.0", made.versions["python"]]
        assert f"\ntoolkit: {made.executable}\n" in printed

    def test_check(self, place, made, capsys):
        assert fqbench_env("check", "toolkit") == 0
        assert capsys.readouterr().err == f"toolkit is as listed: {made.executable}\n"

    def test_check_finds_a_difference(self, place, made, capsys):
        (info,) = (place.root / "toolkit").glob("lib/*/site-packages/tiny_base-*.dist-info")
        metadata = (info / "METADATA").read_text()
        (info / "METADATA").write_text(metadata.replace("1.5", "1.6"))
        try:
            assert fqbench_env("check", "toolkit") == 1
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
            assert fqbench_env("check") == 1
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
            assert fqbench_env("list") == 0
            assert "made, of another list" in capsys.readouterr().out
            again = Said()
            make.make("toolkit", again, Source(place.wheels, offline=True))
            assert again.lines[0].startswith("Making toolkit in ")
            assert left_over(place) == []
        finally:
            place.listed.write_text(listed)
            look_again()

    def test_another_version_beside_it(self, place, made, said, capsys):
        other = make.make("toolkit==2.0", said, Source(place.wheels, offline=True))
        assert other.versions["tiny-toolkit"] == "2.0"
        assert find("toolkit==2.0") == other
        assert find("toolkit") == made
        assert fqbench_env() == 0
        assert "toolkit==2.0" in capsys.readouterr().out
        assert fqbench_env("remove", "toolkit==2.0") == 0
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


@pytest.mark.slow
class TestUse:
    def test_another_python_is_used(self, place, made, said, capsys):
        other = make.make("toolkit==2.0", said, Source(place.wheels, offline=True))
        assert fqbench_env("use", "toolkit", other.executable) == 0
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
        fqbench_env("use", "toolkit==1.0", made.executable)
        assert fqbench_env("remove", "toolkit==1.0") == 0
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


class TestRemove:
    def test_what_is_not_there(self, place, capsys):
        message = (
            f"there is no environment toolkit==2.7 in {place.root}: fqbench env lists what there is"
        )
        assert refused(capsys, "remove", "toolkit==2.7") == message

    @pytest.mark.slow
    def test_what_was_made(self, place, made, capsys):
        assert fqbench_env("remove", "toolkit") == 0
        assert capsys.readouterr().err == f"Removed: {place.root}/toolkit\n"
        assert isinstance(find("toolkit"), Missing)
        assert not (place.root / "toolkit").exists()
        assert left_over(place) == []
