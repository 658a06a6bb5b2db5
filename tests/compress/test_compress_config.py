"""Configs of the one-click tool: each published key works or is refused by name."""

from pathlib import Path

import pytest
import yaml

from fqbench.compress.config import load_config
from fqbench.errors import UsageError
from tests.support.tiny_config import MISSING, content


def written(folder: Path, value: object) -> Path:
    path = folder / "config.yaml"
    path.write_text(value if isinstance(value, str) else yaml.safe_dump(value, sort_keys=False))
    return path


def refusal(folder: Path, value: object) -> str:
    """The one sentence about a config, without its file's name."""
    path = written(folder, value)
    with pytest.raises(UsageError) as caught:
        load_config(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def test_every_published_key_is_read(tmp_path):
    loaded = load_config(written(tmp_path, content()))
    expected = [f"{section}.{key}" for section, keys in content().items() for key in keys]
    assert list(loaded.values) == expected
    assert loaded.values["QuantAware.activation_bits"] == 8


def test_only_the_model_is_required(tmp_path):
    config = load_config(
        written(tmp_path, {"Global": {"model_dir": "m.onnx", "format": "onnx"}})
    ).config
    assert config.ptq.calibration_method == "search"
    assert config.quant_aware.quantize_op_types is None


@pytest.mark.parametrize("name", ["QuantAware", "Quantization"])
def test_both_names_of_a_section(tmp_path, name):
    value = {"Global": content()["Global"], name: {"quantize_op_types": ["conv2d"]}}
    loaded = load_config(written(tmp_path, value))
    assert loaded.config.quant_aware.quantize_op_types == ("conv2d",)


@pytest.mark.parametrize("value", ["None", None, []])
def test_no_tensor_is_skipped(tmp_path, value):
    path = written(tmp_path, content({"PTQ.skip_tensor_list": value}))
    assert load_config(path).config.ptq.skip_tensor_list == ()


def test_tensors_to_skip(tmp_path):
    path = written(tmp_path, content({"PTQ.skip_tensor_list": ["conv2d_2.w_0", "None"]}))
    assert load_config(path).config.ptq.skip_tensor_list == ("conv2d_2.w_0", "None")


@pytest.mark.parametrize("method", ["avg", "abs_max", "hist", "KL", "mse", "emd"])
def test_published_methods(tmp_path, method):
    path = written(tmp_path, content({"PTQ.calibration_method": method}))
    assert load_config(path).config.ptq.calibration_method == method


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        (
            "QuantAware.activation_bits",
            4,
            "key QuantAware.activation_bits: only 8 is possible: backends compute in integers of"
            " 8 bits, found 4",
        ),
        (
            "QuantAware.weight_bits",
            16,
            "key QuantAware.weight_bits: only 8 is possible: backends compute in integers of"
            " 8 bits, found 16",
        ),
        (
            "QuantAware.onnx_format",
            False,
            "key QuantAware.onnx_format: only true is possible: each backend gets its own form,"
            " ONNX's operators in ONNX's, found False",
        ),
        (
            "QuantAware.is_full_quantize",
            True,
            "key QuantAware.is_full_quantize: only false is possible: operators run in integers"
            " where that pays, not wherever they can, found True",
        ),
        (
            "QuantAware.weight_quantize_type",
            "abs_max",
            "key QuantAware.weight_quantize_type: only channel_wise_abs_max is possible: one range"
            " for all channels of a weight loses more, found 'abs_max'",
        ),
        (
            "QuantAware.activation_quantize_type",
            "abs_max",
            "key QuantAware.activation_quantize_type: expected moving_average_abs_max or"
            " range_abs_max: backends need ranges that are fixed before they run, one for each"
            " tensor, found 'abs_max'",
        ),
        (
            "QuantAware.quantize_op_types",
            ["conv2d", "pool2d"],
            "key QuantAware.quantize_op_types: 'pool2d' is not chosen by name: conv2d,"
            " depthwise_conv2d, mul, matmul, matmul_v2, conv2d_transpose are, other operators run"
            " in integers where what they read does, found ['conv2d', 'pool2d']",
        ),
        (
            "TrainConfig.epochs",
            2,
            "key TrainConfig: train_iter and epochs both say how long to train: give one of them",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_reason(tmp_path, key, value, sentence):
    assert refusal(tmp_path, content({key: value})) == sentence


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("Global.model_dir", MISSING, "key Global.model_dir is missing"),
        ("Global.format", "tflite", "key Global.format: expected 'onnx' or 'paddle', found"),
        ("Global.qat_batch_size", 0, "key Global.qat_batch_size: "),
        ("Global.input_list", "x", "key Global.input_list: expected a list, found 'x'"),
        ("Global.qat_preprocess", 3, "key Global.qat_preprocess: expected the name"),
        ("Global.ptq_preprocess", ["f"], "key Global.ptq_preprocess: expected the name"),
        ("Distillation.alpha", -1.0, "key Distillation.alpha: "),
        ("Distillation.loss", "mse", "key Distillation.loss: expected 'l2' or 'soft_label'"),
        ("Distillation.node", "softmax_0.tmp_0", "key Distillation.node: expected a list"),
        ("QuantAware.use_pact", "yes", "key QuantAware.use_pact: "),
        ("QuantAware.activation_bits", "8", "key QuantAware.activation_bits: "),
        ("QuantAware.quantize_op_types", [], "key QuantAware.quantize_op_types: "),
        ("PTQ.calibration_method", "kl", "key PTQ.calibration_method: expected "),
        ("PTQ.skip_tensor_list", "conv2d_2.w_0", "key PTQ.skip_tensor_list: expected a list"),
        ("TrainConfig.train_iter", 0, "key TrainConfig.train_iter: "),
        (
            "TrainConfig.learning_rate",
            "1e-5",
            "key TrainConfig.learning_rate: expected a number (YAML reads",
        ),
        ("TrainConfig.learning_rate", {"type": "PiecewiseDecay"}, "key TrainConfig.learning_rate."),
        (
            "TrainConfig.learning_rate",
            {"learning_rate": 0.1, "T_max": 10},
            "key TrainConfig.learning_rate: T_max belongs to the type CosineAnnealingDecay",
        ),
        (
            "TrainConfig.optimizer_builder",
            {"optimizer": {"type": "Lamb"}},
            "key TrainConfig.optimizer_builder.optimizer.type: expected 'SGD', 'Momentum'",
        ),
        ("TrainConfig.eval_iter", 2.5, "key TrainConfig.eval_iter: "),
    ],
)
def test_wrong_value(tmp_path, key, value, part):
    assert refusal(tmp_path, content({key: value})).startswith(part)


