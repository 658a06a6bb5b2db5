"""An artifact is whole or not there, and made once, whatever happens to those who make it."""

import errno
import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.artifacts import MANIFEST, Store, default_root, file_digest, key_of
from fqbench.errors import StepError, UsageError

INPUTS = {"model": "ab12", "images": [1, 2]}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "cache")


class Maker:
    """Writes two files, one of them in a folder, and counts how often."""

    def __init__(self):
        self.calls = 0

    def __call__(self, folder):
        self.calls += 1
        (folder / "model.onnx").write_bytes(b"weights")
        (folder / "scales").mkdir()
        (folder / "scales" / "x.json").write_text("[1]")


def never(folder):
    raise AssertionError("made again")


def left_in(store):
    """All that the store's folder holds, without the locks, which stay."""
    return sorted(p.name for p in store.root.glob("*/*") if p.suffix != ".lock")


# Made once


def test_a_miss_makes_and_a_hit_finds(store):
    maker = Maker()
    assert store.find("lower", INPUTS) is None
    made = store.get_or_make("lower", INPUTS, maker)
    assert made.path == store.root / "lower" / key_of("lower", INPUTS)
    assert made.file("model.onnx").read_bytes() == b"weights"
    assert made.file("scales/x.json").read_text() == "[1]"
    assert store.get_or_make("lower", dict(reversed(INPUTS.items())), never) == made
    assert store.find("lower", INPUTS) == made
    assert Store(store.root).find("lower", INPUTS) == made
    assert maker.calls == 1
    assert left_in(store) == [made.key]


def test_other_inputs_or_another_step_are_made_anew(store):
    maker = Maker()
    made = store.get_or_make("lower", INPUTS, maker)
    assert store.get_or_make("lower", {**INPUTS, "threads": 1}, maker).key != made.key
    assert store.get_or_make("calibrate", INPUTS, maker).key != made.key
    assert maker.calls == 3


def test_a_step_may_write_nothing(store):
    made = store.get_or_make("lower", {}, lambda folder: None)
    assert store.get_or_make("lower", {}, never) == made


def test_the_manifest_tells_what_went_in(store):
    made = store.get_or_make("lower", INPUTS, Maker())
    assert json.loads(made.file(MANIFEST).read_text()) == {
        "format": 1,
        "step": "lower",
        "inputs": INPUTS,
        "files": {
            "model.onnx": {
                "size": 7,
                "sha256": "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c",
            },
            "scales/x.json": {
                "size": 3,
                "sha256": "080a9ed428559ef602668b4c00f114f1a11c3f6b02a435f0bdc154578e4d7f22",
            },
        },
    }


# Damage


def flip_a_byte(path):
    path.joinpath("model.onnx").write_bytes(b"Weights")


def cut_a_file(path):
    path.joinpath("model.onnx").write_bytes(b"weight")


def delete_a_file(path):
    path.joinpath("scales", "x.json").unlink()


def add_a_file(path):
    path.joinpath("scales", "y.json").write_text("")


def link_a_file(path):
    path.joinpath("model.onnx").rename(path.parent / "elsewhere")
    path.joinpath("model.onnx").symlink_to(path.parent / "elsewhere")


