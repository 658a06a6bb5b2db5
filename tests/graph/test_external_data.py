"""Weights in second files: read from the model's own folder, and from nowhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from fqbench.errors import UsageError
from fqbench.graph import external_data
from fqbench.graph.external_data import embed, load, stored_tensors
from tests.support.external_data import DATA, FILE, refer, split
from tests.support.onnx_graphs import Net

INSIDE, SECRET = b"inside..", b"secret!!"
"""Contents of files: of those that a model may read, and of those that it may not."""

opened: list[str] | None = None
"""Names of the files that are opened, while they are listened to."""


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    # A number is a file that is open already.
    if opened is not None and event == "open" and not isinstance(arguments[0], int):
        opened.append(os.fsdecode(arguments[0]))  # type: ignore[arg-type]


sys.addaudithook(_listen)


@contextmanager
def listening() -> Iterator[list[str]]:
    """The files that this process opens meanwhile, whatever opens them."""
    global opened
    opened = []
    try:
        yield opened
    finally:
        opened = None


def net() -> onnx.ModelProto:
    made = Net(3)
    return made.model(made.node("Relu", made.conv("x", 4)))


def weights(model: onnx.ModelProto) -> dict[str, list[float]]:
    return {t.name: numpy_helper.to_array(t).tolist() for t in model.graph.initializer}


def referring(folder: Path, **entries: str) -> Path:
    """A model of one weight of two numbers, whose data lies where ``entries`` say."""
    weight = numpy_helper.from_array(np.zeros(2, np.float32), "weight")
    refer(weight, entries)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy"]
    node = helper.make_node("Add", ["x", "weight"], ["y"])
    graph = helper.make_graph([node], "net", ends[:1], ends[1:], [weight])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path} ") or message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(str(path))


@pytest.mark.parametrize("location", [DATA, "weights/all.bin", "./w.bin", "größe 1.bin"])
def test_all_weights_are_read(tmp_path: Path, location: str) -> None:
    (tmp_path / "weights").mkdir()
    path = split(tmp_path, net(), location)
    assert path.stat().st_size < 2000
    read = onnx.load(str(path), load_external_data=False)
    with listening() as files:
        assert embed(read, path) == (tmp_path / location,)
    assert files == [os.path.realpath(tmp_path / location)]
    assert weights(read) == weights(net())
    assert all(t.data_location == TensorProto.DEFAULT for t in stored_tensors(read))
    assert weights(load(path)) == weights(net())


def test_a_file_for_each_tensor(tmp_path: Path) -> None:
    model = net()
    onnx.save(
        model,
        str(tmp_path / FILE),
        save_as_external_data=True,
        all_tensors_to_one_file=False,
        size_threshold=0,
    )
    read = onnx.load(str(tmp_path / FILE), load_external_data=False)
    assert embed(read, tmp_path / FILE) == (tmp_path / "b0", tmp_path / "w0")
    assert weights(read) == weights(net())


def test_a_model_of_one_file_stays_as_it_is(tmp_path: Path) -> None:
    model = net()
    assert embed(model, tmp_path / FILE) == ()
    assert model == net()


def test_length_and_offset_may_be_left_out(tmp_path: Path) -> None:
    (tmp_path / DATA).write_bytes(INSIDE + b"more")
    read = load(referring(tmp_path, location=DATA))
    assert read.graph.initializer[0].raw_data == INSIDE


def test_a_tensor_of_no_values_reads_nothing(tmp_path: Path) -> None:
    """As a Resize's region of interest; onnx itself reads all of the file then."""
    path = referring(tmp_path, location=DATA, offset="8", length="0")
    (tmp_path / DATA).write_bytes(INSIDE)
    model = onnx.load(str(path), load_external_data=False)
    model.graph.initializer[0].dims[:] = [0]
    embed(model, path)
    assert numpy_helper.to_array(model.graph.initializer[0]).tolist() == []


@pytest.mark.parametrize(("kind", "size"), [(TensorProto.INT4, 1), (23, 1), (26, 1), (24, 2)])
def test_small_types_are_packed_and_may_be_newer_than_the_package(
    tmp_path: Path, kind: int, size: int
) -> None:
    path = referring(tmp_path, location=DATA)
    model = onnx.load(str(path), load_external_data=False)
    model.graph.initializer[0].data_type = kind
    (tmp_path / DATA).write_bytes(INSIDE)
    embed(model, path)
    assert model.graph.initializer[0].raw_data == INSIDE[:size]


