"""From the command line's words to models that are ready to run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fqbench.errors import FqbenchError, StepError
from fqbench.methods import DEFAULT
from fqbench.pipeline.model import Model
from fqbench.pipeline.zoo_models import from_zoo
from fqbench.spec import ModelSpec
from fqbench.spec.check import check_model
from fqbench.spec.load import load_specs
from fqbench.steps.executor import Executor
from fqbench.zoo.choosing import beside_zoo, zoo_names


@dataclass(frozen=True)
class Prepared:
    """Models that fit their specs, and one sentence for each that does not."""

    models: tuple[Model, ...]
    problems: tuple[str, ...]


def prepare(
    specs: Iterable[ModelSpec],
    executor: Executor,
    *,
    allow_code: bool = False,
    calibrates: bool = True,
    method: str = DEFAULT,
    methods: Sequence[str] = (),
) -> Prepared:
    """Check each spec against its model's file and its images, before any work starts.

    ``methods``: those whose INT8 models stand beside each other; else ``method`` makes them.
    """
    models, problems = [], []
    for spec in specs:
        try:
            facts = check_model(spec)
            model = Model(spec, facts, executor, allow_code=allow_code, method=method)
            model.check(calibrates=calibrates, methods=methods)
            models.append(model)
        except FqbenchError as error:
            problems.append(str(error))
    return Prepared(tuple(models), tuple(problems))


def find_specs(
    files: Sequence[Path],
    models: Sequence[str] | None,
    root: Path | None,
    executor: Executor,
) -> tuple[tuple[ModelSpec, ...], tuple[str, ...]]:
    """The specs of ``files`` and those of the zoo that ``models`` names; and problems.

    ``models`` chooses among those of the files, too (``beside_zoo``). Without any file, the
    embedded ones are meant where it is None, and ``published`` means all of the published table.
    Raises UsageError for a name that is not there.
    """
    specs, problems = load_specs(files, root)
    if not files:
        return _of_zoo(zoo_names(models), root, executor)
    own = [spec.name for spec in specs]
    chosen: tuple[str, ...] = tuple(models or own)
    further: tuple[str, ...] = ()
    if not problems:  # Else it is not known what the model of a file is called.
        chosen, further = beside_zoo(models, own)
    made, failed = _of_zoo(further, root, executor)
    found = (spec for spec in specs if spec.name in chosen)
    return (*found, *made), (*(problem.message for problem in problems), *failed)


def _of_zoo(
    names: Sequence[str], root: Path | None, executor: Executor
) -> tuple[tuple[ModelSpec, ...], tuple[str, ...]]:
    made, failed = [], []
    for name in names:
        try:
            made.append(from_zoo(name, root, executor))
        except StepError as error:
            failed.append(str(error))
    return tuple(made), tuple(failed)
