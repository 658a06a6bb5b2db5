"""Decoders that fit any task: a function of the user's own, and none."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from fqbench.errors import StepError, UsageError
from fqbench.spec.preprocessing import SCALE_FACTOR_INPUT
from fqbench.tasks.record import (
    DecodeFunction,
    Decoder,
    DecoderSettings,
    Outputs,
    Size,
)
from fqbench.vision.geometry import Geometry


class PythonDecoder(DecoderSettings):
    """A function of the user's own: ``module:function``, importable where fqbench runs.

    Imports run code, so a spec may only name one where the caller has allowed it.
    """

    kind: Literal["python"]
    function: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]


class Undecoded(DecoderSettings):
    """Nothing is read from the outputs: for models of which no accuracy is measured."""

    kind: Literal["none"]


def _imported(settings: PythonDecoder, size: Size) -> DecodeFunction:
    name = settings.function
    module, _, attribute = name.partition(":")
    try:
        function: DecodeFunction = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # The user's module may raise anything.
        raise UsageError(
            f"decode.function {name!r} cannot be imported: {error}"
            "; install its module, or correct the name"
        ) from error
    if not callable(function):
        raise UsageError(f"decode.function {name!r} is not a function: name one as module:function")
    return partial(_checked, name, function)


def _checked(name: str, function: DecodeFunction, outputs: Outputs, geometry: Geometry) -> Any:
    """The answer of a function that may return anything, checked."""
    from fqbench.tasks.registry import answer_formats

    returned: object = function(outputs, geometry)
    formats = tuple(answer_formats().values())
    for known in formats:
        try:
            answer = known.checked(returned)
        except ValueError as error:
            raise StepError(f"decode.function {name!r} returned {error}") from error
        if answer is not None:
            return answer
    raise StepError(
        f"decode.function {name!r} returned {type(returned).__name__}, expected"
        f" {_listed(sorted(known.answer_type.__name__ for known in formats))}"
    )


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


DECODERS = (
    Decoder(
        settings=PythonDecoder,
        function=_imported,
        imports=lambda settings: settings.function,
        classes_of=None,
        recognizes=None,
        inputs=frozenset({SCALE_FACTOR_INPUT}),
        with_nms=None,
        completed=None,
        comparison=None,
        rows=None,
    ),
    Decoder(
        settings=Undecoded,
        function=None,
        imports=None,
        classes_of=None,
        recognizes=None,
        inputs=frozenset({SCALE_FACTOR_INPUT}),
        with_nms=None,
        completed=None,
        comparison=None,
        rows=None,
    ),
)
