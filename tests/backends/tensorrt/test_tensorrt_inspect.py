"""What engines tell of their layers: texts as the libraries write them, read."""

import pytest

from fqbench.backends.tensorrt.inspect import (
    FP16,
    FP32,
    INT8,
    UNKNOWN,
    Layer,
    compiled,
    from_json,
    int8_layers,
    layer_types,
    layers,
    read_types,
    write,
)
from fqbench.backends.tensorrt.library import TENSORRT_RTX

PROGRAM = """header {
  version = 5
  tf32=0
}
descriptors {
  tensor={ dims={ 1 3 8 8 } name="x.1" offset=0 region="" strides={ 192 64 8 1 } type=float }
  tensor={ dims={ 1 4 8 8 } name="codes" offset=0 strides={ 256 1 32 4 } type=int8 }
  tensor={ const_payload_size=576 dims={ 16 4 3 3 } name="w" strides={ 36 1 12 4 } type=int8 }
  tensor={ dims={ 1 16 8 8 } name="sum" offset=0 strides={ 1024 1 128 16 } type=float }
  sub_tensor={ base="y" const_offset=0 dims={ 1 16 8 8 } name="y^deref" strides={ 1 } type=half }
}
main {
 label bb1:
  function={ name=__myl_MulRounCast fqn=__myl_MulRounCast_0x12 args={ "x.1" "codes" } \
input_args={ "x.1" } shape_args_count=0 output_args={ "codes" } kernel_kind=1 \
layers="[ONNX Layer: x__q]\x1f[ONNX Layer: conv]" swap_ab=false }
  signal={ name="__mye1" stream=0 event=1 layers="" }
  corrltn={ name="conv" output={"sum" } input={"codes" "w" } scratchspace={"s" } stream=0 \
lpadding={ 1 1 } relu=false layers="[ONNX Layer: conv]\x1f[ONNX Layer: x__dq]" }
  runtime_fusion={ name=__myl_CorrSilu input_args={ "sum" "w2" } output_args={ "y^deref" } \
binary=0 layers="[ONNX Layer: other]" backbone=conv }
}
"""


def test_program_tells_operations_and_types():
    engine = b"ftrt\x00\xff" + PROGRAM.encode() + b"\x00\x80NLYM weights, not a text"
    assert compiled(engine) == (
        Layer("function", "__myl_MulRounCast", ("x__q", "conv"), (FP32,), (INT8,)),
        Layer("signal", "__mye1", (), (), ()),
        Layer("corrltn", "conv", ("conv", "x__dq"), (INT8, INT8), (FP32,)),
        Layer("runtime_fusion", "__myl_CorrSilu", ("other",), (FP32, UNKNOWN), (FP16,)),
    )


def test_programs_of_one_engine_have_tensors_of_their_own():
    second = PROGRAM.replace("type=int8", "type=half").replace('"conv"', '"conv2"')
    found = compiled((PROGRAM + "\x00\x00" + second).encode())
    reads = {layer.name: layer.reads for layer in found if layer.kind == "corrltn"}
    assert reads == {"conv": (INT8, INT8), "conv2": (FP16, FP16)}


def test_engine_that_tells_nothing_leaves_types_unknown():
    found = layers(TENSORRT_RTX, b"ftrt" * 100)
    assert found == ()
    assert layer_types(found, ["conv"]) == {"conv": UNKNOWN}


def described(kind, name, inputs, outputs, metadata=""):
    return {
        "Name": name,
        "LayerType": kind,
        "Inputs": [{"Name": "a", "Dimensions": [1], "Format/Datatype": each} for each in inputs],
        "Outputs": [{"Name": "b", "Dimensions": [1], "Format/Datatype": each} for each in outputs],
        "TacticName": "sm80_xmma_fprop",
        "Metadata": metadata,
    }