def test_links_of_a_cache_are_followed(tmp_path: Path) -> None:
    """Where both files are links into one folder, as Hugging Face's cache has them."""
    blobs = tmp_path / "blobs"
    split(blobs, net(), name="0123")
    (blobs / DATA).rename(blobs / "4567")
    folder = tmp_path / "snapshots" / "main"
    folder.mkdir(parents=True)
    (folder / FILE).symlink_to("../../blobs/0123")
    (folder / DATA).symlink_to("../../blobs/4567")
    assert weights(load(folder / FILE)) == weights(net())


@pytest.mark.parametrize(
    "location",
    [
        "/etc/passwd",
        "../secret",
        "weights/../../secret",
        "weights/../net.onnx.data",
        "..",
        "C:\\secret",
        "..\\secret",
        "\\\\host\\share\\secret",
        "link",
        "folder/secret",
        "chain",
        "*/_ORT_MEM_ADDR_/*",
    ],
)
def test_nothing_outside_of_the_folder_is_read(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    folder = tmp_path / "model"
    path = referring(folder, location=location)
    (folder / "weights").mkdir()
    (folder / DATA).write_bytes(INSIDE)
    (folder / "link").symlink_to("../secret")
    (folder / "chain").symlink_to("link")
    (folder / "folder").symlink_to("..")
    model = onnx.load(str(path), load_external_data=False)
    with listening() as files, pytest.raises(UsageError) as caught:
        embed(model, path)
    assert files == []
    if "_ORT_" not in location:
        assert "outside of its own folder, where nothing is read: put both files" in str(
            caught.value
        )


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        (DATA, "No such file or directory"),
        ("", "it is no file"),
        (".", "it is no file"),
        ("folder", "it is no file"),
        ("pipe", "it is no file"),
        (f"{FILE}/data", "Not a directory"),
        ("n" * 300, "File name too long"),
        ("loop", "Too many levels of symbolic links"),
        ("nul\0byte", "embedded null"),
    ],
)
def test_a_data_file_that_cannot_be_read(tmp_path: Path, location: str, reason: str) -> None:
    path = referring(tmp_path, location=location)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    message = refusal(path)
    assert message.startswith(" keeps weights in ")
    # Python's own words for a null byte vary.
    assert f" beside it, which cannot be read ({reason}" in message.replace("lstat: ", "")
    assert message.endswith("): put that file there under this name, or save the model as one file")


def test_a_data_file_that_is_cut_off(tmp_path: Path) -> None:
    path = split(tmp_path, net())
    content = (tmp_path / DATA).read_bytes()
    (tmp_path / DATA).write_bytes(content[:-1])
    assert refusal(path) == (
        " keeps weights in 'net.onnx.data', which is too short for them: it is cut off or of"
        " another model, get it again"
    )
    (tmp_path / DATA).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    assert refusal(path) == (
        " keeps weights in 'net.onnx.data', which is a pointer of Git LFS: get the file itself by"
        " git lfs pull"
    )


@pytest.mark.parametrize("key", ["offset", "length"])
@pytest.mark.parametrize("text", ["-1", "1e3", "0x8", " 8", "8_0", "", "٨", "9" * 5000])
def test_numbers_that_are_none(tmp_path: Path, key: str, text: str) -> None:
    (tmp_path / DATA).write_bytes(INSIDE)
    message = refusal(referring(tmp_path, location=DATA, **{key: text}))
    assert message.startswith(f": tensor 'weight' in another file has the {key} ")
    assert message.endswith(", expected a number of bytes: export the model again")
    assert len(message) < 300


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ({"length": "12"}, "has 12 bytes in another file, its shape and type make 8"),
        ({"length": "4"}, "has 4 bytes in another file, its shape and type make 8"),
        ({"offset": "1"}, "which is too short for them"),
        ({"offset": "9" * 19}, "which is too short for them"),
    ],
)
def test_data_that_does_not_fit(tmp_path: Path, entries: dict[str, str], problem: str) -> None:
    (tmp_path / DATA).write_bytes(INSIDE)
    assert problem in refusal(referring(tmp_path, location=DATA, **entries))


