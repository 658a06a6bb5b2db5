"""Archives of strangers: what is honest is unpacked, what is not is refused and leaves no trace."""

import errno
import gzip
import os
import random
import shutil
import stat
import struct
import tarfile
from collections import namedtuple
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fqbench.errors import StepError
from fqbench.fetch.archive import ArchiveError, Bounds, Member, check_members, unpack
from tests.support.archives import member, tar, zipped

FILES = {"top/a.txt": b"first", "top/sub/b.bin": bytes(70_000), "top/empty": b""}
SMALL = Bounds(size=100_000, members=20)
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def folder(tmp_path):
    """Beside the folder to unpack into stand an archive, and what an escape would touch."""
    made = tmp_path / "unpacked"
    made.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_bytes(b"kept")
    return made


def opened(archive, folder, bounds=SMALL):
    unpack(archive, folder, bounds, lambda done, total: None)
    return contents(folder)


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refused(archive, folder, match, bounds=SMALL):
    """The archive is refused before anything of it is written, inside or outside."""
    before = contents(folder.parent)
    with pytest.raises(ArchiveError, match=match):
        unpack(archive, folder, bounds, lambda done, total: None)
    assert contents(folder.parent) == before
    assert list(folder.iterdir()) == []


class TestHonest:
    @pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tgz"])
    def test_tar(self, name, folder):
        assert opened(tar(folder.parent / name, FILES), folder) == FILES

    def test_zip(self, folder):
        path = zipped(folder.parent / "x.zip", [("top/", b""), *FILES.items()])
        assert opened(path, folder) == FILES

    def test_told_apart_by_content(self, folder):
        """Archives called .tgz that are plain tar files are about."""
        path = tar(folder.parent / "x.tar", FILES)
        assert opened(path.rename(path.with_suffix(".tgz")), folder) == FILES

    @pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    def test_forms_of_tar(self, form, folder):
        name = f"top/{'long-' * 15}/{'name-' * 8}é.bin" if form != tarfile.USTAR_FORMAT else "a/b"
        with tarfile.open(folder.parent / "x.tar", "w", format=form) as archive:
            archive.addfile(member(name))
        assert opened(folder.parent / "x.tar", folder) == {name: b""}

    def test_litter_is_left_out(self, folder):
        litter = {"._top": b"x", "top/._a.txt": b"x", "top/.DS_Store": b"x", "__MACOSX/a": b"x"}
        assert opened(tar(folder.parent / "x.tar", {**FILES, **litter}), folder) == FILES

    def test_dots_that_mean_nothing(self, folder):
        files = {"./a": b"1", "b/./c": b"2", "d//e": b"3"}
        path = tar(folder.parent / "x.tar", files, member("./", tarfile.DIRTYPE))
        assert opened(path, folder) == {"a": b"1", "b/c": b"2", "d/e": b"3"}

    @pytest.mark.parametrize("mode", [0o7777, 0o000])
    def test_permissions_are_ours(self, mode, folder):
        path = tar(
            folder.parent / "x.tar",
            {},
            member("top", tarfile.DIRTYPE, mode=mode, uid=12345, mtime=9e9),
            member("top/file", mode=mode, uid=12345),
        )
        before = os.umask(0o022)
        try:
            opened(path, folder)
        finally:
            os.umask(before)
        assert stat.S_IMODE((folder / "top").stat().st_mode) == 0o755
        assert stat.S_IMODE((folder / "top/file").stat().st_mode) == 0o644
        assert (folder / "top/file").stat().st_uid == os.getuid()


