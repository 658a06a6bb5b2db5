"""What a toolkit imports is looked for before a run: without it the method is not supported."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from fqbench.environments import HERE, Environment, Missing
from fqbench.environments.requirements import normalized
from fqbench.methods import Method, methods, offered, record

TOOLKITS = tuple(name for name in offered() if methods()[name].packages)


def environment(
    method: Method, without: str, where: Literal["made", "used", "here"]
) -> Environment:
    """One that holds all that ``method`` needs but one distribution."""
    versions = {normalized(name): "1.0" for name in method.packages if name != without}
    return Environment(method.environment, Path(sys.executable), versions, where)


def test_every_toolkit_says_what_it_imports() -> None:
    whole = {name for name in offered() if methods()[name].yields == "model"}
    assert whole <= set(TOOLKITS)


@pytest.mark.parametrize("name", TOOLKITS)
def test_without_a_package_it_is_not_supported_and_says_how_to_get_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = methods()[name]
    for package in method.packages:
        monkeypatch.setattr(record, "find", lambda _, p=package: environment(method, p, "used"))
        reason = method.unsupported((method.backends or ("onnxruntime",))[0], "cpu")
        assert reason == (
            f"{method.label} needs {package}, which is not installed: run '{sys.executable} -m pip"
            f" install {package}'"
        )


@pytest.mark.parametrize(
    ("versions", "where", "reason"),
    [
        ({"a-b": "1", "c": "2"}, "here", None),
        (
            {"a-b": "1"},
            "made",
            "toolkit needs c, which is not installed in the environment here: run"
            " 'fqbench env make here'",
        ),
        (
            {},
            "here",
            "toolkit needs A_b and c, which are not installed: run 'python -m pip install A_b c'",
        ),
    ],
)
def test_what_is_missing_is_listed_by_where_it_belongs(
    versions: Mapping[str, str],
    where: Literal["made", "here"],
    reason: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    method = replace(
        methods()["ort_static"], label="toolkit", environment=HERE, packages=("A_b", "c")
    )
    there = Environment(HERE, Path("python"), versions, where)
    monkeypatch.setattr(record, "find", lambda _: there)
    assert method.missing() == reason


def test_an_environment_that_is_not_there_says_so_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(record, "find", lambda _: Missing("nncf", "it is not there"))
    assert methods()["nncf"].missing() == "it is not there"
