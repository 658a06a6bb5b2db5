"""What methods that call another toolkit have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fqbench.methods.record import Method, ModelPlan
from fqbench.steps import Needs, Step
from fqbench.steps.job import Function
from fqbench.steps.step import Input


def toolkit_method(
    name: str,
    label: str,
    *,
    backends: tuple[str, ...],
    environment: str,
    plan: Callable[[ModelPlan, str], Step],
    packages: tuple[str, ...],
    learns: bool = False,
    quick: bool = True,
) -> Method:
    """The record of a method whose ``plan`` writes whole models from the calibration images.

    ``packages``, ``learns``, ``quick``: see ``Method``.
    """
    return Method(
        name=name,
        label=label,
        offered=True,
        learns=learns,
        quick=quick,
        images=lambda spec: {},
        backends=backends,
        environment=environment,
        yields="model",
        plan=plan,
        packages=packages,
    )


def calibrated(
    model: ModelPlan,
    name: str,
    function: Function,
    inputs: Mapping[str, Input],
    *,
    libraries: tuple[str, ...],
    environment: str,
    of: object,
) -> Step:
    """The step ``name`` of a toolkit: it reads all calibration images, and has ``inputs`` beside.

    ``of`` tells it from others of that name, see ``ModelPlan.step``.
    """
    images = model.images.calibration
    return model.step(
        name,
        {**model.read(images), **inputs},
        libraries,
        len(images),
        function=function,
        needs=Needs(environment=environment),
        of=of,
    )
