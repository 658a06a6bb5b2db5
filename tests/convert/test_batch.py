"""A graph for several images at once answers each as it would alone."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fqbench.convert.batch import rebatched
from fqbench.errors import StepError
from fqbench.graph.executor import open_session, session_options
from fqbench.verify.batch import batch_of, check_batch
from fqbench.verify.conversion import bound_of
from fqbench.verify.difference import EXACT, ROUNDED
from fqbench.verify.noise import noise


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


def check(model, batch, many=None):
    many = rebatched(model, batch) if many is None else many
    runs = (answering(graph) for graph in (model, many))
    check_batch(model, batch_of(noise(model), batch), *runs, bound_of(model))


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
    check(model, 3)


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
        model = graph([helper.make_node("Relu", ["x"], ["y"])], ["y"], shape=(1, 2))
        images = [[np.float32([[0.0, 1.0]])], [np.float32([[1.0, 2.0]])]]
        check_batch(
            model, images, lambda _: [next(alone)[None]], lambda _: [np.float32(answers)], EXACT
        )

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
        check(model, 3)


def test_a_mean_over_images_is_found_by_running():
    model = graph([helper.make_node("ReduceMean", ["x"], ["y"], axes=[0], keepdims=1)], ["y"])
    with pytest.raises(StepError, match=r"output 'y' has shape \[1, 2, 4, 4\]"):
        check(model, 2)


def test_answers_that_depend_on_other_images_are_found_by_running():
    model = graph(
        [
            helper.make_node("ReduceMax", ["x"], ["most"], axes=[0], keepdims=1),
            helper.make_node("Sub", ["x", "most"], ["y"]),
        ],
        ["y"],
    )
    with pytest.raises(StepError, match="what it answers for one depends on the others"):
        check(model, 2)
    images = batch_of(noise(model), 5)
    assert len({image[0].tobytes() for image in images}) == 5


def test_what_is_a_little_wrong_in_a_batch_is_refused():
    """By less than a quarter of what answers differ."""
    model = graph([helper.make_node("Relu", ["x"], ["y"])], ["y"])
    wrong = graph(
        [helper.make_node("LeakyRelu", ["x"], ["y"], alpha=0.02)], ["y"], shape=(2, 2, 4, 4)
    )
    with pytest.raises(StepError, match="output 'y' is off by"):
        check(model, 2, wrong)


def test_what_rounds_may_differ_more():
    pair = [
        helper.make_node("QuantizeLinear", ["x", "scale"], ["codes"]),
        helper.make_node("DequantizeLinear", ["codes", "scale"], ["y"]),
    ]
    assert bound_of(graph(pair, ["y"], {"scale": np.float32(0.1)})) == ROUNDED
    assert bound_of(head()) == EXACT
