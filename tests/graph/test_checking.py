"""Which models are valid, also of versions that the installed onnx package does not know."""

from __future__ import annotations

import onnx
import pytest
from onnx import helper

from fqbench.graph.checking import IR, OPSET, check, opset_of, unreadable_version
from tests.support.versioned_nets import activations, classifier


@pytest.mark.parametrize(("opset", "ir"), [(7, 4), (13, 8), (21, 10), (22, 10), (13, 11), (24, 12)])
def test_models_of_all_versions_are_valid(opset: int, ir: int) -> None:
    model = classifier(opset, ir)
    if unreadable_version(model) is not None:
        pytest.skip("the installed ONNX Runtime is older")
    check(model)


@pytest.mark.parametrize(("opset", "ir"), [(13, 8), (13, 11), (22, 10)])
@pytest.mark.parametrize("wrong", ["operator", "order"])
def test_invalid_models_of_all_versions(opset: int, ir: int, wrong: str) -> None:
    model = classifier(opset, ir)
    if wrong == "operator":
        model.graph.node[0].op_type = "NoSuchOperator"
    else:
        model.graph.node[0].input[0] = "nowhere"
    with pytest.raises(Exception, match=r"NoSuchOperator|nowhere"):
        check(model)


def test_operators_of_a_new_opset_are_known_to_the_judge() -> None:
    model = activations(24, 12, "Swish", "RMSNormalization")
    if unreadable_version(model) is not None:
        pytest.skip("the installed ONNX Runtime is older")
    check(model)


def test_the_version_that_nothing_reads_is_told() -> None:
    for ir, opset in ((99, 13), (8, 99), (99, 99)):
        told = unreadable_version(stamped(ir, opset))
        assert told is not None
        assert told.startswith(f"IR version {ir} and opset {opset}, and ONNX Runtime ")


def stamped(ir: int, opset: int) -> onnx.ModelProto:
    """A convolution, which is the same in all versions."""
    return activations(opset, ir)


def test_the_limits_are_those_of_the_runtime() -> None:
    assert unreadable_version(classifier(21, 10)) is None
    told = unreadable_version(stamped(99, 99))
    assert told is not None
    newest_ir = int(told.split("IR versions up to ")[1].split()[0])
    newest_opset = int(told.split("opsets up to ")[1])
    assert newest_ir >= IR
    assert newest_opset >= OPSET
    check(stamped(newest_ir, OPSET))
    assert unreadable_version(stamped(newest_ir, newest_opset)) is None
    for ir, opset in ((newest_ir + 1, OPSET), (IR, newest_opset + 1)):
        with pytest.raises(Exception, match=r"Unsupported model IR version|under development"):
            check(stamped(ir, opset))


def test_opsets_of_other_domains_do_not_count() -> None:
    model = classifier(13)
    model.opset_import.insert(0, helper.make_opsetid("com.microsoft", 99))
    assert opset_of(model) == 13
    del model.opset_import[1:]
    assert opset_of(model) == 0
