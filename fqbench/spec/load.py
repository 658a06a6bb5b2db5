"""Spec files: YAML into ``ModelSpec``, every mistake one sentence."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fqbench.errors import UsageError
from fqbench.spec import model
from fqbench.spec.model import ModelSpec

SIZE_LIMIT = 256 * 1024

PATHS: tuple[tuple[str, ...], ...] = (
    ("model",),
    ("params",),
    ("dataset", "images"),
    ("dataset", "annotations"),
    ("dataset", "list"),
    ("calibration", "images"),
    ("calibration", "list"),
)
FOLDERS = frozenset({("dataset", "images"), ("calibration", "images")})


@dataclass(frozen=True)
class SpecProblem:
    """A spec file that cannot be used, and why."""

    path: Path
    message: str


def load_specs(
    paths: Iterable[Path], data_root: Path | None
) -> tuple[tuple[ModelSpec, ...], tuple[SpecProblem, ...]]:
    """Load every file that can be loaded; the others are problems, and harm no other."""
    specs: dict[str, ModelSpec] = {}
    problems = []
    for path in paths:
        try:
            spec = load_spec(path, data_root)
            if spec.name in specs:
                raise UsageError(f"{path}: key name: another spec is called {spec.name!r} too")
            specs[spec.name] = spec
        except UsageError as error:
            problems.append(SpecProblem(path, str(error)))
    return tuple(specs.values()), tuple(problems)


def load_spec(path: Path, data_root: Path | None) -> ModelSpec:
    """Read one spec file.

    Relative paths in it start at ``data_root``, or at the file's own folder where that is None.
    Raises UsageError with the file, the key, what was found and what was expected.
    """
    content = _read(path)
    base = (data_root or path.parent).absolute()
    relative = _resolve(content, base)
    try:
        spec = ModelSpec.model_validate(content)
    except ValidationError as error:
        raise UsageError(f"{path}: {_sentence(error.errors()[0])}") from error
    if spec.source_format == "paddle" and spec.params is None:
        spec = spec.model_copy(update={"params": spec.model.with_suffix(".pdiparams")})
    _check_files(path, spec, relative, base)
    return spec


class _UniqueKeys(yaml.SafeLoader):
    """YAML's safe loader, refusing a key that is written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key) for key, _ in node.value]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {twice[0]!r} is written twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise UsageError(f"{path} is too large for a spec file: {SIZE_LIMIT} bytes are allowed")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read spec file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not a text file, expected a spec in YAML") from error
    try:
        # Aliases let a small file describe a huge object; specs have no use for them.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise UsageError(f"{path}: aliases (*name) are not allowed in a spec")
        content = yaml.load(text, _UniqueKeys)  # a SafeLoader
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected keys and values (name: ..., model: ...)")
    return content


def _resolve(content: dict[str, Any], base: Path) -> set[tuple[str, ...]]:
    """Make the paths in ``content`` absolute, in place; return the keys that were relative."""
    relative = set()
    for key in PATHS:
        holder: Any = content
        for part in key[:-1]:
            holder = holder.get(part) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and isinstance(holder.get(key[-1]), str):
            value = Path(holder[key[-1]])
            if not value.is_absolute():
                relative.add(key)
                holder[key[-1]] = str(base / value)
    return relative


def _check_files(path: Path, spec: ModelSpec, relative: set[tuple[str, ...]], base: Path) -> None:
    for key in PATHS:
        value: Any = spec
        for part in key:
            value = getattr(value, part, None)
        if value is None:
            continue
        found = value.is_dir() if key in FOLDERS else value.is_file()
        if not found:
            kind = "folder" if key in FOLDERS else "file"
            hint = (
                f" (relative paths start at {base}: see --data-root and FQBENCH_DATA)"
                if key in relative
                else ""
            )
            raise UsageError(f"{path}: key {'.'.join(key)}: there is no {kind} {value}{hint}")


def _sentence(error: ErrorDetails) -> str:
    """One pydantic error as: the key, what was found, what was expected."""
    key = ".".join(str(part) for part in error["loc"] if not _is_tag(part))
    found = error["input"]
    shown = f", found {_short(found)}" if not isinstance(found, dict | BaseModel) else ""
    if error["type"] == "extra_forbidden":
        return f"key {key} is unknown{_suggestion(str(error['loc'][-1]))}"
    if error["type"] == "missing":
        return f"key {key} is missing"
    context = error.get("ctx", {})
    if error["type"].startswith("union_tag"):
        expected = context.get("expected_tags", "a kind")
        return (
            f"key {key}.kind: expected one of {expected}, found {_short(found.get('kind'))}"
            if (isinstance(found, dict))
            else f"key {key}: expected a mapping with a kind{shown}"
        )
    message = error["msg"].removeprefix("Value error, ")
    where = f"key {key}: " if key else ""
    return f"{where}{message[0].lower()}{message[1:]}{shown}"


def _is_tag(part: int | str) -> bool:
    """Whether pydantic put this part into the location to name a member of a union."""
    return isinstance(part, str) and part in _KINDS


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _suggestion(key: str) -> str:
    close = difflib.get_close_matches(key, _KEYS, n=1)
    return f": did you mean {close[0]}?" if close else ""


def _records() -> Sequence[type[BaseModel]]:
    return [
        value
        for value in vars(model).values()
        if isinstance(value, type) and issubclass(value, BaseModel)
    ]


_KEYS = sorted({name for record in _records() for name in record.model_fields})
_KINDS = frozenset(
    {"letterbox", "stretch", "crop", "logits", "yolov5", "yolox", "ppyoloe", "python"}
    | {"coco", "imagenet"}
)
