"""Downloads from servers that behave well and badly."""

import random
import shutil
import socket
import subprocess
from collections import namedtuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fqbench.errors import StepError
from fqbench.fetch import download
from fqbench.fetch.connection import AddressError, Connection
from fqbench.fetch.download import Download, Limits, PartFile
from tests.support.fetch_server import file, in_turn, raw, redirect, serving, silent, status

CONTENT = random.Random(1).randbytes(300_000)
OTHER = random.Random(2).randbytes(300_000)
CUT = 100_000
PLAIN = Connection(schemes=("http",), connect_s=2.0, read_s=2.0)
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def target(tmp_path):
    return tmp_path / "file.tar"


def load(address, target, *, tries=4, largest=1_000_000, connection=PLAIN, unpacked=False):
    seen = []
    limits = Limits(largest=largest, tries=tries, pause_s=0.0)
    report = lambda done, total: seen.append((done, total))  # noqa: E731
    host = Download(address, target, connection, limits, report, unpacked).run()
    return host, seen


def left_over(target):
    return sorted(path.name for path in target.parent.iterdir())


class TestWhole:
    def test_file(self, server, target):
        server.answers["/file.tar"] = file(CONTENT)
        host, seen = load(server.address("/file.tar"), target)
        assert target.read_bytes() == CONTENT
        assert host == "127.0.0.1"
        assert seen[-1] == (300_000, 300_000)
        assert left_over(target) == ["file.tar"]
        assert server.asked[0][1]["Accept-Encoding"] == "identity"

    def test_stored_compressed(self, server, target):
        """The bytes are taken as they are stored, also where they are called an encoding."""
        server.answers["/file.tar"] = raw(CONTENT, Content_Encoding="gzip", Content_Length=300_000)
        load(server.address("/file.tar"), target)
        assert target.read_bytes() == CONTENT

    def test_no_length(self, server, target):
        server.answers["/file.tar"] = raw(CONTENT)
        _, seen = load(server.address("/file.tar"), target)
        assert target.read_bytes() == CONTENT
        assert seen[-1] == (300_000, None)

    def test_no_length_and_too_much(self, server, target):
        server.answers["/file.tar"] = raw(CONTENT)
        with pytest.raises(AddressError, match=r"sends more than .*too much"):
            load(server.address("/file.tar"), target, largest=200_000)
        assert left_over(target) == []

    def test_too_large(self, server, target):
        server.answers["/file.tar"] = file(CONTENT)
        with pytest.raises(AddressError, match=r"0\.3 MB, more than the 0\.2 MB that are allowed"):
            load(server.address("/file.tar"), target, largest=200_000)
        assert left_over(target) == []


