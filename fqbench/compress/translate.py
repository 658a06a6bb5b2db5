"""A config in the words of fqbench: where the model is, and the ``ModelSpec`` that is meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fqbench.compress.config import Config, General, TrainConfig
from fqbench.compress.method import CompressionMethod
from fqbench.compress.reading import reading
from fqbench.data.calibration import calibration_paths
from fqbench.data.sample import confined
from fqbench.errors import UsageError
from fqbench.spec import Calibration, Folder, Margin, ModelSpec, Preprocess
from fqbench.spec.contents import Contents
from fqbench.spec.inputs import Layout
from fqbench.spec.interface import image_input
from fqbench.spec.model import TaskName
from fqbench.spec.quantization import Algorithm, Distillation, LearningRate, Offline
from fqbench.tasks.record import Shape
from fqbench.tasks.shapes import FREE
from fqbench.tasks.shared import Undecoded

MOST_IMAGES = 320
"""As many calibrate at most where the config gives no number: the tool's own sets are so large."""

ALL_IMAGES = 2**31

DEFAULT_DROP = 1.0
"""Points that INT8 may lose, as estimated, where the config does not say."""

CHANNELS = (1, 3)
"""Of images."""

X2PADDLE = "x2paddle_"
"""What x2paddle, the tool's converter, puts before the names of an ONNX model's inputs."""

RANGES: dict[str, Algorithm] = {"moving_average_abs_max": "search", "range_abs_max": "abs_max"}
"""How ranges are found that training starts from, by the key activation_quantize_type."""


@dataclass(frozen=True)
class Source:
    """The model's file, and Paddle's parameters."""

    model: Path
    params: Path | None
    name: str


def source(general: General, base: Path) -> Source:
    """The files that a config names; relative paths start at ``base``. Raises UsageError."""
    place = base / general.model_dir
    if general.format == "onnx":
        model = place
        if place.is_dir() and (general.model_filename or "").endswith(".onnx"):
            model = confined(place, general.model_filename or "", Path("Global.model_filename"))
        _require_file("model_dir", model)
        if model.suffix != ".onnx":
            raise UsageError(
                f"Global.model_dir: {model.name!r} is no .onnx file, as format says"
                ": name one, or correct Global.format"
            )
        return Source(model, None, _named(model.stem))
    if not place.is_dir():
        raise UsageError(
            f"Global.model_dir: there is no folder {place}{_hint(general.model_dir, base)}"
            ": correct the path"
        )
    filename = general.model_filename or "model.pdmodel"
    if not filename.endswith(".pdmodel"):
        raise UsageError(
            f"Global.model_filename: {filename!r} is no .pdmodel file: export the model by"
            " paddle.static.save_inference_model of Paddle 2 or later"
        )
    model = confined(place, filename, Path("Global.model_filename"))
    _require_file("model_filename", model)
    beside = general.params_filename or Path(filename).with_suffix(".pdiparams").as_posix()
    params = confined(place, beside, Path("Global.params_filename"))
    _require_file("params_filename", params)
    return Source(model, params, _named(place.resolve().name))


def _require_file(key: str, path: Path) -> None:
    if not path.is_file():
        raise UsageError(f"Global.{key}: there is no file {path}: correct the name")


def _hint(path: Path, base: Path) -> str:
    return "" if path.is_absolute() else f" (relative paths start at {base})"


def _named(text: str) -> str:
    """A model's name that a spec may have."""
    name = re.sub(r"[^a-z0-9_.]", "_", text.lower())[:64]
    return name if re.match(r"[a-z0-9]", name) else f"m{name[:63]}"


def translated(
    config: Config, method: CompressionMethod, source: Source, contents: Contents, base: Path
) -> ModelSpec:
    """What ``config`` means for the model in ``source``, whose file holds ``contents``.

    Raises UsageError with the key of what does not fit or is missing.
    """
    general = config.general
    image = _image_input(general, contents)
    images = _images(general, method, base)
    return ModelSpec(
        name=source.name,
        task=_task(contents),
        model=source.model,
        params=source.params,
        input=image,
        layout=general.layout,
        other_inputs=general.other_inputs,
        preprocess=_reading(general, method, contents.inputs[image]),
        decode=Undecoded(kind="none"),
        dataset=Folder(kind="folder", images=images.images, needs="an evaluation, as fqbench run"),
        calibration=images,
        offline=Offline(
            algorithm=config.ptq.calibration_method
            if method.section == "PTQ"
            else RANGES[config.quant_aware.activation_quantize_type]
        ),
        distillation=_distillation(config, images, method),
        margins=(_margin(config.training),),
    )


def _image_input(general: General, contents: Contents) -> str:
    """The input that takes the image, by ``input_list`` or as the only one that may."""
    inputs = list(contents.inputs)
    listed = general.input_list
    if listed is not None:
        names = [_input_named(name, inputs, general.format) for name in listed]
        if sorted(names) != sorted(inputs):
            raise UsageError(f"Global.input_list: the model has the inputs {', '.join(inputs)}")
        inputs = names
    try:
        return image_input(contents.inputs, general.other_inputs)
    except UsageError as error:
        raise UsageError(
            f"{error}: say what fills those beside the image by Global.other_inputs, as the key"
            " other_inputs of a spec file"
        ) from error


