"""What keeps an environment from being made: a sentence each, and nothing is left of it."""

from __future__ import annotations

import errno
import os
import shutil

import pytest

from fqbench.environments import install, make
from fqbench.environments.environment import Missing, find
from fqbench.environments.install import Source
from tests.support.wheels import fqbench_env, left_over, refused, write_wheel


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
        assert fqbench_env("make", "toolkit==2.5", "--offline", "--find-links", tmp_path) == 2
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
        assert fqbench_env("make", "toolkit==2.5") == 2
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
        assert fqbench_env("make", "toolkit==2.5") == 2
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
