"""The config of the one-click tool: YAML into records, every mistake one sentence.

Each published key is here. One whose value can have no effect is refused with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from fqbench.errors import UsageError
from fqbench.spec.inputs import Fill, Layout
from fqbench.spec.mistake import sentence
from fqbench.spec.quantization import Algorithm
from fqbench.spec.yamlfile import read_yaml

NONE = "None"
"""How the published files write that no tensor is skipped; YAML reads it as a text."""

OLD_NAME, NAME = "Quantization", "QuantAware"
"""The tool's document calls this section otherwise than its files."""


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True
    )


def _only(accepted: object, reason: str) -> AfterValidator:
    """Refuses, with the reason, every value but the one that fqbench has."""

    def check(value: object) -> object:
        if value != accepted:
            raise ValueError(f"only {_yaml(accepted)} is possible: {reason}")
        return value

    return AfterValidator(check)


def _among(accepted: tuple[str, ...], reason: str) -> AfterValidator:
    def check(value: str) -> str:
        if value not in accepted:
            raise ValueError(f"expected {' or '.join(accepted)}: {reason}")
        return value

    return AfterValidator(check)


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text_or_mapping(value: object) -> object:
    if not isinstance(value, str | dict):
        raise ValueError("expected the name of a preprocessing, or a mapping as in a spec file")
    return value


Preprocessing = Annotated[Any, AfterValidator(_text_or_mapping)]
"""How an image is read: a name that is known, or a mapping."""

Count = Annotated[int, Field(gt=0)]
Bits = Annotated[int, _only(8, "backends compute in integers of 8 bits")]

CONVOLUTIONS = ("conv2d", "depthwise_conv2d")
PRODUCTS = ("mul", "matmul", "matmul_v2")
"""What Paddle calls fully connected layers."""
TRANSPOSED = "conv2d_transpose"


class General(_Section):
    """Section ``Global``: the model, the images, and how they are read.

    Fqbench's own are ``image_count``, how many images calibrate and train, at most, and ``layout``
    and ``other_inputs``, as in a spec.
    """

    model_dir: Path
    format: Literal["onnx", "paddle"]
    model_filename: str | None = None
    params_filename: str | None = None
    qat_image_path: Path | None = None
    ptq_image_path: Path | None = None
    input_list: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    qat_preprocess: Preprocessing = None
    ptq_preprocess: Preprocessing = None
    qat_batch_size: Annotated[int, Field(gt=0, le=1024)] | None = None
    image_count: Count | None = None
    layout: Layout | None = None
    other_inputs: Mapping[str, Fill] = Field(default_factory=dict)


class Distillation(_Section):
    """Section ``Distillation``: what the FP32 model teaches."""

    alpha: Annotated[float, Field(gt=0)] = 1.0
    loss: Literal["l2", "soft_label"] | None = None
    node: tuple[str, ...] = ()


def _known_operators(names: tuple[str, ...]) -> tuple[str, ...]:
    known = (*CONVOLUTIONS, *PRODUCTS, TRANSPOSED)
    for name in names:
        if name not in known:
            raise ValueError(
                f"{name!r} is not chosen by name: {', '.join(known)} are, other operators run in"
                " integers where what they read does"
            )
    return names


class QuantAware(_Section):
    """Section ``QuantAware``: what is quantized, by either method, and to what."""

    use_pact: bool = True
    onnx_format: Annotated[
        bool, _only(True, "each backend gets its own form, ONNX's operators in ONNX's")
    ] = True
    activation_quantize_type: Annotated[
        str,
        _among(
            ("moving_average_abs_max", "range_abs_max"),
            "backends need ranges that are fixed before they run, one for each tensor",
        ),
    ] = "moving_average_abs_max"
    weight_quantize_type: Annotated[
        str,
        _only("channel_wise_abs_max", "one range for all channels of a weight loses more"),
    ] = "channel_wise_abs_max"
    quantize_op_types: (
        Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_known_operators)] | None
    ) = None
    not_quant_pattern: tuple[str, ...] = ()
    activation_bits: Bits = 8
    weight_bits: Bits = 8
    is_full_quantize: Annotated[
        bool, _only(False, "operators run in integers where that pays, not wherever they can")
    ] = False


