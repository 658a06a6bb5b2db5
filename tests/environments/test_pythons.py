"""What makes environments where this Python's pip does not, and for which Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from fqbench.environments import install, make, pythons, recipe
from fqbench.environments.environment import find
from fqbench.environments.install import Installer, Source
from tests.support.wheels import fqbench_env, refused, write_wheel

LOOK = Installer.here
"""As it is where no test replaces it."""


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
        assert fqbench_env("make", "toolkit==2.5", "--offline", "--find-links", wheels) == 2
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
