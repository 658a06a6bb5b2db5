"""A graph for several images at once answers each as it would alone."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fqbench.backends.onnxruntime import open_session, session_options
from fqbench.convert.batch import check, rebatched
from fqbench.errors import StepError


def graph(nodes, outputs, weights=(), shape=(1, 2, 4, 4)):
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
            [numpy_helper.from_array(value, name) for name, value in dict(weights).items()],
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    return onnx.shape_inference.infer_shapes(model)


def answering(model):
    session = open_session(model.SerializeToString(), session_options(1))
    return lambda feed: session.run(None, {"x": feed[0]})


def head():
    """What detectors end in: a reshape of batch 1, a transpose, a grid beside it."""
    return graph(
        [
            helper.make_node("Reshape", ["x", "shape"], ["rows"]),
            helper.make_node("Transpose", ["rows"], ["last"], perm=[0, 2, 1]),
            helper.make_node("Concat", ["last", "grid"], ["y"], axis=2),
        ],
        ["y"],
        {"shape": np.array([1, 2, 16]), "grid": np.ones((1, 16, 3), np.float32)},
    )


def shape_of(value):
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


def test_shapes_and_constants_of_one_image_become_those_of_several():
    model = head()
    many = rebatched(model, 3)
    assert shape_of(many.graph.input[0]) == [3, 2, 4, 4]
    assert shape_of(many.graph.output[0]) == [3, 16, 5]
    images = np.random.default_rng(0).random((3, 2, 4, 4)).astype(np.float32)
    together = answering(many)([images])[0]
    alone = [answering(model)([image[None]])[0] for image in images]
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_the_given_graph_stays_as_it_is():
    model = head()
    before = model.SerializeToString()
    rebatched(model, 2)
    assert model.SerializeToString() == before


def test_check_accepts_a_graph_that_treats_images_apart():
    model = head()
    check({"x": (1, 2, 4, 4)}, 3, answering(model), answering(rebatched(model, 3)))


@pytest.mark.parametrize(
    ("answers", "fits"),
    [
        ([[np.inf, 1.0], [np.inf, 2.0]], True),
        ([[np.nan, 1.0], [np.nan, 2.0]], True),
        ([[np.inf, 1.0], [-np.inf, 2.0]], True),
        ([[0.0, 1.0], [np.nan, 2.0]], False),
        ([[0.0, 1.0], [np.inf, 2.0]], False),
    ],
)
def test_answers_that_are_no_numbers_are_compared_too(answers, fits):
    """Alone, the first image answers 0 where the last two cases have none."""
    alone = iter(np.float32(answers if fits else [[0.0, 1.0], [0.0, 2.0]]))

    def tell():
        check({"x": (1, 2)}, 2, lambda _: [next(alone)[None]], lambda _: [np.float32(answers)])

    if fits:
        tell()
    else:
        with pytest.raises(StepError, match="depends on the others"):
            tell()


def test_a_reshape_that_merges_images_is_refused():
    model = graph(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])], ["y"], {"shape": np.array([2, 16])}
    )
    with pytest.raises(StepError, match="the model cannot take 3 images at once: "):
        check({"x": (1, 2, 4, 4)}, 3, answering(model), answering(rebatched(model, 3)))


def test_a_mean_over_images_is_found_by_running():
    model = graph([helper.make_node("ReduceMean", ["x"], ["y"], axes=[0], keepdims=1)], ["y"])
    many = rebatched(model, 2)
    with pytest.raises(StepError, match=r"output 0 has shape \[1, 2, 4, 4\]"):
        check({"x": (1, 2, 4, 4)}, 2, answering(model), answering(many))


def test_answers_that_depend_on_other_images_are_found_by_running():
    model = graph(
        [
            helper.make_node("ReduceMax", ["x"], ["most"], axes=[0], keepdims=1),
            helper.make_node("Sub", ["x", "most"], ["y"]),
        ],
        ["y"],
    )
    with pytest.raises(StepError, match="what it answers for one depends on the others"):
        check({"x": (1, 2, 4, 4)}, 2, answering(model), answering(rebatched(model, 2)))
