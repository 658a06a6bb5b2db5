"""Spec files: YAML into ``ModelSpec``, every mistake one sentence."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fqbench.errors import UsageError
from fqbench.spec.mistake import sentence
from fqbench.spec.model import ModelSpec
from fqbench.spec.quantization import Int8File
from fqbench.spec.yamlfile import read_yaml
from fqbench.tasks.registry import dataset_kinds

Key = tuple[str, ...]

MODEL = ".onnx"
"""How a file ends that is given for a spec by mistake."""

PATHS: tuple[Key, ...] = (
    ("model",),
    ("params",),
    ("int8", "model"),
    ("int8", "params"),
    ("dataset", "images"),
    ("dataset", "annotations"),
    ("dataset", "list"),
    ("calibration", "images"),
    ("calibration", "list"),
    ("calibration", "boxes"),
    ("distillation", "images", "images"),
    ("distillation", "images", "list"),
    ("distillation", "images", "boxes"),
)
FOLDERS = frozenset(
    {("dataset", "images"), ("calibration", "images"), ("distillation", "images", "images")}
)


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
                raise UsageError(
                    f"{path}: key name: another spec is called {spec.name!r} too"
                    ": choose another name"
                )
            specs[spec.name] = spec
        except UsageError as error:
            problems.append(SpecProblem(path, str(error)))
    return tuple(specs.values()), tuple(problems)


def load_spec(path: Path, data_root: Path | None) -> ModelSpec:
    """Read one spec file.

    Relative paths in it start at ``data_root``, or at the file's own folder where that is None.
    Raises UsageError with the file, the key, what was found and what was expected.
    """
    if path.suffix == MODEL:
        raise UsageError(f"{path} is a model, expected its spec: fqbench init {path} proposes one")
    content = read_yaml(path, "spec file")
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected keys and values (name: ..., model: ...)")
    base = (data_root or path.parent).absolute()
    keys = (*PATHS, *_of_brought_dataset(content))
    relative = _resolve(content, base, keys)
    try:
        # Strict, so that "yes" is no number; as JSON, where a list may still become a tuple.
        spec = ModelSpec.model_validate_json(json.dumps(content, default=str), strict=True)
    except ValidationError as error:
        found = sentence(error.errors()[0], ModelSpec.model_json_schema())
        raise UsageError(f"{path}: {found}") from error
    spec = spec.model_copy(update=_params_beside(spec))
    if spec.int8 is not None:
        int8 = spec.int8.model_copy(update=_params_beside(spec.int8))
        spec = spec.model_copy(update={"int8": int8})
    _check_files(path, spec, relative, base, keys)
    return spec


def _of_brought_dataset(content: dict[str, Any]) -> tuple[Key, ...]:
    """Further keys that hold paths, where a task brings the kind of data set."""
    dataset = content.get("dataset")
    kind = dataset.get("kind") if isinstance(dataset, dict) else None
    known = dataset_kinds().get(kind) if isinstance(kind, str) else None
    keys = [("dataset", name) for name in known.paths] if known is not None else []
    return tuple(key for key in keys if key not in PATHS)


def _params_beside(file: ModelSpec | Int8File) -> dict[str, Path]:
    """Paddle's parameter file, where the spec leaves it out."""
    if file.params is not None or file.model.suffix != ".pdmodel":
        return {}
    return {"params": file.model.with_suffix(".pdiparams")}


def _resolve(content: dict[str, object], base: Path, keys: Iterable[Key]) -> set[Key]:
    """Make the paths in ``content`` absolute, in place; return the keys that were relative."""
    relative = set()
    for key in keys:
        holder: object = content
        for part in key[:-1]:
            holder = holder.get(part) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and isinstance(holder.get(key[-1]), str):
            value = Path(holder[key[-1]])
            if not value.is_absolute():
                relative.add(key)
                holder[key[-1]] = str(base / value)
    return relative


def _check_files(
    path: Path, spec: ModelSpec, relative: set[Key], base: Path, keys: Iterable[Key]
) -> None:
    for key in keys:
        value: Any = spec
        for part in key:
            value = getattr(value, part, None)
        if value is None or any(_is_there(value, folder=folder) for folder in _kinds(key)):
            continue
        kind = "folder" if key in FOLDERS else "file"
        hint = (
            f" (relative paths start at {base}: see --data-root and FQBENCH_DATA)"
            if key in relative
            else ""
        )
        raise UsageError(
            f"{path}: key {'.'.join(key)}: there is no {kind} {value}{hint}"
            ": correct the path, or put it there"
        )


def _kinds(key: Key) -> tuple[bool, ...]:
    """Whether a folder is expected, a file, or either, as a task's own kind of data set says."""
    return (key in FOLDERS,) if key in PATHS else (False, True)


def _is_there(path: Path, *, folder: bool) -> bool:
    try:
        return path.is_dir() if folder else path.is_file()
    except OSError:  # A name that is too long, or a folder that may not be read.
        return False
