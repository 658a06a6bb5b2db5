"""The tasks that are installed, and what they provide, by name."""

from __future__ import annotations

from functools import cache

from fqbench import plugins
from fqbench.errors import UsageError
from fqbench.tasks.record import AnswerFormat, DatasetKind, Decoder, DecoderSettings, Metric, Task

GROUP = "fqbench.tasks"
"""The group of entry points that tasks are found by."""


@cache
def tasks() -> dict[str, Task]:
    """All tasks, fqbench's own first. Raises UsageError as ``plugins.load``."""
    return plugins.load(GROUP, Task)


@cache
def decoders() -> dict[str, Decoder]:
    """All decoders by ``decode.kind``: those of the tasks, then those that fit any task.

    Raises UsageError where two different ones have the same kind.
    """
    from fqbench.tasks.shared import DECODERS

    owned = [
        (decoder, f"task {name}") for name, task in tasks().items() for decoder in task.decoders
    ]
    found: dict[str, Decoder] = {}
    owners: dict[str, str] = {}
    for decoder, owner in (*owned, *((decoder, "every task") for decoder in DECODERS)):
        first = owners.setdefault(decoder.kind, owner)
        if found.setdefault(decoder.kind, decoder) is not decoder:
            raise UsageError(
                f"decode.kind {decoder.kind!r} is that of a decoder of {first} and of another of"
                f" {owner}: uninstall the package of one of them"
            )
    return found


@cache
def dataset_kinds() -> dict[str, DatasetKind]:
    """The kinds of data sets that tasks bring, by ``dataset.kind``.

    Raises UsageError where two different ones have the same kind.
    """
    found: dict[str, DatasetKind] = {}
    for name, task in tasks().items():
        for kind in (each for each in task.datasets if isinstance(each, DatasetKind)):
            if found.setdefault(kind.kind, kind) is not kind:
                raise UsageError(
                    f"dataset.kind {kind.kind!r} of task {name} is not that of another task that"
                    " calls its own so: uninstall the package of one of them"
                )
    return found


@cache
def metrics() -> dict[str, Metric]:
    """All metrics by name. Raises UsageError where two different ones have the same name."""
    found: dict[str, Metric] = {}
    owned = [(n, m) for n, task in tasks().items() for m in (task.metric, *task.further)]
    for name, metric in owned:
        if found.setdefault(metric.name, metric) is not metric:
            raise UsageError(
                f"the metric {metric.name!r} of task {name} is not that of another task that"
                " calls its own so: uninstall the package of one of them"
            )
    return found


@cache
def answer_formats() -> dict[str, AnswerFormat]:
    """All formats of answers by the array that holds them.

    Raises UsageError where two different ones have the same array or the same type.
    """
    found: dict[str, AnswerFormat] = {}
    for name, task in tasks().items():
        added = task.answers
        for known in found.values():
            if known is not added and (
                known.array == added.array or known.answer_type is added.answer_type
            ):
                raise UsageError(
                    f"the answers of task {name}, of type {added.answer_type.__name__} in the array"
                    f" {added.array!r}, have type or array in common with {known.name} of another"
                    " task: uninstall the package of one of them"
                )
        found[added.array] = added
    return found


def format_of(answer: object) -> AnswerFormat:
    """The format of an answer. Raises TypeError where no task has such answers."""
    for known in answer_formats().values():
        if isinstance(answer, known.answer_type):
            return known
    raise TypeError(f"no task has answers of type {type(answer).__name__}")


def decoder_of(settings: DecoderSettings) -> Decoder:
    """The decoder that settings are of."""
    return decoders()[settings.kind]


def fits_any_task(decoder: Decoder) -> bool:
    """Whether the decoder belongs to no task."""
    return all(decoder not in task.decoders for task in tasks().values())