def _input_named(name: str, inputs: Sequence[str], form: str) -> str:
    own = name.removeprefix(X2PADDLE) if form == "onnx" and name not in inputs else name
    if own not in inputs:
        raise UsageError(
            f"Global.input_list: the model has no input {name!r}, but {', '.join(inputs)}"
            ": name these"
        )
    return own


def _reading(general: General, method: CompressionMethod, shape: Shape) -> Preprocess:
    offline = method.section == "PTQ"
    key = f"Global.{method.section.lower()}_preprocess"
    value = general.ptq_preprocess if offline else general.qat_preprocess
    if value is None:
        raise UsageError(
            f"{key} is missing: it says how an image becomes the model's input"
            ": set it as examples/compress shows"
        )
    height, width = _size(general.layout, shape)
    try:
        return reading(value, (_fixed(height), _fixed(width)))
    except UsageError as error:
        raise UsageError(f"{key}: {error}") from error


def _size(layout: Layout | None, shape: Shape) -> tuple[int, int]:
    """Height and width of an input; where no ``layout`` says it, the channels are few."""
    if len(shape) != 4:
        return FREE, FREE
    last = shape[3] in CHANNELS and shape[1] not in CHANNELS if layout is None else layout == "nhwc"
    return (shape[1], shape[2]) if last else (shape[2], shape[3])


def _fixed(size: int) -> int | None:
    return None if size == FREE else size


def _images(general: General, method: CompressionMethod, base: Path) -> Calibration:
    offline = method.section == "PTQ"
    key = f"Global.{method.section.lower()}_image_path"
    path = general.ptq_image_path if offline else general.qat_image_path
    if path is None:
        raise UsageError(f"{key} is missing: quantization needs images: name a folder of them")
    folder = base / path
    if not folder.is_dir():
        raise UsageError(f"{key}: there is no folder {folder}{_hint(path, base)}: correct the path")
    images = Calibration(images=folder, count=general.image_count or MOST_IMAGES)
    try:
        calibration_paths(images)
    except UsageError as error:
        raise UsageError(
            f"{key}: there are no images in {folder}: put some there, or name another folder"
        ) from error
    return images


def _task(contents: Contents) -> TaskName:
    """One score a class is a classifier; else points are estimated as a detector's."""
    outputs = list(contents.outputs.values())
    scores = len(outputs) == 1 and sum(size != 1 for size in outputs[0][1:]) == 1
    scores = scores and not contents.nms
    return "classification" if scores else "detection"


def _margin(training: TrainConfig) -> Margin:
    if training.may_lose is None:
        source, drop = "fqbench compress", DEFAULT_DROP
        reason = "the config does not give both target_metric and origin_metric"
    else:
        source, drop = "the config", training.may_lose
        reason = "from origin_metric to target_metric"
    return Margin(drop=drop, source=source, reason=reason)


def _distillation(config: Config, images: Calibration, method: CompressionMethod) -> Distillation:
    """The settings of training; what the config leaves out is as everywhere in fqbench."""
    training, lesson = config.training, config.distillation
    if method.section == "QAT":
        _require_both_metrics(training)
    usual = Distillation()
    batch = config.general.qat_batch_size or usual.batch_size
    iterations = training.train_iter or usual.iterations
    every = images.model_copy(update={"count": config.general.image_count or ALL_IMAGES})
    if training.epochs is not None and method.section == "QAT":
        iterations = training.epochs * max(1, len(calibration_paths(every)) // batch)
    builder, rate = training.optimizer_builder, training.learning_rate
    return Distillation(
        # More than are ever trained on need not be there, nor be read.
        images=every.model_copy(update={"count": min(every.count, iterations * batch)}),
        # Soft labels are for logits, recognized by their shape; other tensors use l2.
        loss="l2" if lesson.loss == "l2" else None,
        alpha=lesson.alpha,
        iterations=iterations,
        batch_size=batch,
        eval_iterations=training.eval_iter or usual.eval_iterations,
        learning_rate=usual.learning_rate
        if rate is None
        else LearningRate(
            kind="constant" if rate.type is None else "cosine",
            rate=rate.learning_rate,
            t_max=rate.T_max,
        ),
        optimizer=builder.optimizer.type if builder.optimizer is not None else usual.optimizer,
        weight_decay=builder.weight_decay,
        target_drop=training.may_lose,
    )


def _require_both_metrics(training: TrainConfig) -> None:
    pair = {"target_metric": training.target_metric, "origin_metric": training.origin_metric}
    given = [key for key, value in pair.items() if value is not None]
    if len(given) == 1:
        (other,) = set(pair) - set(given)
        raise UsageError(
            f"TrainConfig.{given[0]} alone has no effect: without labels only what INT8 loses"
            f" against FP32 can be estimated; give TrainConfig.{other} too, or take it out"
        )
