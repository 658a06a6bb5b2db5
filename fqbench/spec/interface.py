"""What a model's inputs are and what fills them, by its spec and its file. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

from fqbench.errors import UsageError
from fqbench.spec.contents import Shapes
from fqbench.spec.inputs import (
    Constant,
    Fill,
    Filled,
    ImageForm,
    ImageType,
    InputSize,
    Layout,
    ScaleFactor,
    dimensions,
)
from fqbench.spec.model import ModelSpec, Side
from fqbench.spec.preprocessing import SCALE_FACTOR_INPUT
from fqbench.tasks.record import Shape
from fqbench.tasks.registry import decoder_of
from fqbench.tasks.shapes import FREE, shown

IMAGE_RANK = 4

PAIR = (1, 2)
"""Shape of two sizes of one image."""

NUMBERS = ("float16", "float32", "float64", "uint8", "int32", "int64", "bool")
"""Types of what may be filled."""

IN_FLOAT32 = "what it holds in float16 is computed in float32"

HOW = (
    "{kind: constant, value: ...}, or kind image_size, input_size or scale_factor with order hw or"
    " wh"
)


@dataclass(frozen=True)
class Interface:
    """``image``: the input that takes it, in which ``form``; ``others``: what fills the others.

    ``inputs``: all of them, in the model's order. What the decoder knows is not in ``others``.
    """

    inputs: tuple[str, ...]
    image: str
    form: ImageForm
    others: Mapping[str, Filled]


def interface(spec: ModelSpec, inputs: Shapes, types: Mapping[str, str]) -> Interface:
    """How the model with these inputs is fed. Raises UsageError where the spec does not say."""
    image = _image_input(spec, inputs)
    form = _form(spec, image, inputs[image], types.get(image, "float32"))
    others = {
        name: _filled(spec, name, shape, types.get(name, "float32"), form.batch)
        for name, shape in inputs.items()
        if name != image and not _is_known(spec, name, shape)
    }
    _check_open(spec, image, inputs[image], form, others)
    if unknown := spec.other_inputs.keys() - inputs.keys():
        raise UsageError(
            f"{spec.model}: the spec's key other_inputs has {min(unknown)!r}, the model has:"
            f" {', '.join(inputs)}"
        )
    if image in spec.other_inputs:
        raise UsageError(
            f"{spec.model}: the input {image!r} takes the image: take it out of the key"
            " other_inputs"
        )
    return Interface(tuple(inputs), image, form, others)


def notes(spec: ModelSpec, found: Interface) -> Iterator[str]:
    """What is made of the inputs, in words that follow the model's name and a colon."""
    form = found.form
    if form.layout == "nhwc" and spec.layout is None:
        yield f"its input {found.image!r} is taken for NHWC, by its shape"
    if form.batch > 1:
        yield (
            f"its batch, fixed to {form.batch} in the file, was made 1, and each image checked"
            " against the file"
        )
    for name, other in found.others.items():
        if not other.differs:
            yield f"its input {name!r} was made a constant"


def _image_input(spec: ModelSpec, inputs: Shapes) -> str:
    """The input that takes the image, as the spec names it or as the only one that may."""
    try:
        if spec.input is None:
            return image_input(inputs, spec.other_inputs)
    except UsageError as error:
        raise UsageError(f"{spec.model}: {error}: name the image by the key input") from error
    if spec.input not in inputs:
        names = ", ".join(inputs) or "none"
        raise UsageError(
            f"{spec.model}: the spec's key input is {spec.input!r}, the model has: {names}"
        )
    return spec.input


def image_input(inputs: Shapes, others: Collection[str]) -> str:
    """The only input that is not filled by ``others`` or, of several, that may be an image.

    Raises UsageError with the model's inputs where that is not one.
    """
    images = [name for name in inputs if name != SCALE_FACTOR_INPUT and name not in others]
    if len(images) > 1:
        images = [name for name in images if len(inputs[name]) == IMAGE_RANK]
    if len(images) != 1:
        raise UsageError(f"the model has the inputs {', '.join(inputs) or 'none'}")
    return images[0]


# The image.


def _form(spec: ModelSpec, name: str, shape: Shape, kind: str) -> ImageForm:
    if kind not in get_args(ImageType):
        raise UsageError(
            f"{spec.model}: input {name!r} takes the image as {kind}: export the model with an"
            f" image of {', '.join(get_args(ImageType)[:-1])} or {get_args(ImageType)[-1]}"
        )
    layout = _layout(spec, name, shape)
    process = spec.preprocess
    plain = process.scale == 1 and not any(process.mean) and set(process.std) == {1}
    if kind == "uint8" and not plain:
        raise UsageError(
            f"{spec.model}: input {name!r} is uint8, which holds pixels as they are: leave"
            " preprocess.scale, preprocess.mean and preprocess.std out of the spec"
        )
    return ImageForm(layout=layout, type=kind, batch=max(shape[0], 1))


