"""Names that configs call layers by."""

import pytest

from fqbench.compress.config import QuantAware
from fqbench.compress.layers import Layer, Layers, canonical_name, kept_float, nodes, unknown
from fqbench.errors import UsageError

LAYERS = Layers(
    (
        Layer("stem_Conv", "conv2d", "image", "ConvBnFusion_W_stem_weights", "conv2d_0.w_0"),
        Layer("Conv_1", "depthwise_conv2d", "relu_0_tmp_0", "conv2d_1_w_0", "conv2d_2.w_0"),
        Layer("head", "mul", "flat", "fc_w_0"),
    ),
    {"relu_0_tmp_0": "relu_0_tmp_0", "softmax_0_tmp_0": "probabilities"},
    2,
)


def refusal(asked: QuantAware, skipped: list[str]) -> str:
    with pytest.raises(UsageError) as caught:
        kept_float(LAYERS, asked, skipped)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("stem/Conv", "stem_Conv"),
        ("image", "stem_Conv"),
        ("stem_weights", "stem_Conv"),
        ("stem.weights", "stem_Conv"),
        ("conv2d_0.w_0", "stem_Conv"),
        ("relu_0.tmp_0", "Conv_1"),
        ("conv2d_1.w_0", "Conv_1"),
        ("conv2d_2.w_0", "Conv_1"),
        ("Conv_?", "Conv_1"),
        ("relu_*", "Conv_1"),
        ("fc.w_0", "head"),
    ],
)
def test_tensor_to_skip(name, layer):
    assert kept_float(LAYERS, QuantAware(), [name]) == {layer: f"PTQ.skip_tensor_list names {name}"}


@pytest.mark.parametrize("name", ["conv2d_9.w_0", "weights", "probabilities", "STEM*", "Conv"])
def test_name_of_nothing(name):
    assert refusal(QuantAware(), ["image", name]).startswith(
        f"PTQ.skip_tensor_list: {name!r} is no layer, and no tensor that one reads; the 3 layers"
    )
    assert unknown(LAYERS, ["image", name])
    assert not unknown(LAYERS, ["image"])


@pytest.mark.parametrize(
    ("kinds", "kept"),
    [
        (["conv2d"], ["Conv_1", "head"]),
        (["conv2d", "depthwise_conv2d"], ["head"]),
        (["mul"], ["stem_Conv", "Conv_1"]),
        (["matmul_v2", "depthwise_conv2d", "conv2d_transpose"], ["stem_Conv"]),
        (["conv2d", "depthwise_conv2d", "matmul"], []),
    ],
)
def test_operators(kinds, kept):
    assert list(kept_float(LAYERS, QuantAware(quantize_op_types=tuple(kinds)), [])) == kept


@pytest.mark.parametrize(
    ("patterns", "kept"),
    [(["Conv"], ["stem_Conv", "Conv_1"]), (["skip_quant"], []), (["stem/"], ["stem_Conv"])],
)
def test_patterns(patterns, kept):
    assert list(kept_float(LAYERS, QuantAware(not_quant_pattern=tuple(patterns)), [])) == kept


def test_pattern_of_nothing():
    assert refusal(QuantAware(not_quant_pattern=("skip_quant", "neck")), []) == (
        "QuantAware.not_quant_pattern: 'neck' is part of the name of no layer; the 3 layers are"
        " stem_Conv, Conv_1, head"
    )


def test_nothing_left():
    assert refusal(QuantAware(quantize_op_types=("conv2d",)), ["image"]) == (
        "the config keeps all 3 layers in float, nothing is left to quantize:"
        " QuantAware.quantize_op_types does not name depthwise_conv2d; leave some to quantize"
    )


def test_tensors_to_compare():
    assert nodes(LAYERS, ["relu_0.tmp_0", "softmax_0.tmp_0"]) == ("relu_0_tmp_0", "probabilities")
    with pytest.raises(UsageError) as caught:
        nodes(LAYERS, ["softmax_1.tmp_0"])
    assert str(caught.value) == (
        "Distillation.node: 'softmax_1.tmp_0' is no tensor of the model, which has softmax_0_tmp_0,"
        " relu_0_tmp_0"
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [("conv2d_0.w_0", "conv2d_0_w_0"), ("/m/0/Conv", "_m_0_Conv"), ("0", "t_0"), ("*.w", "*_w")],
)
def test_names_as_the_canonical_graph_spells_them(name, expected):
    assert canonical_name(name) == expected
