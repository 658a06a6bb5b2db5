"""Which decoder and which preprocessing: candidates tried one axis after the other. Pure.

The most usual candidates of each guess come first; of the best, normalization, order of colors and
resizing are then changed one at a time, and what is better is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from fqbench.propose.evidence import Candidate, Outcome, better
from fqbench.spec.preprocessing import Crop, Letterbox, Preprocess, Resize, Stretch
from fqbench.tasks.recognition import Guess
from fqbench.vision.normalization import (
    NORMALIZATIONS,
    Normalization,
    in_color,
    normalization_of,
    normalized,
)

Try = Callable[[Candidate], Outcome]

MOST_WAYS = 3
"""Of feeding a model that are tried of each guess."""


@dataclass(frozen=True)
class Known:
    """What needs no trying, since the file says it; None where it does not."""

    normalization: Normalization | None = None
    color: str | None = None


@dataclass(frozen=True)
class Tried:
    """The winner, the guess that it is of, and the best outcome of each axis' other values.

    ``decoders``: of the other guesses; ``colors`` and so on: of the same candidate otherwise.
    """

    candidate: Candidate
    outcome: Outcome
    guess: Guess
    decoders: tuple[tuple[str, Outcome], ...]
    normalizations: tuple[tuple[str, Outcome], ...] = ()
    colors: tuple[tuple[str, Outcome], ...] = ()
    resizes: tuple[tuple[str, Outcome], ...] = ()


def fitted(preprocess: Preprocess, channels: int, known: Known) -> Preprocess:
    """``preprocess`` with what is known for certain."""
    if channels == 1:
        own = normalization_of(preprocess)
        preprocess = preprocess.model_copy(update={"color": "gray"})
        if own is not None:
            preprocess = normalized(preprocess, own)
    elif known.color is not None:
        preprocess = in_color(preprocess, known.color)
    if known.normalization is not None:
        preprocess = normalized(preprocess, known.normalization)
    return preprocess


def usual_candidates(
    guesses: Sequence[tuple[str, Guess]], channels: int, known: Known
) -> list[tuple[Guess, Candidate]]:
    """Of each guess of a task, the usual ways to feed its models, none twice."""
    found: dict[Candidate, Guess] = {}
    for task, guess in guesses:
        ways = guess.preprocess[:1] if guess.stated else guess.preprocess[:MOST_WAYS]
        for way in ways:
            found.setdefault(Candidate(task, guess.decode, fitted(way, channels, known)), guess)
    return [(guess, candidate) for candidate, guess in found.items()]


def search(
    guesses: Sequence[tuple[str, Guess]], channels: int, known: Known, attempt: Try
) -> Tried:
    """The best candidate. ``guesses``: by task, the most likely first, one at least."""
    firsts = usual_candidates(guesses, channels, known)
    outcomes = [(guess, candidate, attempt(candidate)) for guess, candidate in firsts]
    best = outcomes[0]
    for each in outcomes[1:]:
        if better(each[2], best[2]):
            best = each
    rest: dict[str, Outcome] = {}
    for guess, candidate, outcome in outcomes:
        if guess is not best[0]:
            name = candidate.decode.kind
            rest[name] = max((rest.get(name, outcome), outcome), key=lambda o: o.value)
    guess, candidate, outcome = best
    if guess.stated is not None:
        return Tried(candidate, outcome, guess, tuple(rest.items()))
    return _refined(candidate, guess, tuple(rest.items()), channels, known, attempt)


def _refined(
    candidate: Candidate,
    guess: Guess,
    decoders: tuple[tuple[str, Outcome], ...],
    channels: int,
    known: Known,
    attempt: Try,
) -> Tried:
    """The candidate with each axis changed in turn, once more where a later one changed."""
    axes = {
        "normalizations": _normalizations if known.normalization is None else None,
        "colors": _colors if channels == 3 and known.color is None else None,
        "resizes": _resizes,
    }
    for _ in range(2):
        before = candidate
        for others in axes.values():
            if others is not None:
                candidate = _best(candidate, [way for _, way in others(_of(candidate))], attempt)
        if candidate == before:
            break
    found = {
        axis: tuple(
            (name, attempt(replace(candidate, preprocess=way)))
            for name, way in others(_of(candidate))
        )
        for axis, others in axes.items()
        if others is not None
    }
    return Tried(candidate, attempt(candidate), guess, decoders, **found)


def _best(candidate: Candidate, ways: Sequence[Preprocess], attempt: Try) -> Candidate:
    best = candidate
    for way in ways:
        other = replace(candidate, preprocess=way)
        if better(attempt(other), attempt(best), rivals=len(ways)):
            best = other
    return best


def _of(candidate: Candidate) -> Preprocess:
    assert isinstance(candidate.preprocess, Preprocess)
    return candidate.preprocess


Ways = Iterator[tuple[str, Preprocess]]


def _normalizations(now: Preprocess) -> Ways:
    for known in NORMALIZATIONS:
        if (way := normalized(now, known)) != now:
            yield known.name, way


def _colors(now: Preprocess) -> Ways:
    other = "bgr" if now.color == "rgb" else "rgb"
    yield other, in_color(now, other)


def _resizes(now: Preprocess) -> Ways:
    for resize in _other_resizes(now.resize):
        if resize != now.resize:
            yield described(resize), now.model_copy(update={"resize": resize})


def _other_resizes(now: Resize) -> Iterator[Resize]:
    """Those that are taken for each other; a box and a line of text are what they are."""
    if isinstance(now, Letterbox | Stretch):
        yield Letterbox(kind="letterbox", size=now.size)
        yield Letterbox(kind="letterbox", size=now.size, align="top_left")
        yield Stretch(kind="stretch", size=now.size, interpolation=now.interpolation)
    elif isinstance(now, Crop):
        yield Crop(kind="crop", size=now.size, short_side=round(min(now.size) / 0.875))
        yield Crop(kind="crop", size=now.size, short_side=min(now.size))
        yield Crop(kind="crop", size=now.size)
        yield Stretch(kind="stretch", size=now.size)


def described(resize: Resize) -> str:
    """What is done, without the size of the result."""
    if isinstance(resize, Letterbox):
        return f"{resize.kind}, {resize.align}"
    if isinstance(resize, Crop):
        return f"{resize.kind} of a short side of {resize.short_side or 'its own length'}"
    return resize.kind
