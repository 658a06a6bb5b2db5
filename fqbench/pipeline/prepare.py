"""From the command line's words to models that are ready to run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fqbench.artifacts import Store
from fqbench.errors import FqbenchError, StepError
from fqbench.pipeline.model import ModelPipeline
from fqbench.pipeline.step import Progress
from fqbench.pipeline.zoo_models import chosen_names, from_zoo, zoo_names
from fqbench.spec import ModelSpec
from fqbench.spec.check import check_model
from fqbench.spec.load import load_specs
from fqbench.spec.model import Method


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
    method: Method = "offline",
) -> Prepared:
    """Check each spec against its model's file and its images, before any work starts."""
    pipelines, problems = [], []
    for spec in specs:
        progress(f"check {spec.name}", 0, 0)
        try:
            pipeline = ModelPipeline(
                spec, check_model(spec), store, progress, allow_code=allow_code, method=method
            )
            pipeline.check(calibrates=calibrates)
            pipelines.append(pipeline)
        except FqbenchError as error:
            problems.append(str(error))
    return Prepared(tuple(pipelines), tuple(problems))


def find_specs(
    files: Sequence[Path],
    models: Sequence[str] | None,
    root: Path | None,
    store: Store,
    progress: Progress,
) -> tuple[tuple[ModelSpec, ...], tuple[str, ...]]:
    """The specs of ``files``, or those of the zoo where no file is given; and problems.

    ``models`` chooses among them by name; of the zoo, the embedded ones are chosen where it is
    None, and ``published`` means all of the published table. Raises UsageError for a name that
    is not there.
    """
    specs, problems = load_specs(files, root)
    if files:
        known = [spec.name for spec in specs]
        chosen = chosen_names(models, known, known) if not problems else set(models or known)
        found = [spec for spec in specs if spec.name in chosen]
        return tuple(found), tuple(problem.message for problem in problems)
    made, failed = [], []
    for name in zoo_names(models):
        try:
            made.append(from_zoo(name, root, store, progress))
        except StepError as error:
            failed.append(str(error))
    return tuple(made), tuple(failed)
