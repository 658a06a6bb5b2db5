"""Options of ``pytest benchmarks`` and ``pytest conformance``, and what stands in the header."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fqbench import machine
from fqbench.backends import backends
from fqbench.cells import DEVICES
from fqbench.methods import DEFAULT, offered
from fqbench.precisions import precisions

pytest_plugins = ["fixtures.gate", "fixtures.matrix", "fixtures.outcomes"]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("fqbench")
    group.addoption(
        "--spec",
        action="append",
        type=Path,
        default=[],
        help="spec file of a model of your own, instead of the embedded ones; may be repeated",
    )
    group.addoption(
        "--data-root",
        type=Path,
        default=os.environ.get("FQBENCH_DATA") or None,
        help="where relative paths of specs start (default: FQBENCH_DATA)",
    )
    group.addoption(
        "--models", help="only these models, separated by commas; 'published' means those six"
    )
    group.addoption(
        "--method",
        choices=offered(),
        default=DEFAULT,
        help=f"how INT8 models are made (default: {DEFAULT})",
    )
    for name, values in (
        ("backends", backends()),
        ("devices", DEVICES),
        ("precisions", precisions()),
    ):
        group.addoption(f"--{name}", help=f"only these, separated by commas: {', '.join(values)}")


def pytest_report_header() -> list[str]:
    cpu = machine.cpu()
    isa = ", ".join(str(flag) for flag in cpu["isa"])  # type: ignore[union-attr]
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions().items())
    return [f"cpu: {cpu['model']}, {cpu['usable_cores']} usable cores ({isa})", versions]
