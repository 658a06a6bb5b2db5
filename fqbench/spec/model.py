"""``ModelSpec`` and its parts: frozen records, validated when built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    model_validator,
)
from pydantic_core import core_schema

from fqbench.errors import UsageError
from fqbench.spec.inputs import Fill, Layout
from fqbench.tasks.record import DatasetSettings, DecoderSettings
from fqbench.tasks.registry import dataset_kinds, decoder_of, decoders, fits_any_task, tasks

Cpu = Literal["here", "any"]
Side = Literal["height", "width"]
Interpolation = Literal["nearest", "linear", "cubic", "area"]

SCALE_FACTOR_INPUT = "scale_factor"
"""PP-YOLOE's input beside the image: height and width of the resized image over its own."""

Pixels = Annotated[int, Field(gt=0, le=8192)]
Size = tuple[Pixels, Pixels]
"""Height, width in pixels."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Letterbox(_Record):
    """Resize keeping the aspect ratio, then fill up to ``size`` with ``pad``."""

    kind: Literal["letterbox"]
    size: Size
    align: Literal["center", "top_left"] = "center"
    pad: Annotated[int, Field(ge=0, le=255)] = 114
    enlarge: bool = True
    interpolation: Interpolation = "linear"

    @property
    def output(self) -> Size:
        """Height, width of the result."""
        return self.size


class Stretch(_Record):
    """Resize to ``size``, whatever the aspect ratio."""

    kind: Literal["stretch"]
    size: Size
    interpolation: Interpolation = "linear"

    @property
    def output(self) -> Size:
        """Height, width of the result."""
        return self.size


class Crop(_Record):
    """Resize the short side (not at all where it is left out), then cut the centre."""

    kind: Literal["crop"]
    size: Size
    short_side: Pixels | None = None
    interpolation: Interpolation = "linear"

    @property
    def output(self) -> Size:
        """Height, width of the result."""
        return self.size


class BoxCrop(_Record):
    """Cut out what is in and around a box of the image, for models that look at one object.

    The box grows about its centre to the ratio of ``size``, then ``expand`` times. An image
    without a box is its own.
    """

    kind: Literal["box"]
    size: Size
    expand: Annotated[float, Field(gt=0, le=10)] = 1.25
    interpolation: Literal["linear"] = "linear"

    @property
    def output(self) -> Size:
        """Height, width of the result."""
        return self.size


class TextLine(_Record):
    """Resize to the height of ``size`` keeping the aspect ratio, narrower where it is too wide;
    what is left on the right is 0 in the tensor."""

    kind: Literal["line"]
    size: Size
    interpolation: Interpolation = "linear"

    @property
    def output(self) -> Size:
        """Height, width of the result."""
        return self.size


Resize = Annotated[Letterbox | Stretch | Crop | BoxCrop | TextLine, Field(discriminator="kind")]


class Preprocess(_Record):
    """From an image to a model's input: resize, colour order, ``(pixel * scale - mean) / std``."""

    resize: Resize
    color: Literal["rgb", "bgr", "gray"] = "rgb"
    scale: Annotated[float, Field(gt=0)] = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[Annotated[float, Field(gt=0)], ...] = (1.0,)

    @property
    def channels(self) -> int:
        """Number of colour channels of the input."""
        return 1 if self.color == "gray" else 3

    @model_validator(mode="after")
    def _one_value_per_channel(self) -> Preprocess:
        for key in ("mean", "std"):
            count, expected = len(getattr(self, key)), sorted({1, self.channels})
            if count not in expected:
                wanted = " or ".join(map(str, expected))
                raise ValueError(f"{key} has {count} values, expected {wanted}")
        return self

    @model_validator(mode="after")
    def _std_of_scaled_pixels(self) -> Preprocess:
        """Mean and deviation are mostly published for values of 0 to 1."""
        if self.scale == 1.0 and max(self.std) < 1.0:
            raise ValueError(
                f"std {max(self.std):g} would enlarge pixels of 0 to 255: give scale"
                " 0.00392156862745098, which is 1/255, where mean and std are of values of 0 to 1"
            )
        return self


class _AnyDecoder:
    """Settings of any decoder that is installed; which there are is known when a spec is read."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        known = {
            kind: handler.generate_schema(decoder.settings) for kind, decoder in decoders().items()
        }
        return core_schema.tagged_union_schema(known, discriminator="kind")


class _AnyTask:
    """The name of any task that is installed."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.literal_schema(list(tasks()))


Decode = Annotated[DecoderSettings, _AnyDecoder()]
TaskName = Annotated[str, _AnyTask()]


class Coco(DatasetSettings):
    """A folder of images and COCO annotations; ``count`` images from ``start`` on, by id."""

    kind: Literal["coco"]
    images: Path
    annotations: Path
    start: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(gt=0)] | None = None

    @property
    def truth(self) -> Path:
        """The file that says what is in the images."""
        return self.annotations