def _layout(spec: ModelSpec, name: str, shape: Shape) -> Layout:
    """The one that the spec says, or else the one that fits; of two that do, channels first."""
    made = {layout: _made(spec, layout) for layout in get_args(Layout)}
    allowed = get_args(Layout) if spec.layout is None else (spec.layout,)
    for layout in allowed:
        if _fits(shape[1:], made[layout][1:]) and len(shape) == IMAGE_RANK:
            found: Layout = layout
            return found
    channels_last = len(shape) == IMAGE_RANK and shape[3] == spec.preprocess.channels != shape[1]
    meant = allowed[-1] if channels_last else allowed[0]
    raise _refused(spec, name, shape, meant, made[meant])


def _made(spec: ModelSpec, layout: Layout) -> tuple[int, ...]:
    batch, channels, height, width = spec.input_shape
    return spec.input_shape if layout == "nchw" else (batch, height, width, channels)


def _refused(spec: ModelSpec, name: str, shape: Shape, layout: Layout, wanted: Shape) -> UsageError:
    keys = []
    if len(shape) != IMAGE_RANK:
        keys.append("expected batch, channels, height and width")
    else:
        channels = 1 if layout == "nchw" else 3
        if not _fits(shape[channels : channels + 1], wanted[channels : channels + 1]):
            keys.append("see preprocess.color")
        spatial = slice(2, 4) if layout == "nchw" else slice(1, 3)
        if not _fits(shape[spatial], wanted[spatial]):
            keys.append("see preprocess.resize.size")
        if spec.layout is not None:
            keys.append("see layout")
    return UsageError(
        f"{spec.model}: input {name!r} has shape {shown(shape)}, the spec of {spec.name} makes"
        f" {shown(wanted)}: {', '.join(keys)}"
    )


def _check_open(
    spec: ModelSpec, image: str, shape: Shape, form: ImageForm, others: Mapping[str, Filled]
) -> None:
    """Raise UsageError where a size is to be left open that cannot be."""
    first = 2 if form.layout == "nchw" else 1
    for place, side in enumerate(get_args(Side), start=first):
        if side in spec.free and shape[place] != FREE:
            raise UsageError(
                f"{spec.model}: the {side} of input {image!r} is fixed to {shape[place]}, and the"
                f" key free asks for it open: export the model with a free {side}, or take it out"
            )
    if not spec.free:
        return
    for name, other in others.items():
        if isinstance(other.fill, InputSize):
            raise UsageError(
                f"{spec.model}: the input {name!r} is filled with the size of the image's input,"
                " which the key free leaves open: take one of both out of the spec"
            )


# What goes with it.


def _is_known(spec: ModelSpec, name: str, shape: Shape) -> bool:
    """Whether the decoder says what fills the input, so that the spec need not."""
    if name in spec.other_inputs or name != SCALE_FACTOR_INPUT:
        return False
    if name not in decoder_of(spec.decode).inputs:
        return False
    if not _fits(shape, PAIR):
        raise UsageError(
            f"{spec.model}: input {name!r} has shape {shown(shape)}, expected {shown(PAIR)}: say"
            f" by the key other_inputs.{name} what fills it"
        )
    return True


def _filled(spec: ModelSpec, name: str, shape: Shape, kind: str, batch: int) -> Filled:
    fill = spec.other_inputs.get(name)
    if fill is None:
        raise UsageError(
            f"{spec.model}: nothing fills the input {name!r} ({kind} {shown(shape)}): set the key"
            f" other_inputs.{name} to {HOW}"
        )
    value = dimensions(fill.value) if isinstance(fill, Constant) else PAIR[1:]
    sizes = _shape(shape, value, batch)
    if sizes is None:
        raise UsageError(
            f"{spec.model}: input {name!r} has shape {shown(shape)}, and the key"
            f" other_inputs.{name} fills {shown(value)}: give another value or kind"
        )
    _check_type(spec, name, fill, kind)
    return Filled(fill=fill, type=kind, shape=sizes)


def _shape(shape: Shape, value: Shape, batch: int) -> tuple[int, ...] | None:
    """Of an input that is filled with ``value``; None where that does not fit.

    Sizes that are free are the value's own, the first one beside them that of the batch.
    """
    missing = len(shape) - len(value)
    if missing < 0:
        return None
    padded = (*(1,) * missing, *value)
    sizes = [own if size == FREE else size for size, own in zip(shape, padded, strict=True)]
    if missing and shape[0] == FREE:
        sizes[0] = batch
    fits = all(own in (1, size) for size, own in zip(sizes, padded, strict=True))
    return tuple(sizes) if fits else None


def _check_type(spec: ModelSpec, name: str, fill: Fill, kind: str) -> None:
    if kind not in NUMBERS:
        raise UsageError(
            f"{spec.model}: input {name!r} is of type {kind}, which nothing fills: export the model"
            " with that input as a number"
        )
    whole = not kind.startswith("float")
    fraction = isinstance(fill, Constant) and _has_fraction(fill.value)
    if whole and (fraction or isinstance(fill, ScaleFactor)):
        raise UsageError(
            f"{spec.model}: input {name!r} is of type {kind}, which holds whole numbers: give"
            f" other_inputs.{name} another value or kind"
        )


def _has_fraction(value: object) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_has_fraction, value))
    return isinstance(value, float) and not value.is_integer()


def _fits(shape: Shape, wanted: Shape) -> bool:
    return len(shape) == len(wanted) and all(
        size in (FREE, want) for size, want in zip(shape, wanted, strict=True)
    )
