"""Wheels of a few lines, and a package outside of fqbench whose environment is made of them."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fqbench.cli.main import main
from fqbench.environments import environment, recipe, requirements
from tests.support import outside

RECIPE = """\
from fqbench.environments import Alternative, Recipe

RECIPE = Recipe(
    name="toolkit",
    label="A toolkit",
    requirements="toolkit_package:requirements.txt",
    python=">=3.10",
    distribution="tiny-toolkit",
    alternatives=(Alternative(">=2", "toolkit_package:requirements-2.txt", ">=3.10"),),
)
"""

LISTED = """\
# download: 1 MB
# installed: 30 MB
tiny-toolkit==1.0
tiny-base==1.5
nowhere==1.0; sys_platform == "nowhere"
"""


LISTED_2 = """\
# download: 1 MB
# installed: 30 MB
tiny-toolkit
tiny-base
"""


@dataclass
class Place:
    """``root``: of environments; ``wheels``: a folder; ``site``: what is installed beside fqbench;
    ``listed``: the list of requirements of ``toolkit``."""

    root: Path
    wheels: Path
    site: Path
    listed: Path


@dataclass
class Said:
    """A listener that remembers."""

    lines: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)

    def progress(self, text: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        self.shown.append(text)


def write_wheel(
    folder: Path, name: str, version: str, requires: Sequence[str] = (), code: str = ""
) -> Path:
    """A wheel of one module, which runs ``code``."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    needed = "".join(f"Requires-Dist: {each}\n" for each in requires)
    files = {
        f"{module}/__init__.py": f"__version__ = {version!r}\n{code}",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = sys:exit\n",
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for each, content in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(each, content)
    return path


def write_wheels(folder: Path) -> None:
    """Those that ``toolkit`` is made of, in two versions."""
    for version in ("1.0", "2.0"):
        write_wheel(folder, "tiny-toolkit", version, ["tiny-base"], "import tiny_base\n")
    write_wheel(folder, "tiny-base", "1.5")


def install_toolkit(site: Path) -> Path:
    """A package in ``site`` that offers the environment ``toolkit``; its list."""
    package = site / "toolkit_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(RECIPE)
    listed = package / "requirements.txt"
    listed.write_text(LISTED)
    (package / "requirements-2.txt").write_text(LISTED_2)
    points = {"fqbench.environments": {"toolkit": "toolkit_package:RECIPE"}}
    outside.install(site, "toolkit-package", points)
    return listed


def look_again() -> None:
    """Forget what was found: recipes, lists or environments have changed."""
    recipe.recipes.cache_clear()
    requirements.read.cache_clear()
    environment.forget()


def fqbench_env(*arguments: object) -> int:
    """The exit code of ``fqbench env``."""
    return main(["env", *map(str, arguments)])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one sentence that a command with exit code 2 prints."""
    capsys.readouterr()
    assert fqbench_env(*arguments) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("fqbench: ")
    assert len(printed.splitlines()) == 1
    return printed.removeprefix("fqbench: ").strip()


def left_over(place: Place) -> list[Path]:
    """Environments that were begun."""
    return sorted(place.root.glob("*.partial-*"))