def _listed(value: object) -> object:
    if value is None or value == NONE:
        return ()
    return tuple(value) if isinstance(value, list) else value


class Ptq(_Section):
    """Section ``PTQ``: how ranges are found offline, and what is left out."""

    calibration_method: Algorithm = "search"
    skip_tensor_list: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()


class Rate(_Section):
    """A learning rate: without a type the same throughout."""

    type: Literal["CosineAnnealingDecay"] | None = None
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    T_max: Count | None = None

    @model_validator(mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError("expected a number (YAML reads 1e-5 as a text: write 1.0e-5)")
        return {"learning_rate": value} if isinstance(value, int | float) else value

    @model_validator(mode="after")
    def _agrees(self) -> Rate:
        if self.T_max is not None and self.type is None:
            raise ValueError("T_max belongs to the type CosineAnnealingDecay, which is not named")
        return self


class Optimizer(_Section):
    """The optimizer by its Paddle name."""

    type: Literal["SGD", "Momentum", "Adam", "AdamW"]


class OptimizerBuilder(_Section):
    """The optimizer and its weight decay."""

    optimizer: Optimizer | None = None
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


class TrainConfig(_Section):
    """Section ``TrainConfig``: how long and how fast to train, and what may be lost.

    Metrics as parts of 1 or as points of 100.
    """

    train_iter: Count | None = None
    epochs: Count | None = None
    eval_iter: Count | None = None
    learning_rate: Rate | None = None
    optimizer_builder: OptimizerBuilder = OptimizerBuilder()
    target_metric: Annotated[float, Field(gt=0, le=100)] | None = None
    origin_metric: Annotated[float, Field(gt=0, le=100)] | None = None

    @model_validator(mode="after")
    def _agrees(self) -> TrainConfig:
        if self.train_iter is not None and self.epochs is not None:
            raise ValueError("train_iter and epochs both say how long to train: give one of them")
        if self.target_metric is not None and self.origin_metric is not None:
            if (self.target_metric > 1) != (self.origin_metric > 1):
                raise ValueError(
                    "target_metric and origin_metric must both be parts of 1, or both points"
                )
            if self.target_metric >= self.origin_metric:
                raise ValueError(
                    f"target_metric {self.target_metric:g} must be less than origin_metric"
                    f" {self.origin_metric:g}: INT8 loses something"
                )
        return self

    @property
    def may_lose(self) -> float | None:
        """Points from the FP32 model's metric to the target; None where one is not given."""
        if self.target_metric is None or self.origin_metric is None:
            return None
        unit = 1.0 if self.origin_metric > 1 else 100.0
        return unit * (self.origin_metric - self.target_metric)


class Config(_Section):
    """All sections of a config."""

    general: General = Field(alias="Global")
    distillation: Distillation = Field(default=Distillation(), alias="Distillation")
    quant_aware: QuantAware = Field(default=QuantAware(), alias=NAME)
    ptq: Ptq = Field(default=Ptq(), alias="PTQ")
    training: TrainConfig = Field(default=TrainConfig(), alias="TrainConfig")


@dataclass(frozen=True)
class LoadedConfig:
    """A config, and what stands in its file: the values by dotted key, in its order."""

    path: Path
    config: Config
    values: dict[str, object]


def load_config(path: Path) -> LoadedConfig:
    """Read a config. Raises UsageError with the file, the key, and what was expected there."""
    content = read_yaml(path, "config")
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected the sections Global, QuantAware, PTQ and others")
    if OLD_NAME in content and NAME not in content:
        content = {NAME if key == OLD_NAME else key: value for key, value in content.items()}
    try:
        # Strict, so that "yes" is no number; as JSON, where a list may still become a tuple.
        config = Config.model_validate_json(json.dumps(content, default=str), strict=True)
    except ValidationError as error:
        found = sentence(error.errors()[0], Config.model_json_schema())
        raise UsageError(f"{path}: {found}") from error
    values = {
        f"{section}.{key}": value
        for section, keys in content.items()
        for key, value in keys.items()
    }
    return LoadedConfig(path, config, values)
