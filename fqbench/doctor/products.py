"""What the 8-bit products of this CPU give in each runtime."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import TypeAdapter

from fqbench import isolate
from fqbench.backends import backend
from fqbench.doctor.runtimes import Support
from fqbench.environments.interpreter import interpreter
from fqbench.isolate import Report
from fqbench.jsonvalue import Json
from fqbench.message import Message, read_answer
from fqbench.precisions.own import INT8

TIMEOUT_S = 120.0

_BOOL: TypeAdapter[bool] = TypeAdapter(bool)


class Probe(Message):
    """``backend``: whose kernels are probed."""

    backend: str


def probed(found: Iterable[Support]) -> tuple[str, ...]:
    """The backends of ``found`` whose products may saturate, and that run INT8 on the CPU here."""
    return tuple(
        each.backend
        for each in found
        if each.device == "cpu"
        and INT8.name in each.precisions
        and backend(each.backend).saturates != "never"
    )


def saturates(name: str) -> bool:
    """Whether sums of 8-bit products saturate in the kernels of the backend ``name``.

    Runs a small layer in a child process. Raises StepError where that fails.
    """
    answer = isolate.call(
        "fqbench.doctor.products:run_probe",
        Probe(backend=name).to_json(),
        timeout_s=TIMEOUT_S,
        name=f"the probe of {backend(name).label}",
        interpreter=interpreter(backend(name).environment),
    )
    return read_answer(_BOOL, answer, "the probe")


def run_probe(arguments: dict[str, Json], report: Report) -> Json:
    """The child's side."""
    from fqbench.saturation.probe import saturates as found

    return found(Probe.model_validate(arguments).backend)