class TestResume:
    def test_goes_on_where_it_was_cut(self, server, target):
        server.answers["/file.tar"] = in_turn(file(CONTENT, cut_at=CUT), file(CONTENT))
        load(server.address("/file.tar"), target)
        assert target.read_bytes() == CONTENT
        assert server.ranges() == [None, "bytes=100000-"]
        assert server.asked[1][1]["If-Range"] == '"one"'
        assert left_over(target) == ["file.tar"]

    def test_in_another_run(self, server, target):
        server.answers["/file.tar"] = in_turn(file(CONTENT, cut_at=CUT), file(CONTENT))
        with pytest.raises(AddressError, match="in each of 1 tries"):
            load(server.address("/file.tar"), target, tries=1)
        assert left_over(target) == ["file.tar.part", "file.tar.part.json"]
        _, seen = load(server.address("/file.tar"), target)
        assert target.read_bytes() == CONTENT
        assert server.ranges() == [None, "bytes=100000-"]
        assert seen[0][0] > CUT

    def test_by_date(self, server, target):
        date = "Wed, 21 Oct 2015 07:28:00 GMT"
        good = {"etag": None, "date": date}
        server.answers["/file.tar"] = in_turn(
            file(CONTENT, cut_at=CUT, **good), file(CONTENT, **good)
        )
        load(server.address("/file.tar"), target)
        assert target.read_bytes() == CONTENT
        assert server.asked[1][1]["If-Range"] == date

    @pytest.mark.parametrize("etag", [None, 'W/"one"'])
    def test_without_a_usable_validator_it_begins_anew(self, etag, server, target):
        server.answers["/file.tar"] = in_turn(
            file(CONTENT, cut_at=CUT, etag=etag), file(CONTENT, etag=etag)
        )
        load(server.address("/file.tar"), target)
        assert target.read_bytes() == CONTENT
        assert server.ranges() == [None, None]

    def test_range_ignored(self, server, target):
        whole = raw(CONTENT, Content_Length=300_000, ETag='"one"')
        server.answers["/file.tar"] = in_turn(file(CONTENT, cut_at=CUT), whole)
        load(server.address("/file.tar"), target)
        assert target.read_bytes() == CONTENT
        assert server.ranges() == [None, "bytes=100000-"]

    @pytest.mark.parametrize("heeds", [True, False])
    def test_changed_in_between(self, heeds, server, target):
        """Never the beginning of one file and the end of another."""
        changed = file(OTHER, etag='"two"', heeds_if_range=heeds)
        server.answers["/file.tar"] = in_turn(file(CONTENT, cut_at=CUT), changed)
        load(server.address("/file.tar"), target)
        assert target.read_bytes() == OTHER

    def test_shorter_in_between(self, server, target):
        shorter = file(CONTENT[:50_000], heeds_if_range=False)
        server.answers["/file.tar"] = in_turn(file(CONTENT, cut_at=CUT), shorter)
        load(server.address("/file.tar"), target)
        assert target.read_bytes() == CONTENT[:50_000]

    def test_killed_before_the_last_step(self, server, target):
        """All bytes are there, but not under their name: nothing is asked for again."""
        server.answers["/file.tar"] = file(CONTENT, cut_at=CUT)
        with pytest.raises(AddressError):
            load(server.address("/file.tar"), target, tries=1)
        PartFile(target).path.write_bytes(CONTENT)
        load(server.address("/file.tar"), target)
        assert target.read_bytes() == CONTENT
        assert len(server.asked) == 1

    @pytest.mark.parametrize("note", ["", "{}", "[", '{"address": 1}', "\xff"])
    def test_damaged_note(self, note, server, target):
        PartFile(target).path.write_bytes(b"xyz")
        target.with_name("file.tar.part.json").write_text(note)
        server.answers["/file.tar"] = file(CONTENT)
        load(server.address("/file.tar"), target)
        assert target.read_bytes() == CONTENT

    def test_part_of_another_address(self, server, target):
        server.answers["/a"] = file(OTHER, cut_at=CUT)
        server.answers["/b"] = file(CONTENT)
        with pytest.raises(AddressError):
            load(server.address("/a"), target, tries=1)
        load(server.address("/b"), target)
        assert target.read_bytes() == CONTENT
        assert server.ranges() == [None, None]

    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(cuts=st.lists(st.integers(0, 2_000), max_size=4), etag=st.sampled_from([None, '"e"']))
    def test_cut_anywhere_the_bytes_are_the_same(self, cuts, etag, server, target):
        content = CONTENT[:2_000]
        answers = [file(content, cut_at=cut, etag=etag) for cut in cuts]
        server.answers["/file.tar"] = in_turn(*answers, file(content, etag=etag))
        target.unlink(missing_ok=True)
        load(server.address("/file.tar"), target, tries=6)
        assert target.read_bytes() == content


class TestLies:
    def test_length_too_long(self, server, target):
        server.answers["/file.tar"] = raw(CONTENT, Content_Length=300_010, ETag='"one"')
        with pytest.raises(AddressError, match="in each of 3 tries"):
            load(server.address("/file.tar"), target, tries=3)
        assert not target.exists()
        assert len(server.asked) == 3

    def test_length_too_long_where_ranges_work(self, server, target):
        lie = raw(CONTENT, Content_Length=300_010, ETag='"one"')
        server.answers["/file.tar"] = in_turn(lie, file(CONTENT))
        load(server.address("/file.tar"), target)
        assert target.read_bytes() == CONTENT

    @pytest.mark.parametrize("length", ["many", "-5", "1e6"])
    def test_no_length_at_all(self, length, server, target):
        server.answers["/file.tar"] = raw(CONTENT, Content_Length=length)
        with pytest.raises(AddressError, match="gives no usable length"):
            load(server.address("/file.tar"), target)

    def test_part_that_nobody_asked_for(self, server, target):
        server.answers["/file.tar"] = status(206)
        with pytest.raises(AddressError, match="answered 206 to a request for all"):
            load(server.address("/file.tar"), target)

    def test_another_part_than_asked_for(self, server, target):
        """The rest is appended only where it begins where the part ends."""

        def wrong(handler):
            headers = {"Content-Range": "bytes 99990-299999/300000", "ETag": '"one"'}
            handler.begin(206, {**headers, "Content-Length": 200_010})
            handler.wfile.write(CONTENT[99_990:])

        server.answers["/file.tar"] = in_turn(file(CONTENT, cut_at=CUT), wrong, file(CONTENT))
        load(server.address("/file.tar"), target)
        assert target.read_bytes() == CONTENT
        assert server.ranges() == [None, "bytes=100000-", None]

    def test_library_that_does_not_count(self, server, target, monkeypatch):
        """Not each release of urllib3 notices that a body is too short."""
        server.answers["/file.tar"] = file(CONTENT)
        monkeypatch.setattr(download, "body", lambda response: [CONTENT[:10]])
        with pytest.raises(AddressError, match="10 of 300000 bytes came, in each of 1 tries"):
            load(server.address("/file.tar"), target, tries=1)