def test_inspector_tells_layers_and_types():
    int8 = "Thirty-two wide channel vectorized row major Int8 format"
    both = "[ONNX Layer: conv1]\x1f[ONNX Layer: relu1]"
    listed = [
        described("CaskConvolution", "conv1 + relu1", [int8], [int8], both),
        described("Reformat", "Reformatting", ["Row major linear FP32"], [int8]),
        described("kgen", "__myl_Silu", ["Half"], ["Half"], "[ONNX Layer: silu]"),
        "a layer of which only the name is known",
    ]
    assert from_json(listed) == (
        Layer("CaskConvolution", "conv1 + relu1", ("conv1", "relu1"), (INT8,), (INT8,), 1),
        Layer("Reformat", "Reformatting", (), (FP32,), (INT8,), 1),
        Layer("kgen", "__myl_Silu", ("silu",), (FP16,), (FP16,), 1),
    )


@pytest.mark.parametrize(
    "told",
    [
        {"Format/Datatype": "Thirty-two wide channel vectorized row major Int8 format"},
        {"Format": "Row major linear INT8 format (kLINEAR)"},
        {"Format": "Row major linear INT8 format (kLINEAR)", "DataType": "Int8"},
    ],
)
def test_type_of_an_operand_is_told_by_every_version(told):
    (found,) = from_json([{"LayerType": "CaskConvolution", "Name": "conv", "Inputs": [told]}])
    assert found.reads == (INT8,)


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        (["Int8", "Half"], INT8),
        (["Int8", "Int8"], INT8),
        (["Int8"], INT8),
        (["Half", "Int8"], FP16),
        (["FP32", "Int8"], FP32),
        ([], UNKNOWN),
    ],
)
def test_summand_fused_into_a_convolution_is_not_what_it_multiplies(inputs, kind):
    found = from_json(
        [
            described("CaskConvolution", "conv", inputs, ["Half"]),
            described(
                "CaskConvolution",
                "other + add",
                inputs,
                ["Half"],
                "[ONNX Layer: other]\x1f[ONNX Layer: add]",
            ),
        ]
    )
    assert layer_types(found, ["conv", "other"]) == {"conv": kind, "other": kind}


def layer(kind, name, nodes, reads):
    return Layer(kind, name, tuple(nodes), tuple(reads), (FP32,))


def test_layer_of_its_own_name_tells_the_type_of_a_convolution():
    found = [
        layer("function", "__myl_MulCast", ["conv"], [FP16]),
        layer("runtime_fusion", "__myl_CorrAdd", ["conv", "add"], [FP16, INT8]),
        layer("corrltn", "conv", ["conv"], [INT8, INT8, FP32]),
    ]
    assert layer_types(found, ["conv"]) == {"conv": INT8}


def test_product_tells_the_type_before_what_adds_the_bias():
    found = [
        layer("function", "__myl_AddRelu", ["fc"], [FP32]),
        layer("fully_connected", "__mye9", ["fc"], [INT8, INT8]),
    ]
    assert layer_types(found, ["fc"]) == {"fc": INT8}


def test_codes_times_numbers_are_no_int8_product():
    found = [
        layer("corrltn", "weights_only", ["weights_only"], [FP16, INT8]),
        layer("function", "__myl_MulSum", ["small"], [INT8, INT8, FP32]),
    ]
    types = layer_types(found, ["weights_only", "small"])
    assert types == {"weights_only": FP16, "small": FP32}
    assert int8_layers(types) == frozenset()


def test_convolution_that_no_layer_stands_for_is_not_int8():
    found = [layer("corrltn", "conv", ["conv"], [INT8, INT8])]
    types = layer_types(found, ["conv", "lost"])
    assert types == {"conv": INT8, "lost": UNKNOWN}
    assert int8_layers(types) == {"conv"}


def test_what_is_written_is_read(tmp_path):
    types = {"conv": INT8, "head": FP32}
    write(tmp_path, types, [layer("corrltn", "conv", ["conv"], [INT8])])
    assert read_types(tmp_path) == types