@pytest.mark.parametrize(
    ("metrics", "sentence"),
    [
        (
            (0.5, 76.0),
            "key TrainConfig: target_metric and origin_metric must both be parts of 1, or both"
            " points",
        ),
        (
            (0.7, 0.7),
            "key TrainConfig: target_metric 0.7 must be less than origin_metric 0.7: INT8 loses"
            " something",
        ),
    ],
)
def test_metrics_that_do_not_fit(tmp_path, metrics, sentence):
    keys = dict(
        zip(("TrainConfig.target_metric", "TrainConfig.origin_metric"), metrics, strict=True)
    )
    assert refusal(tmp_path, content(keys)) == sentence


@pytest.mark.parametrize(
    ("target", "origin", "points"),
    [(0.365, 0.374, 0.9), (36.5, 37.4, 0.9), (None, 0.374, None), (0.365, None, None)],
)
def test_points_that_may_be_lost(tmp_path, target, origin, points):
    pair = {"TrainConfig.target_metric": target, "TrainConfig.origin_metric": origin}
    given = {key: value for key, value in pair.items() if value is not None}
    found = load_config(written(tmp_path, content(given))).config.training.may_lose
    assert found == (None if points is None else pytest.approx(points))


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (
            "QuantAware.quantize_op_type",
            "key QuantAware.quantize_op_type is unknown: did you mean quantize_op_types?",
        ),
        ("PTQ.skip_tensors", "key PTQ.skip_tensors is unknown: did you mean skip_tensor_list?"),
        (
            "PTQ.x",
            "key PTQ.x is unknown, known are calibration_method, skip_tensor_list",
        ),
    ],
)
def test_unknown_key(tmp_path, key, sentence):
    assert refusal(tmp_path, content({key: 1})) == sentence


def test_unknown_section(tmp_path):
    assert refusal(tmp_path, {**content(), "TrainConfigs": {}}) == (
        "key TrainConfigs is unknown: did you mean TrainConfig?"
    )


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "expected the sections"),
        ("- 1\n", "expected the sections"),
        ("Global: 3\n", "key Global: expected a mapping of keys and values, found 3"),
        ("PTQ: {}\n", "key Global is missing"),
    ],
)
def test_no_config(tmp_path, text, part):
    assert refusal(tmp_path, text).startswith(part)


def test_code_in_a_config_is_not_run(tmp_path):
    path = written(tmp_path, "Global: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(UsageError, match="is not valid YAML"):
        load_config(path)