@pytest.mark.parametrize(("kind", "dims"), [(TensorProto.STRING, [2]), (99, [2]), (1, [-1, -2])])
def test_what_cannot_lie_in_another_file(tmp_path: Path, kind: int, dims: list[int]) -> None:
    (tmp_path / DATA).write_bytes(INSIDE)
    path = referring(tmp_path, location=DATA)
    model = onnx.load(str(path), load_external_data=False)
    model.graph.initializer[0].data_type = kind
    model.graph.initializer[0].dims[:] = dims
    with pytest.raises(UsageError, match="has a type or shape that cannot lie there"):
        embed(model, path)


def test_shapes_far_too_large_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    path = referring(tmp_path, location=DATA)
    (tmp_path / DATA).write_bytes(INSIDE)
    model = onnx.load(str(path), load_external_data=False)
    model.graph.initializer[0].dims[:] = [2**40, 2**40]
    with listening() as files, pytest.raises(UsageError, match="expected a number of bytes"):
        embed(model, path)
    assert files == []


def test_more_than_one_model_can_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors may share their bytes: it is what they hold together that counts."""
    path = referring(tmp_path, location=DATA)
    (tmp_path / DATA).write_bytes(INSIDE)
    model = onnx.load(str(path), load_external_data=False)
    for index in range(10):
        model.graph.initializer.add().CopyFrom(model.graph.initializer[0])
        model.graph.initializer[-1].name = f"weight{index}"
    size = path.stat().st_size
    monkeypatch.setattr(external_data, "LIMIT", size + 87)
    with listening() as files, pytest.raises(UsageError) as caught:
        embed(model, path)
    assert files == []
    assert str(caught.value).startswith(f"{path} holds 0.0 GB with its data, and one ONNX model")
    monkeypatch.setattr(external_data, "LIMIT", size + 88)
    embed(model, path)


def test_two_gigabytes_in_words(tmp_path: Path) -> None:
    with (tmp_path / DATA).open("wb") as stream:
        stream.truncate(2**31)
    path = referring(tmp_path, location=DATA)
    model = onnx.load(str(path), load_external_data=False)
    model.graph.initializer[0].dims[:] = [2**29]
    with pytest.raises(UsageError) as caught:
        embed(model, path)
    assert str(caught.value) == (
        f"{path} holds 2.1 GB with its data, and one ONNX model at most 2.1 GB: export a smaller"
        " model, or its weights in a smaller type"
    )


def constant(tensor: onnx.TensorProto) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["held"], value=tensor)


def in_list(model: onnx.ModelProto, tensor: onnx.TensorProto) -> None:
    model.graph.node.append(helper.make_node("Custom", [], ["c"], values=[tensor], domain="own"))


def in_subgraph(model: onnx.ModelProto, tensor: onnx.TensorProto) -> None:
    branch = helper.make_graph([constant(tensor)], "branch", [], [])
    inner = helper.make_node("If", ["c"], ["i"], then_branch=branch, else_branch=branch)
    outer = helper.make_graph([inner], "outer", [], [])
    model.graph.node.append(helper.make_node("Loop", ["c"], ["j"], body=outer))


def in_function(model: onnx.ModelProto, tensor: onnx.TensorProto) -> None:
    opsets = [helper.make_opsetid("", 17)]
    model.functions.append(
        helper.make_function("own", "Held", [], ["held"], [constant(tensor)], opsets)
    )


def in_sparse(model: onnx.ModelProto, tensor: onnx.TensorProto) -> None:
    indices = numpy_helper.from_array(np.arange(2), "indices")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(tensor, indices, [9]))


def in_sparse_attribute(model: onnx.ModelProto, tensor: onnx.TensorProto) -> None:
    node = helper.make_node("Constant", [], ["sparse"])
    attribute = node.attribute.add(name="sparse_value", type=onnx.AttributeProto.SPARSE_TENSOR)
    attribute.sparse_tensor.values.CopyFrom(tensor)
    model.graph.node.append(node)


def in_training(model: onnx.ModelProto, tensor: onnx.TensorProto) -> None:
    model.training_info.add().algorithm.initializer.append(tensor)


@pytest.mark.parametrize(
    "put",
    [
        lambda model, tensor: model.graph.initializer.append(tensor),
        lambda model, tensor: model.graph.node.append(constant(tensor)),
        in_list,
        in_subgraph,
        in_function,
        in_sparse,
        in_sparse_attribute,
        in_training,
    ],
    ids=[
        "initializer",
        "attribute",
        "list",
        "subgraph",
        "function",
        "sparse",
        "sparse attribute",
        "training",
    ],
)
def test_every_tensor_is_found(
    tmp_path: Path, put: Callable[[onnx.ModelProto, onnx.TensorProto], None]
) -> None:
    (tmp_path / FILE).touch()
    (tmp_path / DATA).write_bytes(INSIDE)
    for location in (DATA, "../secret"):
        tensor = numpy_helper.from_array(np.zeros(2, np.float32), "hidden")
        refer(tensor, {"location": location})
        model = net()
        put(model, tensor)
        assert b"hidden" in model.SerializeToString()
        if location == DATA:
            assert embed(model, tmp_path / FILE) == (tmp_path / DATA,)
            content = model.SerializeToString()
            assert INSIDE in content
            assert DATA.encode() not in content
        else:
            with pytest.raises(UsageError, match="outside of its own folder"):
                embed(model, tmp_path / FILE)


@pytest.fixture(scope="module")
def labyrinth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder with links of all kinds, some of which lead to secrets outside of it."""
    root = tmp_path_factory.mktemp("labyrinth")
    folder = root / "model"
    (folder / "a" / "b").mkdir(parents=True)
    (root / "out").mkdir()
    for place in (root, root / "out", root / "model2"):
        place.mkdir(exist_ok=True)
        (place / "data").write_bytes(SECRET)
    for place in (folder, folder / "a", folder / "a" / "b"):
        (place / "data").write_bytes(INSIDE)
        (place / "out").symlink_to(root / "out")
        (place / "up").symlink_to("..")
        (place / "link").symlink_to("../data")
        (place / "self").symlink_to(".")
    (folder / "beside").symlink_to("../model2")
    (folder / FILE).touch()
    return folder


