"""What OpenVINO runs in INT8 and what carries codes: small graphs, and what must come out."""

from dataclasses import replace

import numpy as np
import pytest

from fqbench.backends.openvino.plan import make_plan, roundings, zero_points
from fqbench.graph.graph import Graph
from tests.support.onnx_graphs import Net, record


def planned(net, *outputs, zero_points=(), **changes):
    model = net.model(*outputs)
    known = replace(record(model, net.image(), **changes), zero_points=tuple(zero_points))
    return make_plan(model, known)


def readers(plan):
    return {name: set(placement.readers) for name, placement in plan.tensors.items()}


def every(net, *outputs):
    return [layer.name for layer in Graph(net.model(*outputs)).layers()]


def kind(codes):
    return codes.params.zero_point.dtype.name, codes.params.zero_point > 0, codes.shifted


def test_a_pair_stands_behind_an_activation_and_none_between():
    net = Net()
    middle = net.silu(net.conv("x", 8))
    plan = planned(net, net.conv(middle, 5, 1))
    assert set(plan.layers) == {"n_conv0", "n_conv3"}
    assert readers(plan) == {"x": {"n_conv0"}, middle: {"n_conv3"}}


def test_what_is_moved_is_rounded_where_it_comes_from_in_one_scale():
    net = Net()
    one, other = (net.node("Relu", net.conv("x", 4)) for _ in range(2))
    joined = net.node("MaxPool", net.concat(one, other), kernel_shape=[2, 2], strides=[2, 2])
    plan = planned(net, net.conv(joined, 5, 1))
    assert set(plan.tensors) == {"x", one, other}
    assert plan.tensors[one].codes == plan.tensors[other].codes


def test_the_short_branch_of_a_sum_is_read_as_codes_and_the_long_one_is_not():
    net = Net()
    start = net.node("Relu", net.conv("x", 8))
    added = net.node("Add", start, net.conv(net.node("Relu", net.conv(start, 8)), 8))
    plan = planned(net, net.conv(net.node("Relu", added), 5, 1))
    (add,) = (node.name for node in net.nodes if node.op_type == "Add")
    assert add in plan.tensors[start].readers
    assert added not in plan.tensors
    assert all("conv4" not in name for name in plan.tensors)


def test_a_layer_in_float_reads_the_codes_of_another_and_writes_none():
    net = Net()
    first = net.node("Relu", net.conv("x", 8))
    middle = net.node("Relu", net.conv(first, 8))
    last = net.conv(middle, 5, 1)
    plan = planned(net, last, float_layers=["n_conv2"])
    assert set(plan.layers) == {"n_conv0", "n_conv4"}
    assert readers(plan) == {"x": {"n_conv0"}, middle: {"n_conv4"}}


def test_integers_stop_at_blocks():
    net = Net()
    blocks = net.node("SpaceToDepth", "x", channels=12, blocksize=2)
    plan = planned(net, net.conv(blocks, 8))
    assert set(plan.tensors) == {blocks}