def cut_the_manifest(path):
    text = path.joinpath(MANIFEST).read_text()
    path.joinpath(MANIFEST).write_text(text[: len(text) // 2])


def delete_the_manifest(path):
    path.joinpath(MANIFEST).unlink()


def change_the_inputs(path):
    manifest = json.loads(path.joinpath(MANIFEST).read_text())
    manifest["inputs"]["images"] = [1, 3]
    path.joinpath(MANIFEST).write_text(json.dumps(manifest))


def replace_the_manifest(path):
    path.joinpath(MANIFEST).write_text("[]")


def replace_the_folder(path):
    for inner in sorted(path.rglob("*"), reverse=True):
        inner.rmdir() if inner.is_dir() else inner.unlink()
    path.rmdir()
    path.write_text("a file")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (flip_a_byte, "model.onnx has other bytes"),
        (cut_a_file, "model.onnx has another size"),
        (delete_a_file, "files are missing or were added: scales/x.json"),
        (add_a_file, "files are missing or were added: scales/y.json"),
        (link_a_file, "model.onnx is neither a file nor a folder"),
        (cut_the_manifest, "it cannot be read: JSONDecodeError"),
        (delete_the_manifest, "it cannot be read: FileNotFoundError"),
        (change_the_inputs, "its manifest is another artifact's"),
        (replace_the_manifest, "it cannot be read: TypeError"),
        (replace_the_folder, "it cannot be read: NotADirectoryError"),
    ],
)
def test_a_damaged_artifact_is_told_moved_away_and_made_again(store, caplog, damage, told):
    made = store.get_or_make("lower", INPUTS, Maker())
    damage(made.path)
    assert store.find("lower", INPUTS) is None
    maker = Maker()
    with caplog.at_level(logging.WARNING):
        assert store.get_or_make("lower", INPUTS, maker) == made
    assert maker.calls == 1
    assert store.find("lower", INPUTS) == made
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert made.key in record.getMessage()
    assert told in record.getMessage()
    assert f"{made.key}.damaged" in left_in(store)


def test_only_the_latest_damaged_artifact_is_kept(store):
    for _ in range(3):
        made = store.get_or_make("lower", INPUTS, Maker())
        flip_a_byte(made.path)
    store.get_or_make("lower", INPUTS, Maker())
    assert left_in(store) == [made.key, f"{made.key}.damaged"]


# Failure


@pytest.mark.parametrize("error", [StepError("scale 0"), KeyboardInterrupt(), OSError("odd")])
def test_what_make_raises_passes_and_leaves_nothing(store, error):
    def fail(folder):
        (folder / "half").write_text("half")
        raise error

    with pytest.raises(type(error)) as caught:
        store.get_or_make("lower", INPUTS, fail)
    assert caught.value is error
    assert left_in(store) == []
    assert store.get_or_make("lower", INPUTS, Maker()).path.is_dir()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_gets_full_while_a_step_writes_is_one_sentence(store, number):
    def fail(folder):
        raise OSError(number, os.strerror(number))

    with pytest.raises(StepError, match=r"^the disk of .*cache is full: free some space"):
        store.get_or_make("lower", INPUTS, fail)
    assert left_in(store) == []


def test_a_disk_that_gets_full_while_the_store_writes_is_one_sentence(store, monkeypatch):
    def fail(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StepError, match=r"^the disk of .*cache is full"):
        store.get_or_make("lower", INPUTS, Maker())
    assert left_in(store) == []


def test_a_root_that_is_a_file_is_a_usage_error(tmp_path):
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        store = Store(root)
        assert store.find("lower", INPUTS) is None
        with pytest.raises(UsageError, match=r"^cannot write artifacts to .*FQBENCH_CACHE$"):
            store.get_or_make("lower", INPUTS, Maker())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_root_gives_what_it_has_and_takes_nothing(store):
    made = store.get_or_make("lower", INPUTS, Maker())
    folders = (store.root, store.root / "lower")
    for folder in folders:
        folder.chmod(0o500)
    try:
        assert store.get_or_make("lower", INPUTS, never) == made
        with pytest.raises(UsageError, match="Permission denied; choose another folder"):
            store.get_or_make("lower", {}, Maker())
    finally:
        for folder in folders:
            folder.chmod(0o700)


