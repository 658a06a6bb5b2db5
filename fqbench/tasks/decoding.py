"""From a model's outputs to its answer, as a spec's ``decode`` says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from fqbench.errors import UsageError
from fqbench.tasks.record import DecodeFunction, DecoderSettings, Size
from fqbench.tasks.registry import decoder_of


def decoder(
    settings: DecoderSettings, input_size: Size, *, allow_code: bool = False
) -> DecodeFunction:
    """The function that turns a model's outputs of one image into its answer.

    It raises StepError for outputs of a wrong shape, with NaN, or for boxes with infinities.
    Raises UsageError for a decoder of the user's own that is not allowed or cannot be imported,
    and where there is none.
    """
    known = decoder_of(settings)
    if known.function is None:
        raise UsageError(
            f"decode.kind {known.kind!r} reads no answer from a model's outputs"
            ": choose another decode.kind"
        )
    if known.imports is not None and not allow_code:
        raise UsageError(
            f"decode.function {known.imports(settings)!r} runs code of the spec's choice: allow it"
            " by --allow-code if you trust the spec"
        )
    return known.function(settings, input_size)


def source_of(settings: DecoderSettings) -> Path | None:
    """The file of the module that an allowed decoder imports; None where it has or imports none."""
    known = decoder_of(settings)
    if known.imports is None:
        return None
    spec = importlib.util.find_spec(known.imports(settings).partition(":")[0])
    return Path(spec.origin) if spec is not None and spec.origin is not None else None
