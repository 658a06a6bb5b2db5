"""Records of other packages, found by entry points."""

from __future__ import annotations

from pathlib import Path

import pytest

from fqbench import plugins
from fqbench.errors import UsageError
from tests.support import outside

GROUP = "fqbench.test_records"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages, fqbench itself with two records among them."""
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "fqbench", one="builtins:True", two="builtins:False")
    return tmp_path


def install(site: Path, package: str, **points: str) -> None:
    outside.install(site, package, {GROUP: points})


def message() -> str:
    with pytest.raises(UsageError) as caught:
        plugins.load(GROUP, bool)
    return str(caught.value)


def test_own_records_come_first_then_others_by_name(site: Path) -> None:
    install(site, "zebra", alpha="builtins:True")
    install(site, "antelope", omega="builtins:False", beta="builtins:True")
    assert plugins.load(GROUP, bool) == {
        "one": True,
        "two": False,
        "alpha": True,
        "beta": True,
        "omega": False,
    }
    assert list(plugins.load(GROUP, bool)) == ["one", "two", "alpha", "beta", "omega"]


def test_a_name_that_is_taken(site: Path) -> None:
    install(site, "other", one="builtins:False")
    assert message() == (
        f"the entry point 'one' of package other in {GROUP}: the name is taken by package fqbench:"
        " uninstall one of them"
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module:RECORD", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("builtins:RECORD", "AttributeError: module 'builtins' has no attribute 'RECORD'"),
        ("broken_plugin:RECORD", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_record_that_cannot_be_loaded(site: Path, value: str, reason: str) -> None:
    (site / "broken_plugin.py").write_text("1 / 0\n")
    install(site, "other", three=value)
    assert message() == (
        f"the entry point 'three' of package other in {GROUP}: {value} cannot be loaded ({reason}):"
        " repair or uninstall the package"
    )


def test_a_record_of_another_type(site: Path) -> None:
    install(site, "other", three="builtins:len")
    assert message() == (
        f"the entry point 'three' of package other in {GROUP}: builtins:len is of type"
        " builtin_function_or_method, expected builtins.bool"
    )


def test_fqbench_must_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "other", one="builtins:True")
    assert message().startswith(f"package fqbench has no entry points in {GROUP}: install it")


def test_code_of_other_packages(site: Path) -> None:
    (site / "single.py").write_text("")
    (site / "whole/__pycache__").mkdir(parents=True)
    for name in ("whole/__init__.py", "whole/kernels.so", "whole/__pycache__/x.pyc", "beside.py"):
        (site / name).write_text("")
    install(
        site, "mine", one="single:RECORD", two="whole.part:RECORD", three="found_nowhere:RECORD"
    )
    (site / "mine-1.0.dist-info/RECORD").write_text("beside.py,,\nmine-1.0.dist-info/METADATA,,\n")
    assert plugins.code()["mine"] == {
        name: site / name
        for name in ("beside.py", "single.py", "whole/__init__.py", "whole/kernels.so")
    }
    assert "fqbench" not in plugins.code()


def test_a_record_that_calls_itself_otherwise(site: Path) -> None:
    (site / "named_plugin.py").write_text(
        "class RECORD(int):\n    name = 'four'\n\nRECORD = RECORD(3)\n"
    )
    install(site, "other", three="named_plugin:RECORD")
    with pytest.raises(UsageError, match="named_plugin:RECORD calls itself 'four'"):
        plugins.load(GROUP, int)
