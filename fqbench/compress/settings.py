"""What became of each key of a config: for the report, so that none is passed over in silence."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fqbench.compress.config import TRANSPOSED, LoadedConfig
from fqbench.compress.job import CompressionJob
from fqbench.compress.layers import DEFAULT_PATTERN
from fqbench.compress.reading import described
from fqbench.counting import counted, measured, verb
from fqbench.spec.quantization import Distillation

AS_ALWAYS = "what fqbench does anyway"

OF_QAT = "Global.qat_", "Distillation.", "TrainConfig."
OF_PTQ = "Global.ptq_", "PTQ."
METRICS = "TrainConfig.target_metric", "TrainConfig.origin_metric"
OF_QUANTIZER = (
    "Distillation.",
    "TrainConfig.",
    "PTQ.calibration_method",
    "QuantAware.use_pact",
    "QuantAware.activation_quantize_type",
    "Global.qat_batch_size",
)
"""How INT8 is made: what a method of another package takes from the spec, or leaves."""
OF_LAYERS = "QuantAware.", "PTQ."


@dataclass(frozen=True)
class Setting:
    """A key of the config, its value as text, and what it means here."""

    key: str
    value: str
    meaning: str


def settings(loaded: LoadedConfig, job: CompressionJob) -> tuple[Setting, ...]:
    """All keys of the file, in its order."""
    return tuple(
        Setting(key, _text(value), _meaning(key, value, loaded, job))
        for key, value in loaded.values.items()
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _meaning(key: str, value: Any, loaded: LoadedConfig, job: CompressionJob) -> str:
    method = job.method
    if key in METRICS:
        return _metric(loaded, job)
    if method.section == "PTQ" and key.startswith(OF_QAT):
        return "not used: it is for QAT"
    if method.section == "QAT" and key.startswith(OF_PTQ):
        return "not used: it is for PTQ"
    if key.startswith(OF_QUANTIZER) and not method.is_own:
        return f"given to the method {method.name}, which may use it or not"
    if key.startswith(OF_LAYERS) and method.makes_whole_models:
        return f"not used: the method {method.name} makes the whole model"
    if key in _MEANINGS:
        return _MEANINGS[key](job)
    return _of_layers(key, value, job)


def _metric(loaded: LoadedConfig, job: CompressionJob) -> str:
    if job.method.makes_whole_models:
        return "not used: what a model loses that its method makes whole is not estimated"
    if loaded.config.training.may_lose is None:
        return "not used: it says what may be lost only where the other metric is given too"
    trains = job.method.is_own and job.method.section == "QAT"
    return (
        f"INT8 may lose {measured(job.spec.margins[0].drop, 'point')}, as estimated: layers stay"
        f" in float until it does{', and training ends once it does' if trains else ''}"
    )


def _of_layers(key: str, value: Any, job: CompressionJob) -> str:
    """Of the keys that keep layers in float."""
    kept = sum(reason.startswith(key) for reason in job.asked.values())
    layers = counted(len(job.layers.layers), "layer")
    text = f"{kept} of {layers} {verb(kept, 'stays', 'stay')} in float for it"
    if key == "QuantAware.quantize_op_types" and TRANSPOSED in value:
        text += f"; {job.layers.transposed} of {TRANSPOSED} do too, fqbench does not quantize them"
    if key == "QuantAware.not_quant_pattern" and kept == 0 and DEFAULT_PATTERN in value:
        text += ": it is a mark in a network's code, which model files do not carry"
    return text


def _file(job: CompressionJob) -> str:
    return "not needed for ONNX" if job.spec.source_format == "onnx" else "read"


def _usual(job: CompressionJob) -> str:
    return AS_ALWAYS


def _distillation(text: Callable[[Distillation], str]) -> Callable[[CompressionJob], str]:
    return lambda job: text(job.spec.distillation)


def _rate(distillation: Distillation) -> str:
    rate = distillation.learning_rate
    if rate.kind == "constant":
        return f"{rate.rate:g} throughout"
    iterations = rate.t_max or distillation.iterations
    return f"from {rate.rate:g} to 0 along a cosine of {iterations} iterations"


def _reading(job: CompressionJob) -> str:
    return described(job.spec.preprocess)


def _images(job: CompressionJob) -> str:
    return job.counts


_MEANINGS: Mapping[str, Callable[[CompressionJob], str]] = {
    "Global.model_dir": lambda job: f"the model {job.spec.model}",
    "Global.format": lambda job: f"read as {job.spec.source_format}",
    "Global.model_filename": _file,
    "Global.params_filename": _file,
    "Global.qat_image_path": _images,
    "Global.ptq_image_path": _images,
    "Global.image_count": _images,
    "Global.input_list": lambda job: f"the image is given to {job.spec.input}",
    "Global.layout": lambda job: f"the image is given as {job.spec.layout}",
    "Global.other_inputs": lambda job: f"filled: {', '.join(job.spec.other_inputs)}",
    "Global.qat_preprocess": _reading,
    "Global.ptq_preprocess": _reading,
    "Global.qat_batch_size": _distillation(lambda d: f"{d.batch_size} images at a time"),
    "Distillation.alpha": _distillation(lambda d: f"weight {d.alpha:g} of the loss"),
    "Distillation.loss": _distillation(
        lambda d: d.loss or "soft labels where logits are compared, else l2"
    ),
    "Distillation.node": _distillation(
        lambda d: f"compared: {', '.join(d.nodes) or 'the raw outputs'}"
    ),
    "QuantAware.use_pact": lambda job: (
        "translated: each range is chosen so that clipping and rounding together cost least"
    ),
    "QuantAware.onnx_format": _usual,
    "QuantAware.activation_quantize_type": lambda job: (
        f"translated: fixed ranges, one for each tensor, found by {job.spec.offline.algorithm}"
        if job.method.section == "QAT"
        else "not used: PTQ.calibration_method says how ranges are found"
    ),
    "QuantAware.weight_quantize_type": _usual,
    "QuantAware.activation_bits": _usual,
    "QuantAware.weight_bits": _usual,
    "QuantAware.is_full_quantize": _usual,
    "PTQ.calibration_method": lambda job: f"ranges found by {job.spec.offline.algorithm}",
    "TrainConfig.train_iter": _distillation(lambda d: f"{d.iterations} iterations"),
    "TrainConfig.epochs": _distillation(lambda d: f"{d.iterations} iterations"),
    "TrainConfig.eval_iter": _distillation(
        lambda d: f"what is lost is estimated every {d.eval_iterations} iterations"
    ),
    "TrainConfig.learning_rate": _distillation(_rate),
    "TrainConfig.optimizer_builder": _distillation(
        lambda d: f"{d.optimizer}, weight decay {d.weight_decay:g}"
    ),
}