PARTS = ("..", ".", "", "a", "b", "data", "out", "up", "link", "self", "beside", "model", "model2")
LOCATIONS = st.one_of(
    st.builds(
        lambda parts, separator: separator.join(parts),
        st.lists(st.sampled_from(PARTS), max_size=7),
        st.sampled_from(["/", "/", "/", "\\", "//"]),
    ),
    st.text(max_size=20),
)


@pytest.mark.slow
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(LOCATIONS, st.booleans(), st.sampled_from(["", "0", "8", "1", "-8", "9" * 30]))
def test_no_location_leads_outside(
    labyrinth: Path, location: str, absolute: bool, offset: str
) -> None:
    location = f"{labyrinth}/{location}" if absolute else location
    weight = numpy_helper.from_array(np.zeros(2, np.float32), "weight")
    refer(weight, {"location": location, **({"offset": offset} if offset else {})})
    model = net()
    model.graph.initializer.append(weight)
    with listening() as files:
        try:
            found = embed(model, labyrinth / FILE)
        except UsageError as error:
            assert "\n" not in str(error)  # noqa: PT017
            assert SECRET.decode() not in str(error)  # noqa: PT017
        else:
            assert not absolute
            assert model.graph.initializer[-1].raw_data == INSIDE
            assert len(found) == 1
    inside = os.path.realpath(labyrinth)
    assert all(os.path.realpath(name).startswith(f"{inside}/") for name in files)


CONTENT = st.dictionaries(
    st.sampled_from(["location", "offset", "length", "checksum", "basepath"]), st.text(max_size=12)
)


@settings(max_examples=200, deadline=None)
@given(
    CONTENT,
    st.integers(0, 40),
    st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3), max_size=4),
)
def test_whatever_an_entry_holds_is_read_or_one_sentence(
    labyrinth: Path, entries: dict[str, str], kind: int, dims: list[int]
) -> None:
    model = net()
    weight = model.graph.initializer[0]
    refer(weight, {"location": "data", **entries})
    weight.data_type, weight.dims[:] = kind, dims
    try:
        embed(model, labyrinth / FILE)
    except UsageError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert INSIDE.startswith(weight.raw_data) or weight.raw_data in INSIDE