class TestHostile:
    @pytest.mark.parametrize(
        "name",
        [
            "../outside/kept",
            "top/../../outside/new",
            "/tmp/fqbench-must-not-be-here",
            "//tmp/x",
            "..",
            "a\\..\\..\\b",
            "a\nb",
            "a\x7fb",
            "x" * 300,
        ],
    )
    @pytest.mark.parametrize("ending", ["tar", "tar.gz", "zip"])
    def test_names(self, name, ending, folder):
        path = folder.parent / f"x.{ending}"
        if ending == "zip":
            zipped(path, [("good", b"good"), (name, b"bad")])
        else:
            tar(path, {"good": b"good", name: b"bad"})
        refused(path, folder, "leads out of it, or is no usable name")

    @pytest.mark.parametrize(
        "kind",
        [
            tarfile.SYMTYPE,
            tarfile.LNKTYPE,
            tarfile.CHRTYPE,
            tarfile.BLKTYPE,
            tarfile.FIFOTYPE,
            tarfile.GNUTYPE_SPARSE,
        ],
    )
    @pytest.mark.parametrize("target", ["../outside", "good", "/etc/passwd"])
    def test_kinds(self, kind, target, folder):
        path = tar(folder.parent / "x.tar", {"good": b"good"}, member("top", kind, linkname=target))
        if kind == tarfile.GNUTYPE_SPARSE:
            refused(path, folder, "x.tar")
        else:
            refused(path, folder, "'top' in it is neither a plain file nor a folder")

    def test_link_and_then_through_it(self, folder):
        path = folder.parent / "x.tar"
        with tarfile.open(path, "w") as archive:
            archive.addfile(member("way", tarfile.SYMTYPE, linkname="../outside"))
            archive.addfile(member("way/kept"))
        refused(path, folder, "'way' in it is neither")

    @pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK])
    def test_kinds_in_zip(self, kind, folder):
        path = zipped(folder.parent / "x.zip", [("link", b"/etc/passwd")], mode=kind | 0o777)
        refused(path, folder, "'link' in it is neither a plain file nor a folder")

    @pytest.mark.parametrize(
        ("names", "match"),
        [
            (["a", "a"], "is in it twice"),
            (["a", "./a"], "is in it twice"),
            (["a", "A"], "is in it twice"),
            (["a/x", "A/y"], "in the way"),
            (["stra\u00dfe", "STRASSE"], "is in it twice"),
            (["\u00e9", "e\u0301"], "is in it twice"),
            (["a", "a/b"], "in the way"),
            (["a/b", "a"], "is in it twice"),
            (["A/b", "a"], "is in it twice"),
        ],
    )
    def test_names_that_are_one(self, names, match, folder):
        path = folder.parent / "x.tar"
        with tarfile.open(path, "w") as archive:
            for name in names:
                archive.addfile(member(name))
        refused(path, folder, match)

    def test_file_in_the_place_of_the_top(self, folder):
        refused(tar(folder.parent / "x.tar", {".": b"x"}), folder, "is in it twice")

    @pytest.mark.parametrize("ending", ["tar", "tar.gz", "zip"])
    def test_too_many_members(self, ending, folder):
        path = folder.parent / f"x.{ending}"
        files = {f"file{i}": b"" for i in range(21)}
        path = zipped(path, list(files.items())) if ending == "zip" else tar(path, files)
        refused(path, folder, "more than 20 files and folders")

    @pytest.mark.parametrize("ending", ["tar", "tar.gz", "zip"])
    def test_too_large(self, ending, folder):
        path = folder.parent / f"x.{ending}"
        files = {"a": bytes(60_000), "b": bytes(60_000)}
        path = zipped(path, list(files.items())) if ending == "zip" else tar(path, files)
        refused(path, folder, r"larger than 0\.1 MB")

    def test_claims_more_than_there_is(self, folder):
        """A header alone, of a file of terabytes, compressed to nothing."""
        path = folder.parent / "x.tar.gz"
        path.write_bytes(gzip.compress(member("a", size=8 << 40).tobuf()))
        refused(path, folder, "larger than")

    def test_header_that_fills_the_memory(self, folder):
        header = member("long", tarfile.XHDTYPE, size=1 << 30).tobuf()
        path = folder.parent / "x.tar.gz"
        with gzip.open(path, "wb", compresslevel=1) as stream:
            stream.write(header)
            stream.write(bytes(8 << 20))
        refused(path, folder, "header in it is longer than any needs to be")

    def test_headers_without_end(self, folder):
        pax = member("x", tarfile.XHDTYPE, size=0).tobuf()
        path = folder.parent / "x.tar.gz"
        path.write_bytes(gzip.compress(pax * 5000))
        refused(path, folder, "x.tar.gz")

    @pytest.mark.parametrize("stated", [10, 89_999, 90_001])
    def test_zip_that_states_another_size(self, stated, folder):
        """The first bytes of a file that goes on are not taken for the file."""
        path = zipped(folder.parent / "x.zip", [("a", bytes(90_000))])
        content = path.read_bytes()
        assert content.count(struct.pack("<L", 90_000)) == 2
        path.write_bytes(content.replace(struct.pack("<L", 90_000), struct.pack("<L", stated)))
        with pytest.raises(ArchiveError, match=r"x\.zip"):
            opened(path, folder)

    def test_encrypted_zip(self, folder):
        path = zipped(folder.parent / "x.zip", [("a", b"text")])
        content = bytearray(path.read_bytes())
        content[6] |= 1
        content[content.index(b"PK\x01\x02") + 8] |= 1
        path.write_bytes(content)
        refused(path, folder, "encrypted")


