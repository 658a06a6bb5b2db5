"""A folder of environments, and a package that offers one."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from fqbench.environments.install import Installer
from tests.support.wheels import Place, Said, install_toolkit, look_again, write_wheels


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One for all tests of a module, since making an environment takes seconds."""
    folder = tmp_path_factory.mktemp("environments")
    listed = install_toolkit(folder / "site")
    write_wheels(folder / "wheels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FQBENCH_ENVIRONMENTS", str(folder / "root"))
        patch.setenv("COLUMNS", "1000")
        patch.syspath_prepend(folder / "site")
        patch.setattr(Installer, "here", staticmethod(lambda: Installer(None, True)))
        look_again()
        yield Place(folder / "root", folder / "wheels", folder / "site", listed)
    sys.modules.pop("toolkit_package", None)
    look_again()


@pytest.fixture
def said() -> Said:
    return Said()
