"""Which models and cells a session is about: options, and settings of pytest's own file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

GATE = "--fqbench-gate"

NAMES = {
    "models": "only these models, separated by commas; 'published' means the six published ones,"
    " 'seeded' those with seeded weights",
    "backends": "only these backends, separated by commas: see fqbench list",
    "devices": "only these devices, separated by commas: cpu, gpu",
    "precisions": "only these precisions, separated by commas: see fqbench list",
}
SPEC = "spec file of a model of your own, instead of the embedded ones; may be repeated"
DATA_ROOT = "where relative paths of specs start (default: FQBENCH_DATA, else the spec's folder)"
METHOD = "how INT8 models are made (default: offline)"


@dataclass(frozen=True)
class Settings:
    """What was chosen; None in a dimension means all of it."""

    specs: tuple[Path, ...]
    data_root: Path | None
    method: str | None
    models: tuple[str, ...] | None
    backends: tuple[str, ...] | None
    devices: tuple[str, ...] | None
    precisions: tuple[str, ...] | None


def add_options(group: pytest.OptionGroup, prefix: str = "fqbench-") -> None:
    """Add the options, each called ``--PREFIX...``; other prefixes give the same settings."""
    group.addoption(
        f"--{prefix}spec",
        dest="fqbench_spec",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help=SPEC,
    )
    group.addoption(
        f"--{prefix}data-root",
        dest="fqbench_data_root",
        type=Path,
        metavar="DIR",
        help=DATA_ROOT,
    )
    group.addoption(f"--{prefix}method", dest="fqbench_method", metavar="NAME", help=METHOD)
    for name, text in NAMES.items():
        group.addoption(f"--{prefix}{name}", dest=f"fqbench_{name}", metavar="NAMES", help=text)


def add_ini(parser: pytest.Parser) -> None:
    """Add the settings of ``pyproject.toml`` or ``pytest.ini``; an option goes before its own."""
    parser.addini("fqbench_spec", SPEC, type="paths")
    parser.addini("fqbench_data_root", DATA_ROOT, type="string")
    parser.addini("fqbench_method", METHOD, type="string")
    for name, text in NAMES.items():
        parser.addini(f"fqbench_{name}", text, type="args")


def on_command_line(config: pytest.Config) -> bool:
    """Whether one of the options was given."""
    names = ("spec", "data_root", "method", "gate", *NAMES)
    return any(config.getoption(f"fqbench_{name}") for name in names)


def settings_of(config: pytest.Config) -> Settings:
    """The options; where one is not given, the setting; of the data root, FQBENCH_DATA then."""
    chosen = {name: _names(config, f"fqbench_{name}") for name in NAMES}
    return Settings(
        specs=tuple(config.getoption("fqbench_spec") or config.getini("fqbench_spec")),
        data_root=config.getoption("fqbench_data_root") or _data_root(config),
        method=config.getoption("fqbench_method") or config.getini("fqbench_method") or None,
        **chosen,
    )


def _data_root(config: pytest.Config) -> Path | None:
    """A relative one in pytest's file starts where that file is."""
    setting = config.getini("fqbench_data_root")
    if setting:
        start = config.rootpath if config.inipath is None else config.inipath.parent
        return start / str(setting)
    environment = os.environ.get("FQBENCH_DATA")
    return Path(environment) if environment else None


def _names(config: pytest.Config, name: str) -> tuple[str, ...] | None:
    option = config.getoption(name)
    given = [option] if option else config.getini(name)
    return tuple(part for text in given for part in text.split(",")) or None
