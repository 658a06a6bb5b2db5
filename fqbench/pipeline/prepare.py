"""From the command line's words to models that are ready to run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fqbench import zoo
from fqbench.artifacts import Store
from fqbench.errors import FqbenchError, UsageError
from fqbench.pipeline.model import ModelPipeline
from fqbench.pipeline.step import Progress
from fqbench.spec import ModelSpec
from fqbench.spec.check import check_model
from fqbench.spec.load import load_specs


@dataclass(frozen=True)
class Prepared:
    """Models that fit their specs, and one sentence for each that does not."""

    pipelines: tuple[ModelPipeline, ...]
    problems: tuple[str, ...]


def prepare(
    specs: Iterable[ModelSpec],
    store: Store,
    progress: Progress,
    *,
    allow_code: bool = False,
    calibrates: bool = True,
) -> Prepared:
    """Check each spec against its model's file and its images, before any work starts."""
    pipelines, problems = [], []
    for spec in specs:
        progress(f"check {spec.name}", 0, 0)
        try:
            pipeline = ModelPipeline(
                spec, check_model(spec), store, progress, allow_code=allow_code
            )
            pipeline.check(calibrates=calibrates)
            pipelines.append(pipeline)
        except FqbenchError as error:
            problems.append(str(error))
    return Prepared(tuple(pipelines), tuple(problems))


def find_specs(
    files: Sequence[Path], models: Sequence[str] | None, data_root: Path | None, store: Store
) -> tuple[tuple[ModelSpec, ...], tuple[str, ...]]:
    """The specs of ``files``, or the embedded ones where no file is given; and problems.

    ``models`` chooses among them by name. Raises UsageError for a name that is not there.
    """
    specs, problems = load_specs(files, data_root)
    known = {spec.name for spec in specs} if files else set(zoo.embedded_names())
    for name in models or ():
        if name not in known and not problems:
            raise UsageError(
                f"there is no model {name!r}: the models are {', '.join(sorted(known))}"
            )
    chosen = [name for name in models or known if name in known]
    if files:
        found = tuple(spec for spec in specs if spec.name in chosen)
    else:
        found = tuple(embedded(name, store) for name in zoo.embedded_names() if name in chosen)
    return found, tuple(problem.message for problem in problems)


def embedded(name: str, store: Store) -> ModelSpec:
    """The spec of an embedded model, its images written to the store."""
    artifact = store.get_or_make(
        "embedded_data",
        {"name": name, "version": zoo.DATA_VERSION},
        lambda folder: zoo.materialize(name, folder),
    )
    return zoo.spec(name, artifact.path)