class TestDamaged:
    @pytest.mark.parametrize("name", ["x.tar", "x.tgz", "x.zip"])
    def test_cut_off_anywhere(self, name, folder):
        """Where the end is missing there is no telling what else is, between two members too."""
        files = {f"f{i}": random.Random(i).randbytes(512) for i in range(3)}
        path = folder.parent / name
        whole = zipped(path, list(files.items())) if name == "x.zip" else tar(path, files)
        content = whole.read_bytes()
        end = 6 * 512 + 512 if name == "x.tar" else len(content)
        cuts = [0, 1, 300, 512, 1024, 1030, 2048, end - 512, end - 8, end - 1]
        for cut in (cut for cut in cuts if 0 <= cut < end):
            path.write_bytes(content[:cut])
            refused(path, folder, name)

    @pytest.mark.parametrize("content", [b"", b"<html>not found</html>", bytes(10_000), b"PK\3\4"])
    def test_no_archive(self, content, folder):
        path = folder.parent / "x.tar"
        path.write_bytes(content)
        with pytest.raises(ArchiveError, match=r"x\.tar"):
            unpack(path, folder, SMALL, lambda done, total: None)

    def test_flipped_bits_in_compressed_ones(self, folder):
        for name in ("x.tgz", "x.zip"):
            path = folder.parent / name
            text = random.Random(3).randbytes(5000)
            made = zipped(path, [("a", text)]) if name == "x.zip" else tar(path, {"a": text})
            content = bytearray(made.read_bytes())
            content[2500] ^= 0x10
            path.write_bytes(content)
            with pytest.raises(ArchiveError, match=name):
                opened(path, folder)

    def test_disk_too_small(self, folder, monkeypatch):
        path = tar(folder.parent / "x.tar", FILES)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 70_004))
        with pytest.raises(StepError, match="free"):
            unpack(path, folder, SMALL, lambda done, total: None)
        assert list(folder.iterdir()) == []
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 70_005))
        assert opened(path, folder) == FILES

    def test_what_the_disk_says_passes(self, folder, monkeypatch):
        def full(*arguments):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fdopen", full)
        with pytest.raises(OSError, match="No space left"):
            opened(tar(folder.parent / "x.tar", FILES), folder)


NAMES = st.lists(
    st.text(alphabet="aA./\\~ é", min_size=1, max_size=8).map(lambda name: (name, name[-1] == "/")),
    max_size=8,
)


@given(NAMES)
def test_whatever_the_names_paths_are_inside_and_apart(names):
    """What is accepted lies inside and is apart on any file system."""
    members = [Member(name, is_folder, 0, lambda: None) for name, is_folder in names]
    try:
        paths = list(check_members(members, SMALL))
    except ArchiveError:
        return
    assert all(not path.is_absolute() and ".." not in path.parts for path in paths)
    assert len({str(path).casefold() for path in paths}) == len(paths)
    spelled = {str(path).casefold() for path in paths}
    parents = {str(parent).casefold() for path in paths for parent in path.parents}
    assert spelled.isdisjoint(parents)
    assert PurePosixPath(".") not in paths