def test_a_store_that_may_not_be_written_is_a_usage_error(store, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("fqbench.artifacts.tempfile.mkdtemp", refuse)
    with pytest.raises(UsageError, match="Read-only file system; choose another folder"):
        store.get_or_make("lower", INPUTS, Maker())


def test_the_store_s_own_file_is_not_a_step_s_to_write(store):
    with pytest.raises(ValueError, match=r"wrote manifest\.json"):
        store.get_or_make("lower", INPUTS, lambda f: (f / MANIFEST).write_text("{}"))
    assert left_in(store) == []


def test_a_link_is_not_stored(store):
    with pytest.raises(ValueError, match="link is neither a file nor a folder"):
        store.get_or_make("lower", INPUTS, lambda f: (f / "link").symlink_to("/etc/hostname"))
    assert left_in(store) == []


@pytest.mark.parametrize("step", ["", "..", "a/b", "/a", "a.b", "A", "1a", "a\n", "ä", "a\0"])
def test_a_step_s_name_cannot_lead_out_of_the_store(store, step):
    with pytest.raises(ValueError, match="lower case letters"):
        store.get_or_make(step, INPUTS, Maker())
    assert not store.root.exists()


# Several processes

PROGRAM = """
    import os, sys, time
    from pathlib import Path
    from fqbench.artifacts import Store

    def make(folder):
        with open(sys.argv[2], "a") as count:
            print(os.getpid(), file=count, flush=True)
        (folder / "first").write_text("first")
        time.sleep(float(sys.argv[3]))
        (folder / "second").write_text("second")

    made = Store(Path(sys.argv[1])).get_or_make("lower", {"a": 1}, make)
    print(made.file("second").read_text())
"""


def start(store, count, seconds):
    """Another process that makes the same artifact in so many seconds."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(store.root), str(count), str(seconds)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def wait_for_lines(path, lines=1):
    deadline = time.monotonic() + 20
    while not path.exists() or path.read_text().count("\n") < lines:
        assert time.monotonic() < deadline, "nobody made it"
        time.sleep(0.02)


def test_two_processes_make_one_key_once(store, tmp_path):
    count = tmp_path / "count"
    both = [start(store, count, 0.5) for _ in range(2)]
    told = [process.communicate(timeout=20)[0].split() for process in both]
    assert told == [[b"second"], [b"second"]]
    assert len(count.read_text().split()) == 1
    assert len(left_in(store)) == 1


def test_a_process_killed_while_it_makes_leaves_no_artifact_and_no_lock(store, tmp_path):
    count = tmp_path / "count"
    with start(store, count, 60) as killed:
        wait_for_lines(count)
        killed.send_signal(signal.SIGKILL)
    [left_over] = left_in(store)
    assert ".tmp-" in left_over
    assert store.find("lower", {"a": 1}) is None
    with start(store, count, 0) as resumed:
        assert resumed.communicate(timeout=20)[0].split() == [b"second"]
    assert len(count.read_text().split()) == 2
    assert left_in(store) == [key_of("lower", {"a": 1})]


def test_who_waits_for_a_killed_process_makes_it(store, tmp_path):
    count = tmp_path / "count"
    with start(store, count, 60) as killed:
        wait_for_lines(count)
        with start(store, count, 0) as waiting:
            time.sleep(0.3)
            assert waiting.poll() is None
            killed.kill()
            assert waiting.communicate(timeout=20)[0].split() == [b"second"]
    assert left_in(store) == [key_of("lower", {"a": 1})]


KILLED_AT = """
    import os, shutil, sys, tempfile
    from pathlib import Path
    from fqbench.artifacts import Store

    left = int(sys.argv[2])

    def counted(function):
        def change(*args, **kwargs):
            global left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), 9)
            return function(*args, **kwargs)
        return change

    for module, name in ((shutil, "rmtree"), (os, "rename"), (tempfile, "mkdtemp"), (os, "fsync")):
        setattr(module, name, counted(getattr(module, name)))
    make = lambda folder: (folder / "model.onnx").write_bytes(b"killed")
    Store(Path(sys.argv[1])).get_or_make("lower", {"a": 1}, make)
