"""From what was seen and tried to proposals: each with how sure it is, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fqbench.counting import counted
from fqbench.propose.evidence import CLEARLY, HINT, Outcome, answers_images, beats, shared
from fqbench.propose.inputs import ImageInput
from fqbench.propose.inside import Inside
from fqbench.propose.proposal import Proposal, Proposed
from fqbench.propose.search import Tried, described
from fqbench.propose.trial import Subject
from fqbench.spec.datasets import Dataset
from fqbench.spec.preprocessing import Preprocess
from fqbench.tasks.recognition import Guess, Sureness, noted_size
from fqbench.tasks.registry import tasks
from fqbench.vision.normalization import normalization_of

Named = tuple[str, Guess]


def explained(
    subject: Subject,
    image: ImageInput,
    inside: Inside | None,
    guesses: Sequence[Named],
    tried: Tried,
    dataset: Dataset | None,
) -> Proposed:
    """All proposals of the candidate that won."""
    metric = tasks()[tried.candidate.task].metric if dataset is not None else None
    label = metric.label if metric is not None else "decidedness"
    proposals = (
        *_reading(guesses, tried, label),
        *_input(subject, image),
        *_preprocessing(subject, image, inside, tried, label),
    )
    return Proposed(
        task=tried.candidate.task,
        proposals=proposals,
        dataset=None if dataset is None else dataset.model_dump(mode="json"),
        unknown=tried.guess.missing,
        tried=tuple(_sentences(tried, label)),
        metric=None if metric is None else metric.label,
    )


def _reading(guesses: Sequence[Named], tried: Tried, label: str) -> Iterator[Proposal]:
    sureness, reason = _decoder_sureness(guesses, tried, label)
    decode = tried.candidate.decode.model_dump(mode="json")
    kept = {key: value for key, value in decode.items() if value not in ([], None)}
    yield Proposal(key="task", value=tried.candidate.task, sureness=sureness, reason=reason)
    yield Proposal(key="decode", value=kept, sureness=sureness, reason=reason)


def _decoder_sureness(guesses: Sequence[Named], tried: Tried, label: str) -> tuple[Sureness, str]:
    guess, outcome = tried.guess, tried.outcome
    if guess.sureness == "sure":
        return "sure", guess.reason
    if outcome.points is None:
        rivals = {
            (name, other.decode.kind)
            for name, other in guesses
            if other.sureness == guess.sureness and other.decode.kind != guess.decode.kind
        }
        if rivals:
            also = ", ".join(sorted(kind for _, kind in rivals))
            return "guess", f"{guess.reason}; {also} may read that, too"
        return guess.sureness, guess.reason
    found = f"{guess.reason}; {label} {outcome.points:.1f} on {counted(outcome.images, 'image')}"
    if not answers_images(outcome, HINT):
        return "guess", f"{found}, no more than chance can do"
    if not answers_images(outcome):
        return "likely", f"{found}, more than with answers to other images"
    if all(beats(outcome, other) for _, other in tried.decoders):
        return "sure", f"{found}, far more than with answers to other images"
    return "likely", f"{found}, and other decoders about as much"


def _input(subject: Subject, image: ImageInput) -> Iterator[Proposal]:
    only = len(subject.contents.inputs) == 1
    yield Proposal(
        key="input",
        value=image.name,
        sureness="sure" if only else "likely",
        reason="the only input" if only else "the only input that may be an image",
    )
    axes = "batch, channels, height, width" if image.layout == "nchw" else "channels last"
    yield Proposal(
        key="layout",
        value=image.layout,
        sureness=image.layout_sureness,
        reason=f"its shape: {axes}",
    )
    for name, fill in subject.fills.items():
        yield Proposal(
            key=f"other_inputs.{name}",
            value=fill.model_dump(mode="json"),
            sureness="likely",
            reason="what exporters of detectors call so",
        )


def _preprocessing(
    subject: Subject, image: ImageInput, inside: Inside | None, tried: Tried, label: str
) -> Iterator[Proposal]:
    way = tried.candidate.preprocess
    assert isinstance(way, Preprocess)
    resize = way.resize.model_dump(mode="json", exclude_none=True)
    sureness, reason = _judged(tried, described(way.resize), tried.resizes, label)
    yield Proposal(key="preprocess.resize", value=resize, sureness=sureness, reason=reason)
    fixed = image.fixed or noted_size(subject.contents.metadata) is not None
    yield Proposal(
        key="preprocess.resize.size",
        value=resize["size"],
        sureness="sure" if fixed else "guess",
        reason="the file says so" if fixed else "the file leaves it open; this is usual",
    )
    yield _color(image, inside, tried, way, label)
    yield _normalization(image, inside, tried, way, label)


def _color(
    image: ImageInput, inside: Inside | None, tried: Tried, way: Preprocess, label: str
) -> Proposal:
    sureness, reason = _judged(tried, way.color, tried.colors, label)
    if image.channels == 1:
        sureness, reason = "sure", "one channel"
    elif inside is not None and inside.color is not None:
        sureness, reason = "likely", "the means by which the model normalizes its input"
    elif _is_shown(tried, tried.colors):
        sureness = "sure"
    return Proposal(key="preprocess.color", value=way.color, sureness=sureness, reason=reason)


def _normalization(
    image: ImageInput, inside: Inside | None, tried: Tried, way: Preprocess, label: str
) -> Proposal:
    known = normalization_of(way)
    name = known.name if known is not None else "a normalization of its own"
    sureness, reason = _judged(tried, name, tried.normalizations, label)
    if image.type == "uint8":
        sureness, reason = "sure", "the input is of type uint8"
    elif inside is not None:
        sureness, reason = inside.sureness, inside.reason
    value = {key: getattr(way, key) for key in ("scale", "mean", "std")}
    return Proposal(key="preprocess.scale", value=value, sureness=sureness, reason=reason)


def _is_shown(tried: Tried, others: Sequence[tuple[str, Outcome]]) -> bool:
    """Whether labels show the choice to be better than every one of ``others``."""
    if not others or not answers_images(tried.outcome):
        return False
    return all(beats(tried.outcome, other) for _, other in others)


def _judged(
    tried: Tried, name: str, others: Sequence[tuple[str, Outcome]], label: str
) -> tuple[Sureness, str]:
    """How sure a choice among those that were tried is: never more than likely.

    A score tells wrong ones apart. It does not show that there is no better one.
    """
    if tried.guess.stated is not None:
        return "sure", tried.guess.stated
    outcome = tried.outcome
    usual = f"usual for {tried.candidate.decode.kind}"
    if not others or outcome.failure is not None:
        return ("likely" if len(tried.guess.preprocess) == 1 else "guess"), usual
    next_name, best = max(others, key=lambda each: each[1].value)
    on = f"on {counted(outcome.images, 'image')}"
    compared = f"{label} {_value(outcome)} {on}, {next_name}: {_value(best)}"
    if outcome.points is None:
        only = len(tried.guess.preprocess) == 1 and _is_usual(tried, name)
        confirmed = only or outcome.value > CLEARLY * best.value
        return ("likely" if confirmed else "guess"), f"{name}, {compared} (no labels)"
    level = shared(HINT, len(others))
    shown = answers_images(outcome, HINT) and all(beats(outcome, each, level) for _, each in others)
    return ("likely" if shown else "guess"), f"{name}, {compared}"


def _is_usual(tried: Tried, name: str) -> bool:
    """Whether a choice is that of the most usual way."""
    first = tried.guess.preprocess[0]
    known = normalization_of(first)
    usual = (described(first.resize), first.color, "" if known is None else known.name)
    return name in usual


def _value(outcome: Outcome) -> str:
    if outcome.failure is not None:
        return "none"
    return f"{outcome.value:.1f}" if outcome.points is not None else f"{outcome.value:.2f}"


def _sentences(tried: Tried, label: str) -> Iterator[str]:
    axes = (tried.decoders, tried.normalizations, tried.colors, tried.resizes)
    if tried.outcome.failure is None and any(axes):
        yield f"what is proposed: {label} {_value(tried.outcome)}"
    for axis in axes:
        for name, outcome in axis:
            why = f" ({outcome.failure})" if outcome.failure is not None else ""
            yield f"{name}: {label} {_value(outcome)}{why}"
