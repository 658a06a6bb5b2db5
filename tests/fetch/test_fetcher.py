"""Fetching: what comes is checked, pinned and never half there; what cannot come is told."""

import dataclasses
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import onnx
import pytest
import yaml

from fqbench import zoo
from fqbench.cli import fetch as command
from fqbench.cli.main import main
from fqbench.data.root import data_root
from fqbench.errors import UsageError
from fqbench.fetch import ITEMS, FetchPolicy, Item, Part, chosen_items, fetch
from fqbench.fetch.archive import Bounds
from fqbench.fetch.catalogue import GROUPS
from fqbench.fetch.connection import Connection
from fqbench.zoo.published import official_weights
from tests.support.archives import member, tar, tar_bytes
from tests.support.fetch_server import file, raw, redirect, status
from tests.support.fetching import PLAIN, archived
from tests.support.tiny_spec import classifier

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60
FILES = {"top/model.pdmodel": b"program" * 100, "top/model.pdiparams": b"weights" * 20_000}
CHANGED = {**FILES, "top/model.pdiparams": b"WEIGHTS" * 20_000}
LOCK = "fqbench.lock"


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("COLUMNS", "1000")
    for name in ("FQBENCH_DATA", "FQBENCH_MIRROR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def archive(tmp_path):
    return tar_bytes(FILES, tmp_path)


@pytest.fixture
def item(server, archive):
    """A model whose archive the server has."""
    server.answers["/tiny.tar"] = file(archive)
    return archived(server.address("/tiny.tar"))


class Heard:
    def __init__(self):
        self.said = []

    def say(self, text):
        self.said.append(text)

    def progress(self, text, done, total):
        pass


def deliver(item, root, policy=PLAIN):
    """Whether the item is there then, and what was said of it."""
    (outcome,) = fetch([item], root, Heard(), policy)
    return outcome.is_there, outcome.text


def there(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def pins(root):
    return yaml.safe_load((root / LOCK).read_text())


def sha256(content):
    return hashlib.sha256(content).hexdigest()


MODEL = {
    "models/tiny_infer/model.pdmodel": FILES["top/model.pdmodel"],
    "models/tiny_infer/model.pdiparams": FILES["top/model.pdiparams"],
}


def only_model_and_lock(root):
    found = there(root)
    found.pop(LOCK)
    return found == MODEL


class TestArchive:
    def test_comes_whole_and_is_pinned(self, item, root, archive):
        is_there, said = deliver(item, root)
        assert is_there
        assert said == (
            f"tiny fetched from 127.0.0.1: 0.1 MB, sha256 {sha256(archive)}:"
            f" {root / 'models/tiny_infer'}"
        )
        assert only_model_and_lock(root)
        lines = "".join(sorted(f"{sha256(text)}  {name}\n" for name, text in MODEL.items()))
        pin = pins(root)["tiny"]
        assert pin["file"] == {
            "name": "tiny.tar",
            "address": item.addresses[0],
            "size": len(archive),
            "sha256": sha256(archive),
        }
        assert pin["content"] == {"files": 2, "size": 140_700, "sha256": sha256(lines.encode())}

    def test_there_and_unchanged_opens_no_connection(self, item, root, server):
        deliver(item, root)
        server.asked.clear()
        is_there, said = deliver(item, root)
        assert is_there
        assert said == f"tiny is there, unchanged: {root / 'models/tiny_infer'}"
        assert server.asked == []

    def test_there_and_changed(self, item, root):
        deliver(item, root)
        weights = root / "models/tiny_infer/model.pdiparams"
        weights.write_bytes(b"others")
        is_there, said = deliver(item, root)
        assert not is_there
        assert "is not what was pinned: its sha256 is " in said
        assert pins(root)["tiny"]["content"]["sha256"] in said
        assert f"take the entry tiny out of {root / LOCK}" in said
        assert weights.read_bytes() == b"others"

    def test_fetched_again_it_must_be_the_same(self, item, root, server, archive, tmp_path):
        deliver(item, root)
        shutil.rmtree(root / "models")
        assert deliver(item, root)[0]
        assert only_model_and_lock(root)

        changed = tar_bytes(CHANGED, tmp_path)
        server.answers["/tiny.tar"] = file(changed, etag='"two"')
        shutil.rmtree(root / "models")
        is_there, said = deliver(item, root)
        assert not is_there
        assert f"is {sha256(changed)}, pinned is {sha256(archive)}" in said
        assert f"to accept it, take the entry tiny out of {root / LOCK}" in said
        assert list(there(root)) == [LOCK]

        (root / LOCK).unlink()
        assert deliver(item, root)[0]
        assert there(root)["models/tiny_infer/model.pdiparams"] == CHANGED["top/model.pdiparams"]

    def test_the_second_address_must_give_the_pinned_too(self, item, root, server, tmp_path):
        deliver(item, root)
        shutil.rmtree(root / "models")
        server.answers["/b/tiny.tar"] = server.answers["/tiny.tar"]
        server.answers["/tiny.tar"] = file(tar_bytes(CHANGED, tmp_path))
        two = dataclasses.replace(item, addresses=(*item.addresses, server.address("/b/tiny.tar")))
        assert deliver(two, root)[0]
        assert only_model_and_lock(root)

    def test_another_file_than_the_pinned_is_not_tried(self, item, root, server):
        deliver(item, root)
        shutil.rmtree(root / "models")
        other = server.address("/tiny.tgz")
        server.answers = {"/tiny.tgz": server.answers["/tiny.tar"]}
        two = dataclasses.replace(item, addresses=(*item.addresses, other))
        is_there, said = deliver(two, root)
        assert not is_there
        assert f"{other} (not tried: tiny.tar is pinned)" in said

    @pytest.mark.parametrize("around", ["", "one/", "one/two/three/"])
    def test_folders_around(self, around, root, server, tmp_path):
        files = {f"{around}{Path(name).name}": text for name, text in FILES.items()}
        server.answers["/tiny.tar"] = file(tar_bytes(files, tmp_path))
        assert deliver(archived(server.address("/tiny.tar")), root)[0]
        assert only_model_and_lock(root)

    @pytest.mark.parametrize(
        ("files", "lack"),
        [
            ({"top/m.pdmodel": b"x"}, "it holds no *.pdiparams; at its top it holds m.pdmodel"),
            ({**FILES, "top/b.pdmodel": b"x"}, "holds more than one *.pdmodel: b.pdmodel, model.p"),
            ({"a/x": b"", "b/y": b""}, "it holds no *.pdmodel; at its top it holds a, b"),
            ({f"{i}/x": b"" for i in range(9)}, "0, 1, 2, 3, 4, 5, 6, 7 and 1 more"),
        ],
    )
    def test_not_what_must_be_in_it(self, files, lack, root, server, tmp_path):
        server.answers["/tiny.tar"] = file(tar_bytes(files, tmp_path))
        is_there, said = deliver(archived(server.address("/tiny.tar")), root)
        assert not is_there
        assert lack in said
        assert there(root) == {}

    def test_hostile_one_leaves_nothing(self, root, server, tmp_path):
        hostile = tar(tmp_path / "h.tar", FILES, member("top/up", b"2", linkname="../../.."))
        server.answers["/tiny.tar"] = file(hostile.read_bytes())
        is_there, said = deliver(archived(server.address("/tiny.tar")), root)
        assert not is_there
        assert "tiny.tar is refused: 'top/up' in it is neither a plain file nor a folder" in said
        assert there(root) == {}
        assert list((root / "models").iterdir()) == []

    def test_bounds(self, item, root):
        policy = dataclasses.replace(PLAIN, bounds=Bounds(size=1000))
        is_there, said = deliver(item, root, policy)
        assert not is_there
        assert "unpacked it is larger than 0.0 MB" in said

    def test_told_too_short(self, root, server, archive):
        """A length that is too small cuts the file; its end is missed."""
        cut = raw(archive, Content_Length=len(archive) - 10_240)
        server.answers["/tiny.tar"] = cut
        is_there, said = deliver(archived(server.address("/tiny.tar")), root)
        assert not is_there
        assert "tiny.tar" in said
        assert there(root) == {}

    def test_redirected(self, item, root, server):
        server.answers["/old/tiny.tar"] = redirect(server.address("/tiny.tar", host="localhost"))
        is_there, said = deliver(archived(server.address("/old/tiny.tar")), root)
        assert is_there
        assert said.startswith("tiny fetched from localhost: ")


COCO = {
    "coco_val2017/val2017/1.jpg": b"one",
    "coco_val2017/val2017/2.jpg": b"two",
    "coco_val2017/annotations/instances_val2017.json": b"{}",
    "coco_val2017/annotations/captions_val2017.json": b"{}",
}


class TestParts:
    """COCO comes as one archive for two places."""

    @pytest.fixture
    def coco(self, server, tmp_path):
        server.answers["/coco_val2017.tar"] = file(tar_bytes(COCO, tmp_path))
        (known,) = chosen_items(["coco_val2017"])
        return dataclasses.replace(known, addresses=(server.address("/coco_val2017.tar"),))

    def test_both(self, coco, root):
        assert deliver(coco, root)[0]
        found = there(root)
        del found[LOCK]
        assert found == {
            "coco/val2017/1.jpg": b"one",
            "coco/val2017/2.jpg": b"two",
            "coco/annotations/instances_val2017.json": b"{}",
        }

    def test_one_is_there_already(self, coco, root):
        (root / "coco/val2017").mkdir(parents=True)
        for name in ("1.jpg", "2.jpg"):
            (root / "coco/val2017" / name).write_bytes(COCO[f"coco_val2017/val2017/{name}"])
        assert deliver(coco, root)[0]
        assert (root / "coco/annotations/instances_val2017.json").is_file()

    def test_one_is_there_and_another(self, coco, root):
        (root / "coco/val2017").mkdir(parents=True)
        (root / "coco/val2017/9.jpg").write_bytes(b"other")
        is_there, said = deliver(coco, root)
        assert not is_there
        assert f"{root / 'coco/val2017'} is there with other content: move it away" in said
        assert (root / "coco/val2017/9.jpg").read_bytes() == b"other"
        assert not (root / "coco/annotations/instances_val2017.json").exists()

    def test_folder_without_images(self, coco, root, server):
        (root / "coco/val2017").mkdir(parents=True)
        is_there, said = deliver(coco, root)
        assert not is_there
        assert f"{root / 'coco/val2017'} holds no *.jpg: complete it or move it away" in said
        assert server.asked == []

    def test_own_copy_by_a_link(self, coco, root, tmp_path, server):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine/1.jpg").write_bytes(b"one")
        (root / "coco/annotations").mkdir(parents=True)
        (root / "coco/annotations/instances_val2017.json").write_bytes(b"{}")
        (root / "coco/val2017").symlink_to(tmp_path / "mine")
        is_there, said = deliver(coco, root)
        assert is_there
        assert said.startswith("coco_val2017 is there, pinned now: ")
        assert pins(root)["coco_val2017"]["content"]["files"] == 2
        assert server.asked == []


class TestSingleFile:
    @pytest.fixture
    def content(self):
        return classifier().SerializeToString()

    def single(self, address):
        return Item("tiny_onnx", (address,), (Part("models/tiny.onnx"),), terms="none")

    def test_onnx(self, content, server, root):
        server.answers["/tiny.onnx"] = file(content)
        assert deliver(self.single(server.address("/tiny.onnx")), root)[0]
        onnx.load(str(root / "models/tiny.onnx"))
        assert list(there(root)) == [LOCK, "models/tiny.onnx"]

    def test_told_too_short(self, content, server, root):
        server.answers["/tiny.onnx"] = raw(content, Content_Length=len(content) - 1000)
        is_there, said = deliver(self.single(server.address("/tiny.onnx")), root)
        assert not is_there
        assert "tiny.onnx is not a whole ONNX model" in said
        assert there(root) == {}

    def test_page_instead_of_the_file(self, server, root):
        server.answers["/tiny.onnx"] = file(b"<html>moved</html>")
        is_there, said = deliver(self.single(server.address("/tiny.onnx")), root)
        assert not is_there
        assert "is not a whole ONNX model: it is a text file" in said


class TestByHand:
    def test_archive_among_the_downloads(self, item, root, archive, server):
        (root / "downloads").mkdir(parents=True)
        (root / "downloads/tiny.tar").write_bytes(archive)
        is_there, said = deliver(item, root, FetchPolicy(offline=True))
        assert is_there
        assert said.startswith(f"tiny taken from {root / 'downloads/tiny.tar'}, pinned: ")
        assert only_model_and_lock(root)
        assert pins(root)["tiny"]["file"]["address"] is None
        assert server.asked == []

    def test_bad_archive_among_the_downloads_is_kept(self, item, root, server):
        (root / "downloads").mkdir(parents=True)
        (root / "downloads/tiny.tar").write_bytes(b"no archive")
        is_there, said = deliver(item, root)
        assert not is_there
        assert f"{root / 'downloads/tiny.tar'} is not used: " in said
        assert (root / "downloads/tiny.tar").read_bytes() == b"no archive"
        assert server.asked == []

    def test_other_archive_than_the_pinned(self, item, root, tmp_path):
        deliver(item, root)
        shutil.rmtree(root / "models")
        (root / "downloads/tiny.tar").write_bytes(tar_bytes(CHANGED, tmp_path))
        is_there, said = deliver(item, root)
        assert not is_there
        assert f"pinned is {pins(root)['tiny']['file']['sha256']}" in said

    def test_unpacked_in_its_place_then_fetched(self, item, root):
        for name, content in MODEL.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        is_there, said = deliver(item, root, FetchPolicy(offline=True))
        assert is_there
        assert said == f"tiny is there, pinned now: {root / 'models/tiny_infer'}"
        assert pins(root)["tiny"]["file"] is None
        shutil.rmtree(root / "models")
        assert deliver(item, root)[0]
        assert pins(root)["tiny"]["file"]["address"] == item.addresses[0]

    def test_unpacked_in_its_place_then_another_is_fetched(self, item, root):
        for name in MODEL:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(b"mine")
        deliver(item, root)
        shutil.rmtree(root / "models")
        is_there, said = deliver(item, root)
        assert not is_there
        assert f"pinned is {pins(root)['tiny']['content']['sha256']}" in said
        assert list(there(root)) == [LOCK]


class TestTrouble:
    def test_each_address_is_tried_and_what_each_said_is_told(self, root, server):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/tiny.tar"
        gone, forbidden = server.address("/gone/tiny.tar"), server.address("/no/tiny.tar")
        server.answers["/no/tiny.tar"] = status(403)
        is_there, said = deliver(archived(gone, nobody, forbidden), root)
        assert not is_there
        assert said == (
            f"tiny: could not be fetched: {gone} (the server answered 404 Not Found); {nobody}"
            f" (no connection to its host); {forbidden} (the server answered 403 Forbidden);"
            f" by hand: place the file as {root / 'downloads/tiny.tar'} (or what it holds as"
            f" {root / 'models/tiny_infer'}), then 'fqbench fetch tiny' checks and pins it"
        )

    def test_next_address_after_one_that_is_gone(self, item, root, server):
        two = dataclasses.replace(item, addresses=(server.address("/gone.tar"), *item.addresses))
        assert deliver(two, root)[0]
        assert pins(root)["tiny"]["file"]["address"] == item.addresses[0]

    def test_others_go_on(self, item, root, server):
        gone = dataclasses.replace(item, name="gone", addresses=(server.address("/gone.tar"),))
        outcomes = list(fetch([gone, item], root, Heard(), PLAIN))
        assert [outcome.is_there for outcome in outcomes] == [False, True]

    def test_mirror(self, item, root, server):
        server.answers = {"/m/tiny.tar": server.answers["/tiny.tar"]}
        policy = dataclasses.replace(PLAIN, mirror=server.address("/m/"))
        assert deliver(item, root, policy)[0]
        assert [path for path, _ in server.asked] == ["/m/tiny.tar"]

    @pytest.mark.parametrize(
        "mirror", ["http://h/x", "ftp://h", "h/x", "", "https://", "https://h/x?y=", "https://[x"]
    )
    def test_mirror_that_is_not_usable(self, mirror):
        with pytest.raises(UsageError, match=r"^the mirror .*is not usable: "):
            FetchPolicy(mirror=mirror)

    def test_offline_opens_no_socket(self, item, root, monkeypatch, server):
        def forbidden(*arguments, **options):
            raise AssertionError("a connection was opened")

        for name in ("socket", "create_connection", "getaddrinfo"):
            monkeypatch.setattr(socket, name, forbidden)
        is_there, said = deliver(item, root, dataclasses.replace(PLAIN, offline=True))
        assert not is_there
        assert said.startswith(f"tiny: is missing; its address is {item.addresses[0]}; by hand: ")
        assert str(root / "downloads/tiny.tar") in said
        with pytest.raises(AssertionError, match="was opened"):
            deliver(item, root)

    def test_root_that_cannot_be(self, item, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(UsageError, match=r"the data root .* cannot be written"):
            deliver(item, tmp_path / "file" / "data")

    def test_place_that_cannot_be_written(self, item, root):
        root.mkdir()
        (root / "models").write_text("in the way")
        is_there, said = deliver(item, root)
        assert not is_there
        assert said.startswith(f"tiny: cannot read or write {root / 'models'}")

    @pytest.mark.parametrize(
        "text",
        ["[]", "tiny: 5", "tiny: {file: null}", "a: &x 1\nb: *x", "{", "tiny: {file: null, content:"
         " {files: 1, size: 1, sha256: nope}, date: 2020-01-01T00:00:00+00:00}"],
    )  # fmt: skip
    def test_damaged_lock_file(self, text, item, root):
        root.mkdir()
        (root / LOCK).write_text(text)
        with pytest.raises(UsageError, match=r"fqbench\.lock"):
            deliver(item, root)
        assert (root / LOCK).read_text() == text

    def test_other_entries_stay(self, item, root):
        deliver(item, root)
        deliver(dataclasses.replace(item, name="again"), root)
        assert list(pins(root)) == ["again", "tiny"]


class TestProcesses:
    def start(self, root, address, pause_s):
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.fetching", str(root), address, str(pause_s)],
            cwd=ROOT,
            env={**os.environ, "NO_PROXY": "*"},
            stdout=subprocess.PIPE,
            text=True,
        )

    @pytest.fixture
    def many(self, server, tmp_path):
        """An archive of many files."""
        files = {**FILES, **{f"top/{i}.txt": b"text" for i in range(200)}}
        server.answers["/tiny.tar"] = file(tar_bytes(files, tmp_path))
        return server.address("/tiny.tar")

    def wait_for(self, seen, process):
        end = time.monotonic() + TIMEOUT_S
        while not seen():
            assert process.poll() is None, "it ended before it could be met"
            assert time.monotonic() < end
            time.sleep(0.01)

    @pytest.mark.slow
    def test_killed_while_it_unpacks(self, many, root, server):
        process = self.start(root, many, 0.05)
        try:
            unpacking = root / "models" / ".tiny.unpacking"
            self.wait_for(lambda: unpacking.is_dir() and any(unpacking.rglob("*.txt")), process)
        finally:
            process.kill()
            process.communicate()
        assert not (root / "models/tiny_infer").exists()
        assert not (root / LOCK).exists()
        server.asked.clear()
        is_there, said = deliver(archived(many), root)
        assert is_there
        assert said.startswith("tiny taken from ")
        assert server.asked == []
        assert len(list((root / "models/tiny_infer").iterdir())) == 202
        assert [path.name for path in (root / "models").iterdir()] == ["tiny_infer"]

    @pytest.mark.slow
    def test_two_at_once(self, many, root, server):
        first = self.start(root, many, 0.005)
        try:
            self.wait_for(lambda: (root / "models" / ".tiny.unpacking").is_dir(), first)
            second = Heard()
            (outcome,) = fetch([archived(many)], root, second, PLAIN)
            said, _ = first.communicate(timeout=TIMEOUT_S)
        finally:
            first.kill()
            first.communicate()
        assert "True tiny fetched from 127.0.0.1: " in said
        assert second.said == ["tiny: waiting for another process that fetches it"]
        assert outcome.text == f"tiny is there, unchanged: {root / 'models/tiny_infer'}"
        assert len(server.asked) == 1


class TestCommand:
    @pytest.fixture(autouse=True)
    def _plain(self, monkeypatch):
        policy = partial(FetchPolicy, connection=PLAIN.connection, limits=PLAIN.limits)
        monkeypatch.setattr(command, "FetchPolicy", policy)

    @pytest.fixture
    def mirror(self, server, archive):
        server.answers["/yolov5s_infer.tar"] = file(archive)
        return server.address("")

    def test_fetch_then_find(self, mirror, root, capsys):
        arguments = ["fetch", "yolov5s", "--mirror", mirror, "--data-root", str(root)]
        assert main(arguments) == 0
        said = capsys.readouterr().err.splitlines()
        assert said[0] == f"yolov5s: fetching {mirror}/yolov5s_infer.tar"
        assert said[1].startswith("yolov5s fetched from 127.0.0.1: ")
        assert official_weights("yolov5s", root).model.name == "model.pdmodel"
        assert main(arguments) == 0
        assert "is there, unchanged" in capsys.readouterr().err

    def test_missing_is_one(self, mirror, root, capsys):
        arguments = ["--mirror", mirror, "--data-root", str(root)]
        assert main(["fetch", "yolov7", "yolov5s", *arguments]) == 1
        said = capsys.readouterr().err
        assert "fqbench: yolov7: could not be fetched: " in said
        assert "yolov5s fetched from " in said

    @pytest.mark.parametrize("names", [[], ["published", "--list"], ["yolov7", "--list"]])
    def test_list(self, names, root, capsys):
        assert main(["fetch", *names, "--data-root", str(root)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert any(line.startswith("yolov7 ") and " missing " in line for line in lines)
        assert "    https://bj.bcebos.com/paddlehub/fastdeploy/yolov7_infer.tar" in lines
        assert any(line.startswith("coco_val2017 ") for line in lines) == (names == [])
        assert not root.exists()

    def test_list_says_what_is_there(self, mirror, root, capsys):
        main(["fetch", "yolov5s", "--mirror", mirror, "--data-root", str(root)])
        (root / "models/yolov7_infer").mkdir()
        assert main(["fetch", "--data-root", str(root)]) == 0
        states = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
        assert states["yolov5s"].split()[1] == "there"
        assert states["yolov6s"].split()[1] == "missing"
        assert "yolov7_infer holds no *.pdmodel" in states["yolov7"]

    def test_imagenet_is_explained(self, root, capsys):
        assert main(["fetch", "imagenet", "--data-root", str(root)]) == 1
        said = capsys.readouterr().err
        assert str(root / "imagenet/val_list.txt") in said
        assert f"{root / 'imagenet/val'}/<synset>/*.JPEG" in said
        assert not root.exists()

    @pytest.mark.parametrize(
        ("names", "shown"), [([], True), (["imagenet"], True), (["yolov7"], False)]
    )
    def test_imagenet_in_the_list(self, names, shown, root, capsys):
        assert main(["fetch", *names, "--list", "--data-root", str(root)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert any(line.split() == ["imagenet", "missing"] for line in lines) == shown

    @pytest.mark.parametrize("listed", [True, False])
    def test_imagenet_that_is_there(self, listed, root, capsys):
        image = root / "imagenet/val/n01440764/1.JPEG"
        image.parent.mkdir(parents=True)
        image.touch()
        assert main(["fetch", "imagenet", "--data-root", str(root)]) == 1
        if listed:
            (root / "imagenet/val_list.txt").touch()
        else:
            (root / "imagenet/train").mkdir()
        assert main(["fetch", "imagenet", "--data-root", str(root)]) == 0

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["nope"], "there is nothing to fetch by the name 'nope': the names are yolov5s, "),
            (["yolov5s", "--mirror", "ftp://h/"], "the mirror is not usable: ftp://h/ is not an"),
        ],
    )
    def test_bad_usage(self, arguments, sentence, root, capsys):
        assert main(["fetch", *arguments, "--data-root", str(root)]) == 2
        assert capsys.readouterr().err.startswith(f"fqbench: {sentence}")
        assert not root.exists()

    def test_environment(self, mirror, root, monkeypatch):
        monkeypatch.setenv("FQBENCH_MIRROR", mirror)
        monkeypatch.setenv("FQBENCH_DATA", str(root))
        assert main(["fetch", "yolov5s"]) == 0
        assert (root / "models/yolov5s_infer/model.pdmodel").is_file()

    def test_interrupted_keeps_its_part(self, mirror, root, server, capsys, archive, monkeypatch):
        def interrupt(_):
            raise KeyboardInterrupt

        server.answers["/yolov5s_infer.tar"] = file(archive, cut_at=100_000)
        monkeypatch.setattr(time, "sleep", interrupt)  # before the next try
        assert main(["fetch", "yolov5s", "--mirror", mirror, "--data-root", str(root)]) == 130
        part = root / "downloads/yolov5s_infer.tar.part"
        assert f"fqbench: interrupted; kept: {part} (0.1 MB); the same command continues" in (
            capsys.readouterr().err
        )
        assert part.stat().st_size == 100_000


class TestCatalogue:
    def test_published_are_the_zoo_s(self):
        assert GROUPS["published"] == zoo.published_names()

    def test_names_files_and_places_are_apart(self):
        for values in (
            [item.name for item in ITEMS],
            [name for item in ITEMS for name in item.file_names],
            [part.place for item in ITEMS for part in item.parts],
        ):
            assert len(set(values)) == len(values)

    def test_addresses_are_encrypted(self):
        for item in ITEMS:
            assert item.addresses
            for address in item.addresses:
                Connection().require_allowed(address)

    @pytest.mark.parametrize("name", zoo.published_names())
    def test_the_zoo_finds_what_is_fetched(self, name, tmp_path):
        (item,) = chosen_items([name])
        for ending in ("pdmodel", "pdiparams"):
            path = tmp_path / item.parts[0].place / f"inference.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        assert official_weights(name, tmp_path) is not None

    def test_groups_and_names_once_in_order(self):
        items = chosen_items(["yolov7", "published", "yolov7"])
        assert [item.name for item in items][:3] == ["yolov7", "yolov5s", "yolov6s"]
        assert len(items) == 6


def test_data_root(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert data_root(None) == tmp_path / "fqbench"
    assert data_root(Path("here")) == Path("here")