"""
CHANGES = (
    "clear the place of the damaged artifact",
    "move it there",
    "make a temporary folder",
    "sync its file",
    "sync its manifest",
    "sync the folder",
    "move the folder into place",
    "sync the folder above",
    "drop what the step could have gone on from",
)


def killed_at(store, change):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED_AT), str(store.root), str(change)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
    ).returncode


@pytest.mark.parametrize("change", CHANGES)
def test_a_process_killed_before_any_change_of_the_disk_resumes(store, change):
    made = store.get_or_make("lower", {"a": 1}, Maker())
    flip_a_byte(made.path)
    assert killed_at(store, CHANGES.index(change) + 1) == -signal.SIGKILL
    maker = Maker()
    assert store.get_or_make("lower", {"a": 1}, maker) == made
    in_place = CHANGES.index(change) > CHANGES.index("move the folder into place")
    assert maker.calls == (0 if in_place else 1)
    assert made.file("model.onnx").read_bytes() == (b"killed" if in_place else b"weights")
    assert left_in(store) == [made.key, f"{made.key}.damaged"]


def test_these_are_all_the_changes_of_the_disk(store):
    flip_a_byte(store.get_or_make("lower", {"a": 1}, Maker()).path)
    assert killed_at(store, len(CHANGES) + 1) == 0


# Keys

TEXT = st.text(alphabet='ab1"\\é\u2028\ud800', max_size=5)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
INPUTS_OF_A_STEP = st.dictionaries(TEXT, JSON, max_size=4)


def exact(value):
    """The value such that only the same JSON is equal: 1, 1.0 and True differ."""
    if isinstance(value, dict):
        return ("object", tuple((name, exact(value[name])) for name in sorted(value)))
    if isinstance(value, (list, tuple)):
        return ("array", tuple(exact(inner) for inner in value))
    return (type(value).__name__, repr(value))


def shuffled(value):
    if isinstance(value, dict):
        return {name: shuffled(value[name]) for name in reversed(value)}
    if isinstance(value, list):
        return tuple(shuffled(inner) for inner in value)
    return value


@settings(deadline=None, max_examples=40)
@given(INPUTS_OF_A_STEP)
def test_the_order_of_names_is_no_part_of_a_key(inputs):
    assert key_of("lower", shuffled(inputs)) == key_of("lower", inputs)


@settings(deadline=None, max_examples=40)
@given(INPUTS_OF_A_STEP, INPUTS_OF_A_STEP)
def test_keys_are_equal_where_inputs_are(first, second):
    same = exact(first) == exact(second)
    assert (key_of("lower", first) == key_of("lower", second)) is same


@settings(deadline=None, max_examples=40)
@given(INPUTS_OF_A_STEP)
def test_a_key_survives_json(inputs):
    assert key_of("lower", json.loads(json.dumps(inputs))) == key_of("lower", inputs)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"a": 1}, {"a": 1.0}),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": "1"}),
        ({"a": 0.0}, {"a": -0.0}),
        ({"a": 0.1}, {"a": 0.1 + 2**-56}),
        ({"a": None}, {}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": "é"}, {"a": "e\u0301"}),
        ({"a": {"b": 1}}, {"a": {}, "b": 1}),
    ],
)
def test_inputs_that_look_alike_have_keys_of_their_own(first, second):
    assert key_of("lower", first) != key_of("lower", second)


def test_a_key_stays_what_it_was():
    text = '{"format":1,"inputs":{"a":[1,0.5],"b":null},"step":"lower"}'
    assert key_of("lower", {"b": None, "a": [1, 0.5]}) == digest_of(text.encode())


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), {1: 2}, [{None: 1}], object(), {1, 2}, Path("x")]
)
def test_what_json_does_not_hold_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        key_of("lower", {"a": value})


# Digests and the root


def digest_of(data):
    return hashlib.sha256(data).hexdigest()


def test_a_digest_is_sha256_of_the_bytes(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_digest(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    (tmp_path / "large").write_bytes(b"ab" * 2_000_001)
    assert file_digest(tmp_path / "large") == digest_of(b"ab" * 2_000_001)


def test_the_root_is_the_named_folder_or_the_user_s_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FQBENCH_CACHE", str(tmp_path))
    assert default_root() == tmp_path
    for unset in ("", None):
        if unset is None:
            monkeypatch.delenv("FQBENCH_CACHE")
        else:
            monkeypatch.setenv("FQBENCH_CACHE", unset)
        assert default_root().name == "fqbench"


def test_a_relative_root_does_not_move_with_the_working_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    store = Store(Path("cache"))
    monkeypatch.chdir("/")
    assert store.root == tmp_path / "cache"
