"""Whether graphs answer alike that take their images otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import onnx

from fqbench.convert.inputs import OwnInputs
from fqbench.spec.inputs import ImageForm
from fqbench.verify.batch import batch_of, check_batch
from fqbench.verify.conversion import Conversion, Feed, Run, bound_of, graph_runner
from fqbench.vision.inputs import as_taken

DELIVERED = Conversion("the model with the input of its file", "the model itself")


def check_one_image(
    source: onnx.ModelProto,
    model: onnx.ModelProto,
    feeds: Sequence[Feed],
    own: Callable[[Feed], Feed],
    form: ImageForm,
) -> None:
    """Raise StepError where ``model`` does not answer an image as ``source`` does beside others.

    ``source`` takes ``form.batch`` images, by ``own`` what it takes for them.
    """
    several = graph_runner(source, optimized=False)
    check_batch(
        model,
        batch_of(feeds, form.batch),
        graph_runner(model, optimized=True),
        lambda feed: several(own(feed)),
        bound_of(source),
    )


def check_own_input(
    model: onnx.ModelProto,
    written: onnx.ModelProto,
    feeds: Sequence[Feed],
    place: int,
    own: OwnInputs,
) -> None:
    """Raise StepError where ``written`` does not answer as ``model`` does.

    It takes the image, the input at ``place``, as the ``own`` file does, and all else alike.
    """
    form = replace(DELIVERED, bound=bound_of(model))

    def taken(feed: Feed) -> Feed:
        return [as_taken(t, own.form) if at == place else t for at, t in enumerate(feed)]

    possible = [
        [own.possible(t) if at == place else t for at, t in enumerate(feed)] for feed in feeds
    ]

    def load() -> Run:
        run = graph_runner(written, optimized=True)
        return lambda feed: run(taken(feed))

    form.check(model, graph_runner(model, optimized=True), load, possible, lambda: None)
