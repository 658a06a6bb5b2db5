"""The models that fqbench knows by name, their files found or made."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fqbench import zoo
from fqbench.artifacts import Store
from fqbench.convert.environment import PROGRAMS
from fqbench.convert.program import STEM
from fqbench.data.root import data_root
from fqbench.graph.executor import RUNNING
from fqbench.jsonvalue import Json
from fqbench.pipeline import steps
from fqbench.spec import ModelSpec
from fqbench.steps import Needs, Step
from fqbench.steps.executor import Executor
from fqbench.zoo import published
from fqbench.zoo.processing import PROCESSING
from fqbench.zoo.seeded import models as seeded


def from_zoo(name: str, root: Path | None, executor: Executor) -> ModelSpec:
    """The spec of a model of the zoo, its files found under the data root or made."""
    if name in zoo.embedded_names():
        return embedded(name, executor.store)
    if name in zoo.seeded_names():
        return _seeded(name, executor)
    return _published(name, data_root(root), executor)


def embedded(name: str, store: Store) -> ModelSpec:
    """The spec of an embedded model, its images written to the store."""
    artifact = store.get_or_make(
        "embedded_data",
        {"name": name, "version": zoo.DATA_VERSION},
        lambda folder: zoo.materialize(name, folder),
    )
    return zoo.spec(name, artifact.path)


def _published(name: str, root: Path, executor: Executor) -> ModelSpec:
    """The spec of a published model: with its official file where that is under ``root``.

    Else with synthetic weights, made here. Raises StepError where they cannot be made.
    """
    scenery = _scenery(executor.store)
    official = published.official_weights(name, root)
    if official is not None:
        return published.trained_spec(name, official, root, scenery)
    step = Step(
        "zoo_model",
        name,
        steps.zoo_model,
        {
            "network": name,
            "preprocess": PROCESSING[name].preprocess.model_dump(mode="json"),
            "code": published.code_digests(),
        },
        ("paddlepaddle", "pillow", "scipy"),
        Needs(environment=PROGRAMS, cores=1),
    )
    made = executor.run([step]).artifact(step)
    weights = published.Weights(made.file(f"{STEM}.pdmodel"), made.file(f"{STEM}.pdiparams"))
    return published.synthetic_spec(name, weights, scenery)


def _seeded(name: str, executor: Executor) -> ModelSpec:
    """The spec of a network with seeded weights, made here. Raises StepError where it fails."""
    kind = seeded.KINDS[name]
    step = Step(
        "seeded_model",
        name,
        steps.seeded_model,
        {
            "network": name,
            "preprocess": kind.preprocess.model_dump(mode="json"),
            "code": seeded.code_digests(),
        },
        RUNNING,
        Needs(cores=1),
    )
    made = executor.run([step]).artifact(step)
    return seeded.seeded_spec(name, made.file(seeded.FILE), _scenery(executor.store, kind.cut))


def _scenery(store: Store, cut: tuple[int, int] | None = None) -> Path:
    """The folder of ``write_scenery``."""
    described: dict[str, Json] = {"version": published.SCENERY_VERSION}
    if cut is not None:
        described["cut"] = list(cut)
    write = partial(published.write_scenery, cut=cut)
    return store.get_or_make("scenery", described, write).path
