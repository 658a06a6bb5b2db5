"""A config of the one-click tool for the tiny project, with the keys of the published files."""

import copy
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from tests.support.tiny_spec import write_spec

PUBLISHED: Mapping[str, Any] = MappingProxyType(
    {
        "Global": {
            "model_dir": "tiny.onnx",
            "format": "onnx",
            "model_filename": "model.pdmodel",
            "params_filename": "model.pdiparams",
            "qat_image_path": "calibration",
            "ptq_image_path": "calibration",
            "input_list": ["x2paddle_x"],
            "qat_preprocess": "cls_image_preprocess",
            "ptq_preprocess": "cls_image_preprocess",
            "qat_batch_size": 4,
        },
        "Distillation": {"alpha": 1.0, "loss": "soft_label"},
        "QuantAware": {
            "use_pact": True,
            "onnx_format": True,
            "activation_quantize_type": "moving_average_abs_max",
            "weight_quantize_type": "channel_wise_abs_max",
            "quantize_op_types": ["conv2d", "depthwise_conv2d"],
            "not_quant_pattern": ["skip_quant"],
            "activation_bits": 8,
            "weight_bits": 8,
            "is_full_quantize": False,
        },
        "PTQ": {"calibration_method": "avg", "skip_tensor_list": "None"},
        "TrainConfig": {
            "train_iter": 3000,
            "eval_iter": 1000,
            "learning_rate": {
                "type": "CosineAnnealingDecay",
                "learning_rate": 3.0e-05,
                "T_max": 8000,
            },
            "optimizer_builder": {"optimizer": {"type": "SGD"}, "weight_decay": 4.0e-05},
        },
    }
)
"""Every published key, but for those that exclude another, with a published value."""

MISSING = object()


def content(changes: Mapping[str, object] | None = None) -> dict[str, Any]:
    """``PUBLISHED`` with ``changes`` by dotted key, the key being taken out for ``MISSING``."""
    result = copy.deepcopy(dict(PUBLISHED))
    for dotted, value in (changes or {}).items():
        section, _, key = dotted.partition(".")
        if value is MISSING:
            del result[section][key]
        else:
            result[section][key] = value
    return result


def write_config(folder: Path, changes: Mapping[str, object] | None = None) -> Path:
    """Write model and images of the tiny project, and ``config.yaml``."""
    write_spec(folder)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content(changes), sort_keys=False))
    return path