class TestZeroPoints:
    def net(self, size, groups=1):
        net = Net()
        middle = net.silu(net.conv("x", 8, 1))
        return net, middle, net.conv(middle, 8, size, groups=groups)

    def test_there_are_none_where_none_are_asked_for(self):
        net, middle, last = self.net(1)
        assert kind(planned(net, last).tensors[middle].codes) == ("int8", False, False)

    def test_where_nothing_is_negative_all_codes_are_used_anyway(self):
        net = Net()
        middle = net.node("Relu", net.conv("x", 8))
        last = net.conv(middle, 8)
        plan = planned(net, last, zero_points=every(net, last))
        assert kind(plan.tensors[middle].codes) == ("uint8", False, False)

    @pytest.mark.parametrize(
        ("size", "groups", "shifted"), [(1, 1, True), (3, 1, False), (3, 8, False)]
    )
    def test_values_are_shifted_where_no_reader_pads(self, size, groups, shifted):
        net, middle, last = self.net(size, groups)
        plan = planned(net, last, zero_points=every(net, last))
        codes = plan.tensors[middle].codes
        assert kind(codes) == ("uint8", True, shifted)
        assert (middle in plan.shifted) == shifted
        assert codes.shift == (codes.params.scale * codes.params.zero_point if shifted else 0)

    def test_padding_of_any_kind_counts(self):
        net = Net()
        middle = net.silu(net.conv("x", 8, 1))
        weight = net.constant("w", net.random.normal(0, 1, (4, 8, 3, 3)).astype(np.float32))
        last = net.node("Conv", middle, weight, channels=4, auto_pad="SAME_UPPER")
        plan = planned(net, last, zero_points=every(net, last))
        assert kind(plan.tensors[middle].codes) == ("uint8", True, False)

    def test_what_is_moved_stays_shifted(self):
        net = Net()
        one, other = (net.silu(net.conv("x", 4, 1)) for _ in range(2))
        joined = net.concat(one, other)
        last = net.conv(joined, 8, 1)
        plan = planned(net, last, zero_points=every(net, last))
        assert {one, other, joined} <= set(plan.shifted)

    def test_what_joins_a_constant_is_not_shifted(self):
        net = Net(shape=(1, 3, 4, 4))
        one = net.silu(net.conv("x", 4, 1))
        other = net.constant("grid", np.zeros((1, 2, 4, 4), np.float32))
        net.channels[other] = 2
        last = net.conv(net.concat(one, other), 8, 1)
        plan = planned(net, last, zero_points=every(net, last))
        assert kind(plan.tensors[one].codes) == ("uint8", True, False)

    @pytest.mark.parametrize(("size", "shifted"), [(1, True), (3, False)])
    def test_what_is_joined_has_one_where_int8_codes_are_not_to_be(self, size, shifted):
        net = Net()
        one, other = (net.silu(net.conv("x", 4, 1)) for _ in range(2))
        alone = net.silu(net.conv(net.concat(one, other), 8, size))
        model = net.model(net.conv(alone, 8, size))
        plan = make_plan(model, record(model, net.image()), int8_joins=False)
        kinds = [kind(plan.tensors[name].codes) for name in ("x", one, other, alone)]
        joined, plain = ("uint8", True, shifted), ("int8", False, False)
        assert kinds == [plain, joined, joined, plain]

    def test_what_is_joined_has_none_where_nothing_is_negative(self):
        net = Net()
        one, other = (net.node("Relu", net.conv("x", 4, 1)) for _ in range(2))
        model = net.model(net.conv(net.concat(one, other), 8))
        plan = make_plan(model, record(model, net.image()), int8_joins=False)
        assert kind(plan.tensors[one].codes) == ("uint8", False, False)

    def test_sets_are_ordered_by_what_they_cost(self):
        net = Net()
        name = net.silu(net.conv("x", 8))
        for size, groups in ((3, 8), (1, 1), (3, 1)):
            name = net.silu(net.conv(name, 8, size, groups=groups))
        model = net.model(name)
        one, more, most = zero_points(model, record(model, net.image()))
        names = [layer.name for layer in Graph(model).layers()]
        assert one == {names[1]}
        assert more == {names[1], names[2]}
        assert most == set(names)

    def test_there_are_no_sets_where_nothing_is_negative(self):
        net = Net()
        model = net.model(net.conv(net.node("Relu", net.conv("x", 8)), 8))
        image = np.abs(net.image())
        assert zero_points(model, record(model, image)) == []


def test_a_student_rounds_where_the_lowering_does():
    net = Net()
    middle = net.silu(net.conv("x", 8))
    model = net.model(net.conv(middle, 5, 1))
    quantization = record(model, net.image())
    found = roundings(model, quantization, float_silu=False)
    plan = make_plan(model, quantization)
    assert found.layers == set(plan.layers)
    assert [each.tensor for each in found.tensors] == sorted(plan.tensors)
    for each in found.tensors:
        params = plan.tensors[each.tensor].codes.params
        assert each.codes.scale == float(params.scale)
        assert each.codes.zero_point == (128 if params.zero_point.dtype == np.int8 else 0)