class TestTrouble:
    def test_missing(self, server, target):
        with pytest.raises(AddressError, match=r"^the server answered 404 Not Found$"):
            load(server.address("/file.tar"), target)
        assert len(server.asked) == 1

    def test_busy_then_well(self, server, target):
        server.answers["/file.tar"] = in_turn(status(503), status(429), file(CONTENT))
        load(server.address("/file.tar"), target)
        assert target.read_bytes() == CONTENT

    def test_refused(self, target):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        with pytest.raises(AddressError, match=r"^no connection to its host$"):
            load(f"http://127.0.0.1:{port}/file.tar", target)

    def test_unknown_host(self, target, monkeypatch):
        def unknown(*arguments, **options):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises(AddressError, match=r"^its host is not known here$"):
            load("http://gone.example/file.tar", target)

    def test_silence(self, server, target):
        server.answers["/file.tar"] = in_turn(silent(CONTENT, after=CUT), file(CONTENT))
        impatient = Connection(schemes=("http",), connect_s=2.0, read_s=0.2)
        load(server.address("/file.tar"), target, connection=impatient)
        assert target.read_bytes() == CONTENT
        assert server.ranges()[1] is not None

    def test_silence_each_time(self, server, target):
        server.answers["/file.tar"] = silent(CONTENT, after=0)
        impatient = Connection(schemes=("http",), connect_s=2.0, read_s=0.1)
        with pytest.raises(AddressError, match="did not answer in time, in each of 2 tries"):
            load(server.address("/file.tar"), target, connection=impatient, tries=2)

    @pytest.mark.parametrize(("unpacked", "free"), [(False, 299_999), (True, 599_999)])
    def test_disk_too_small(self, unpacked, free, server, target, monkeypatch):
        server.answers["/file.tar"] = file(CONTENT)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, free))
        with pytest.raises(StepError, match=r"has 0\.\d MB free and 0\.\d MB are needed"):
            load(server.address("/file.tar"), target, unpacked=unpacked)
        assert left_over(target) == []

    def test_disk_just_large_enough(self, server, target, monkeypatch):
        server.answers["/file.tar"] = file(CONTENT)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 600_000))
        load(server.address("/file.tar"), target, unpacked=True)
        assert target.read_bytes() == CONTENT


class TestRedirects:
    def test_to_another_host_is_told(self, server, target):
        server.answers["/old"] = redirect(server.address("/file.tar", host="localhost"))
        server.answers["/file.tar"] = file(CONTENT)
        host, _ = load(server.address("/old"), target)
        assert host == "localhost"
        assert target.read_bytes() == CONTENT

    def test_relative(self, server, target):
        server.answers["/old/file"] = redirect("../file.tar")
        server.answers["/file.tar"] = file(CONTENT)
        load(server.address("/old/file"), target)
        assert target.read_bytes() == CONTENT

    @pytest.mark.parametrize(
        "place", ["ftp://127.0.0.1/x", "file:///etc/passwd", "https://h/x", "//", "http://[x/", ""]
    )
    def test_to_what_is_not_allowed(self, place, server, target):
        server.answers["/old"] = redirect(place)
        with pytest.raises(AddressError):
            load(server.address("/old"), target)
        assert left_over(target) == []

    def test_in_circles(self, server, target):
        server.answers["/old"] = redirect("/old")
        with pytest.raises(AddressError, match="redirects more than 5 times"):
            load(server.address("/old"), target)
        assert len(server.asked) == 6

    def test_only_encrypted_unless_told_otherwise(self, server, target):
        server.answers["/file.tar"] = file(CONTENT)
        with pytest.raises(AddressError, match="is not an address of https"):
            load(server.address("/file.tar"), target, connection=Connection())
        assert server.asked == []

    def test_password_in_an_address(self, target):
        with pytest.raises(AddressError, match="a user's name"):
            load("http://me:secret@127.0.0.1/x", target)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("no openssl command to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*made, *names, "-keyout", path, "-out", f"{path}.crt"], check=True, timeout=60)
    path.write_text(path.read_text() + path.with_name("both.pem.crt").read_text())
    return path


@pytest.fixture
def encrypted(certificate):
    with serving(certificate) as server:
        yield server


class TestEncrypted:
    """With the connection as it is without any setting."""

    def test_trusted(self, certificate, encrypted, target, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", f"{certificate}.crt")
        encrypted.answers["/file.tar"] = file(CONTENT)
        host, _ = load(encrypted.address("/file.tar", "localhost"), target, connection=Connection())
        assert host == "localhost"
        assert target.read_bytes() == CONTENT

    def test_never_on_to_what_is_not_encrypted(
        self, certificate, encrypted, server, target, monkeypatch
    ):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", f"{certificate}.crt")
        server.answers["/file.tar"] = file(CONTENT)
        encrypted.answers["/old"] = redirect(server.address("/file.tar"))
        with pytest.raises(AddressError, match=r"^http://127\.0\.0\.1:\d+/file\.tar is not an "):
            load(encrypted.address("/old", "localhost"), target, connection=Connection())
        assert server.asked == []

    def test_not_trusted(self, encrypted, target, monkeypatch):
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        with pytest.raises(
            AddressError, match=r"^no encrypted connection: self.signed certificate$"
        ):
            load(encrypted.address("/file.tar", "localhost"), target, connection=Connection())
        assert encrypted.asked == []