class ImageList(DatasetSettings):
    """A folder of images and a text file with ``file class`` a line, classes from 0.

    Without that file: a folder of images per class, class i being the i-th folder by name.
    """

    kind: Literal["imagenet"]
    images: Path
    list: Path | None = None
    start: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(gt=0)] | None = None

    @property
    def truth(self) -> Path:
        """The file or the folder that says what is in the images."""
        return self.list or self.images


class Folder(DatasetSettings):
    """A folder of images of which nothing is known: time and agreement, but no accuracy.

    ``needs`` says what accuracy would need.
    """

    kind: Literal["folder"]
    images: Path
    needs: Annotated[str, Field(min_length=3)] = "images with labels"
    start: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(gt=0)] | None = None


OWN_DATASETS: tuple[type[DatasetSettings], ...] = (Coco, ImageList, Folder)


class _AnyDataset:
    """Settings of fqbench's own data sets, or of a kind that an installed task brings."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        own = {get_args(s.model_fields["kind"].annotation)[0]: s for s in OWN_DATASETS}
        brought = {kind: known.settings for kind, known in dataset_kinds().items()}
        if taken := own.keys() & brought.keys():
            raise UsageError(
                f"dataset.kind {min(taken)!r} of a task is that of one of fqbench's own data sets:"
                " uninstall the package of the task"
            )
        known = {kind: handler.generate_schema(s) for kind, s in {**own, **brought}.items()}
        return core_schema.tagged_union_schema(known, discriminator="kind")


Dataset = Annotated[DatasetSettings, _AnyDataset()]


class Calibration(_Record):
    """Images that quantization may see: a folder, or the lines of a list file in it.

    Of all that are listed, each ``every``-th from ``start`` on. ``boxes``: COCO annotations, of
    which the largest box of the first category is cut out of each image; those without are left
    out.
    ``sizes``: of the model's input, that images are read at by turns; none: that of ``preprocess``.
    """

    images: Path
    list: Path | None = None
    boxes: Path | None = None
    every: Annotated[int, Field(gt=0)] = 1
    start: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(gt=0)] = 32
    sizes: tuple[Size, ...] = ()


Algorithm = Literal["search", "percentile", "hist", "avg", "abs_max", "KL", "mse", "emd"]


class Offline(_Record):
    """How offline quantization finds ranges, and which layers it leaves in float.

    ``keep_float`` holds names of the canonical graph's layers, or patterns with ``*``.
    """

    algorithm: Algorithm = "search"
    keep_float: tuple[str, ...] = ()


class LearningRate(_Record):
    """``kind``: the same throughout, or falling from ``rate`` to 0 along half a cosine.

    The cosine takes ``t_max`` iterations, by default all.
    """

    kind: Literal["constant", "cosine"] = "cosine"
    rate: Annotated[float, Field(gt=0, le=1)] = 3e-5
    t_max: Annotated[int, Field(gt=0)] | None = None


class Distillation(_Record):
    """How the FP32 model teaches the INT8 model, without labels.

    ``images``: what is trained on, by default the calibration images. ``loss``: between what
    student and teacher write into ``nodes``, tensors of the canonical graph, by default the raw
    outputs before decoding; ``alpha`` weighs it. None: ``soft_label`` for logits, else ``l2``.
    Training ends after ``iterations`` of ``batch_size`` images, or when the points lost, as
    estimated every ``eval_iterations`` on images held out from it, are at most ``target_drop``.
    """

    images: Calibration | None = None
    loss: Literal["l2", "soft_label"] | None = None
    alpha: Annotated[float, Field(gt=0)] = 1.0
    nodes: tuple[str, ...] = ()
    iterations: Annotated[int, Field(gt=0)] = 200
    batch_size: Annotated[int, Field(gt=0, le=1024)] = 4
    eval_iterations: Annotated[int, Field(gt=0)] = 50
    learning_rate: LearningRate = LearningRate()
    optimizer: Literal["SGD", "Momentum", "Adam", "AdamW"] = "Adam"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    target_drop: Annotated[float, Field(ge=0)] | None = None


def _with_int8(name: str) -> str:
    """``name``, if a backend of that name has an INT8 form of its own."""
    from fqbench.backends import Int8Form, backends

    return _one_of(name, [n for n, found in backends().items() if isinstance(found.int8, Int8Form)])


def _of_method(name: str) -> str:
    """``name``, if a method that can be asked for is called so."""
    from fqbench.methods import offered

    return _one_of(name, offered())


def _one_of(name: str, known: Sequence[str]) -> str:
    if name not in known:
        listed = [repr(each) for each in known]
        raise ValueError(f"Input should be {', '.join(listed[:-1])} or {listed[-1]}")
    return name


class Margin(_Record):
    """The largest drop from FP32 to INT8, in points, that is accepted, and on whose word."""

    drop: Annotated[float, Field(ge=0)]
    source: Annotated[str, Field(min_length=3)]
    reason: Annotated[str, Field(min_length=3)]
    backend: Annotated[str, AfterValidator(_with_int8)] | None = None
    method: Annotated[str, AfterValidator(_of_method)] | None = None


class Int8File(_Record):
    """An INT8 model that was made elsewhere, to be measured beside the one that fqbench makes."""

    model: Path
    params: Path | None = None


class ModelSpec(_Record):
    """A network with its weights, its input and output, its data, metric and margins.

    ``speed``: whether a layer runs in INT8 only where that is faster on this machine, or always,
    as if it were: for a model that is deployed on another one. ``cpu``: which CPUs the INT8 model
    is made for: this machine's, or any of x86, on none of which its 8-bit products saturate.
    ``layout``: how the file takes its image, None as its shape tells; ``other_inputs``: what fills
    its inputs beside the image, by name. ``free``: sizes of the image that every model made of the
    file leaves open, as the file does.
    """

    # Which tasks and decoders there are is asked when the first spec is read, not on import.
    model_config = ConfigDict(defer_build=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.]*$", max_length=64)]
    task: TaskName
    model: Path
    params: Path | None = None
    input: str | None = None
    layout: Layout | None = None
    other_inputs: Mapping[str, Fill] = Field(default_factory=dict)
    free: tuple[Side, ...] = ()
    preprocess: Preprocess
    decode: Decode
    dataset: Dataset
    calibration: Calibration
    offline: Offline = Offline()
    distillation: Distillation = Distillation()
    margins: tuple[Margin, ...] = ()
    speed: Literal["measured", "assumed"] = "measured"
    cpu: Cpu = "here"
    weights: Literal["trained", "synthetic"] = "trained"
    int8: Int8File | None = None

    @property
    def labelled(self) -> bool:
        """Whether the data set says what is in its images, so that accuracy can be measured."""
        return not isinstance(self.dataset, Folder)

    @property
    def source_format(self) -> Literal["onnx", "paddle"]:
        """Which format ``model`` is written in, by its ending."""
        return "onnx" if self.model.suffix == ".onnx" else "paddle"

    @property
    def of_int8_file(self) -> ModelSpec | None:
        """The spec of the model in the file ``int8``, its input named as that file does."""
        if self.int8 is None:
            return None
        files = {"model": self.int8.model, "params": self.int8.params}
        return self.model_copy(update={**files, "input": None, "int8": None})

    @property
    def metric(self) -> str:
        """The name of what accuracy means for this task."""
        return tasks()[self.task].metric.name

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """Batch 1, channels, height, width."""
        return (1, self.preprocess.channels, *self.preprocess.resize.output)

    @property
    def graph_shape(self) -> tuple[int | str, ...]:
        """As ``input_shape``, with names in the place of sizes that are left open."""
        batch, channels, *sides = self.input_shape
        named = zip(get_args(Side), sides, strict=True)
        return (batch, channels, *(name if name in self.free else size for name, size in named))

    @model_validator(mode="after")
    def _sizes_fit(self) -> ModelSpec:
        usual = self.preprocess.resize.output
        if self.distillation.images is not None and self.distillation.images.sizes:
            raise ValueError("distillation.images.sizes has no effect: training knows one size")
        for size in self.calibration.sizes:
            for name, side, own in zip(get_args(Side), size, usual, strict=True):
                if side != own and name not in self.free:
                    raise ValueError(
                        f"calibration.sizes has the {name} {side}, the model's is {own}: add"
                        f" {name} to the key free where its file leaves that open"
                    )
        return self

    @model_validator(mode="after")
    def _parts_agree(self) -> ModelSpec:
        for file in (self, self.int8):
            if file is not None and file.model.suffix not in (".onnx", ".pdmodel"):
                name = file.model.name
                raise ValueError(f"model is {name!r}, expected a .onnx or a .pdmodel file")
        task, decoder = tasks()[self.task], decoder_of(self.decode)
        if decoder.function is None and self.labelled:
            raise ValueError(
                f"decode.kind {decoder.kind!r} reads nothing: dataset.kind must be 'folder'"
            )
        if not (decoder in task.decoders or fits_any_task(decoder)):
            raise ValueError(f"decode.kind {decoder.kind!r} does not fit task {self.task!r}")
        if self.labelled and self.dataset.kind not in task.dataset_names:
            raise ValueError(f"dataset.kind {self.dataset.kind!r} does not fit task {self.task!r}")
        if self.weights == "synthetic" and self.labelled:
            raise ValueError("synthetic weights have no accuracy: dataset.kind must be 'folder'")
        cells = [(margin.backend, margin.method) for margin in self.margins]
        if len(set(cells)) < len(cells):
            raise ValueError("margins: two are for the same backend and method")
        return self
