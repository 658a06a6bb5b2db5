"""What child processes are called with and answer: records, checked on both sides.

Between processes goes JSON. A record is validated where it is made and again where it is read, so
what does not fit is reported there, and not where it is used.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from fqbench.errors import StepError
from fqbench.jsonvalue import Json

_Answer = TypeVar("_Answer")


class Message(BaseModel):
    """Base of what a child process is called with or asked; the same class on both sides."""

    # Deferred: a child builds no validator but those that it uses.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    def to_json(self) -> dict[str, Json]:
        """As ``model_validate`` reads it on the other side."""
        content: dict[str, Json] = self.model_dump(mode="json")
        return content


def read_answer(kind: TypeAdapter[_Answer], answer: Json, name: str) -> _Answer:
    """What a child process answered, checked; ``name`` is what messages call the process.

    Raises StepError where it is not of this ``kind``.
    """
    try:
        return kind.validate_python(answer)
    except ValidationError as error:
        raise StepError(f"{name} gave an unexpected answer: {describe_mismatch(error)}") from error


def describe_mismatch(error: ValidationError) -> str:
    """The first mistake that was found, in one line: its key, where there is one, and why."""
    first = error.errors()[0]
    return ": ".join([*([".".join(map(str, first["loc"]))] if first["loc"] else []), first["msg"]])
