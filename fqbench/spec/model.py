"""``ModelSpec``: all that a spec says, validated when it is built."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, model_validator
from pydantic_core import core_schema

from fqbench.spec.datasets import Dataset, Folder
from fqbench.spec.inputs import Fill, Layout
from fqbench.spec.preprocessing import Preprocess
from fqbench.spec.quantization import Calibration, Cpu, Distillation, Int8File, Margin, Offline
from fqbench.spec.record import Record
from fqbench.tasks.record import DecoderSettings
from fqbench.tasks.registry import decoder_of, decoders, fits_any_task, tasks

Side = Literal["height", "width"]


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


class ModelSpec(Record):
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
