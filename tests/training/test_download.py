"""The downloader against a local server that behaves, and misbehaves, like real ones."""

from __future__ import annotations

import base64
import hashlib
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from training import download
from training.download import CLASSES, DownloadError, fetch, main
from vpype_sketchformer.model.checkpoint import find, load

CONTENT = (Path(__file__).parents[1] / "data/quickdraw/cat.ndjson").read_bytes()
CUT = len(CONTENT) // 3


@dataclass
class Bucket:
    """What the server holds and how it behaves; what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    etag: str | None = '"1"'
    sends_md5: bool = True
    wrong_md5: bool = False
    sends_length: bool = True
    heeds_range: bool = True
    heeds_if_range: bool = True
    failures: list[int] = field(default_factory=list)  # statuses of the next answers
    cuts: list[int] = field(default_factory=list)  # bytes of the next answers
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # path, range
    url: str = ""


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    monkeypatch.setattr(download, "WAITS", (0.0, 0.0))
    state = Bucket({"/full/simplified/cat.ndjson": CONTENT})

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            answer(self, state)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        yield state
        server.shutdown()


def answer(request: BaseHTTPRequestHandler, bucket: Bucket) -> None:
    wanted = request.headers["Range"]
    bucket.asked.append((request.path, wanted))
    body = bucket.files.get(urllib.parse.unquote(request.path))
    if bucket.failures or body is None:
        request.send_error(bucket.failures.pop(0) if bucket.failures else 404)
        return
    start = 0
    is_current = not bucket.heeds_if_range or request.headers["If-Range"] == bucket.etag
    if wanted and bucket.heeds_range and is_current:
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            request.send_error(416)
            return
        request.send_response(206)
        request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
    else:
        request.send_response(200)
    if bucket.sends_length:
        request.send_header("Content-Length", str(len(body) - start))
    if bucket.etag:
        request.send_header("ETag", bucket.etag)
    if bucket.sends_md5:
        digest = hashlib.md5(b"other" if bucket.wrong_md5 else body).digest()
        # Google sends the header once for each kind of hash.
        request.send_header("x-goog-hash", "crc32c=AAAAAA==")
        request.send_header("x-goog-hash", f"md5={base64.b64encode(digest).decode()}")
    request.end_headers()
    end = start + bucket.cuts.pop(0) if bucket.cuts else None
    request.wfile.write(body[start:end])


def run(bucket: Bucket, folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "-o", str(folder), "--base-url", bucket.url])


def ranges(bucket: Bucket) -> list[str | None]:
    return [wanted for _, wanted in bucket.asked]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_class_arrives_byte_for_byte_in_a_folder_of_its_kind(
    bucket: Bucket, tmp_path: Path
) -> None:
    result = run(bucket, tmp_path, "cat")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "simplified/cat.ndjson").read_bytes() == CONTENT
    assert names_in(tmp_path) == ["cat.ndjson"]


@pytest.mark.parametrize(
    ("kind", "asked", "written"),
    [
        (
            "simplified",
            "/full/simplified/hot%20air%20balloon.ndjson",
            "hot air balloon.ndjson",
        ),
        ("raw", "/full/raw/hot%20air%20balloon.ndjson", "hot air balloon.ndjson"),
        ("npz", "/sketchrnn/hot%20air%20balloon.npz", "hot air balloon.npz"),
    ],
)
def test_every_kind_is_where_google_keeps_it(
    bucket: Bucket, tmp_path: Path, kind: str, asked: str, written: str
) -> None:
    content = b"PK\x03\x04" if kind == "npz" else b'{"word"'
    bucket.files[urllib.parse.unquote(asked)] = content
    result = run(bucket, tmp_path, "hot air balloon", "--kind", kind)
    assert result.exit_code == 0, result.output
    assert bucket.asked == [(asked, None)]
    assert (tmp_path / kind / written).read_bytes() == content


def test_all_means_every_class_of_the_model_that_ships(bucket: Bucket, tmp_path: Path) -> None:
    assert set(CLASSES) == set(load(find("quickdraw")).classes)
    for name in CLASSES:
        bucket.files[f"/full/simplified/{name}.ndjson"] = b"{}"
    result = run(bucket, tmp_path, "all")
    assert result.exit_code == 0, result.output
    assert len(names_in(tmp_path)) == 345


def test_a_broken_connection_is_taken_up_where_it_broke(
    bucket: Bucket, tmp_path: Path
) -> None:
    bucket.cuts = [CUT, CUT]
    assert run(bucket, tmp_path, "cat").exit_code == 0
    assert ranges(bucket) == [None, f"bytes={CUT}-", f"bytes={2 * CUT}-"]
    assert (tmp_path / "simplified/cat.ndjson").read_bytes() == CONTENT


def test_the_next_call_goes_on_where_the_last_one_gave_up(
    bucket: Bucket, tmp_path: Path
) -> None:
    bucket.cuts = [CUT, 0, 0]
    result = run(bucket, tmp_path, "cat")
    assert result.exit_code == 2
    assert "the connection broke" in result.output
    assert not (tmp_path / "simplified/cat.ndjson").exists()
    bucket.asked.clear()
    assert run(bucket, tmp_path, "cat").exit_code == 0
    assert ranges(bucket) == [f"bytes={CUT}-"]
    assert (tmp_path / "simplified/cat.ndjson").read_bytes() == CONTENT
    assert names_in(tmp_path) == ["cat.ndjson"]


def interrupted(bucket: Bucket, tmp_path: Path) -> None:
    bucket.cuts = [CUT, 0, 0]
    assert run(bucket, tmp_path, "cat").exit_code == 2
    bucket.asked.clear()


@pytest.mark.parametrize("heeds_if_range", [True, False])
@pytest.mark.parametrize("sends_md5", [True, False])
def test_a_file_that_changed_meanwhile_is_fetched_anew(
    bucket: Bucket, tmp_path: Path, heeds_if_range: bool, sends_md5: bool
) -> None:
    bucket.sends_md5 = sends_md5
    interrupted(bucket, tmp_path)
    changed = b"{" + CONTENT[:0:-1]
    bucket.files["/full/simplified/cat.ndjson"] = changed
    bucket.etag = '"2"'
    bucket.heeds_if_range = heeds_if_range
    assert run(bucket, tmp_path, "cat").exit_code == 0
    assert (tmp_path / "simplified/cat.ndjson").read_bytes() == changed


def test_a_server_without_ranges_sends_the_whole_again(bucket: Bucket, tmp_path: Path) -> None:
    bucket.heeds_range = False
    bucket.cuts = [CUT]
    assert run(bucket, tmp_path, "cat").exit_code == 0
    assert (tmp_path / "simplified/cat.ndjson").read_bytes() == CONTENT


@pytest.mark.parametrize("etag", [None, 'W/"1"'], ids=["no tag", "weak tag"])
def test_without_a_strong_tag_nothing_is_resumed(
    bucket: Bucket, tmp_path: Path, etag: str | None
) -> None:
    bucket.etag = etag
    bucket.cuts = [CUT]
    assert run(bucket, tmp_path, "cat").exit_code == 0
    assert ranges(bucket) == [None, None]
    assert (tmp_path / "simplified/cat.ndjson").read_bytes() == CONTENT


@pytest.mark.parametrize("more", [b"", b"more than there is"], ids=["complete", "too long"])
def test_a_part_that_is_as_long_as_the_file_is_no_dead_end(
    bucket: Bucket, tmp_path: Path, more: bytes
) -> None:
    interrupted(bucket, tmp_path)
    (tmp_path / "simplified/cat.ndjson.part").write_bytes(CONTENT + more)
    assert run(bucket, tmp_path, "cat").exit_code == 0
    assert (tmp_path / "simplified/cat.ndjson").read_bytes() == CONTENT


def test_a_damaged_part_is_found_out_and_fetched_anew(bucket: Bucket, tmp_path: Path) -> None:
    interrupted(bucket, tmp_path)
    (tmp_path / "simplified/cat.ndjson.part").write_bytes(b"{" + bytes(CUT))
    assert run(bucket, tmp_path, "cat").exit_code == 0
    assert (tmp_path / "simplified/cat.ndjson").read_bytes() == CONTENT


def refusal(result: Result) -> str:
    """Return the one line of an orderly refusal."""
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    (line,) = result.stderr.splitlines()
    return line


def test_what_does_not_match_its_md5_never_gets_the_name(
    bucket: Bucket, tmp_path: Path
) -> None:
    bucket.wrong_md5 = True
    assert "damaged" in refusal(run(bucket, tmp_path, "cat"))
    assert names_in(tmp_path) == []


def test_a_page_of_something_else_is_not_taken_for_drawings(
    bucket: Bucket, tmp_path: Path
) -> None:
    bucket.files["/full/simplified/cat.ndjson"] = b"<html>Please log in</html>"
    assert "something else" in refusal(run(bucket, tmp_path, "cat"))
    assert names_in(tmp_path) == []


def test_what_cannot_be_checked_is_not_taken(bucket: Bucket, tmp_path: Path) -> None:
    bucket.sends_length = bucket.sends_md5 = False
    assert "neither" in refusal(run(bucket, tmp_path, "cat"))
    assert names_in(tmp_path) == []


def test_the_md5_alone_is_enough(bucket: Bucket, tmp_path: Path) -> None:
    bucket.sends_length = False
    bucket.cuts = [CUT]
    assert run(bucket, tmp_path, "cat").exit_code == 0
    assert (tmp_path / "simplified/cat.ndjson").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_busy_server_is_asked_again(bucket: Bucket, tmp_path: Path, status: int) -> None:
    bucket.failures = [status, status]
    assert run(bucket, tmp_path, "cat").exit_code == 0
    bucket.failures = [status] * 3
    assert str(status) in refusal(run(bucket, tmp_path / "again", "cat"))


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_of_the_server_is_final(bucket: Bucket, tmp_path: Path, status: int) -> None:
    bucket.failures = [status]
    assert f"HTTP {status}" in refusal(run(bucket, tmp_path, "cat"))
    assert len(bucket.asked) == 1


def test_a_server_that_is_not_there_is_one_clear_line(bucket: Bucket, tmp_path: Path) -> None:
    bucket.url = "http://127.0.0.1:1"
    assert "no connection" in refusal(run(bucket, tmp_path, "cat"))


def test_a_server_that_falls_silent_is_given_up(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    monkeypatch.setattr(download, "WAITS", ())
    silence = threading.Event()
    monkeypatch.setattr(f"{__name__}.answer", lambda *_: silence.wait(10))
    with pytest.raises(DownloadError, match="timed out"):
        fetch(f"{bucket.url}/full/simplified/cat.ndjson", tmp_path / "cat.ndjson")
    silence.set()


def test_an_unknown_class_is_refused_before_anything_is_fetched(
    bucket: Bucket, tmp_path: Path
) -> None:
    line = refusal(run(bucket, tmp_path, "cat", "hot air baloon"))
    assert "hot air balloon" in line
    assert bucket.asked == []
    assert names_in(tmp_path) == []


def test_a_file_that_is_there_is_left_alone(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "simplified").mkdir()
    (tmp_path / "simplified/cat.ndjson").write_bytes(b"mine")
    result = run(bucket, tmp_path, "cat")
    assert result.exit_code == 0
    assert "already" in result.stderr
    assert bucket.asked == []
    assert (tmp_path / "simplified/cat.ndjson").read_bytes() == b"mine"


def test_a_folder_that_cannot_be_written_is_one_clear_line(
    bucket: Bucket, tmp_path: Path
) -> None:
    (tmp_path / "simplified").write_bytes(b"a file where the folder should be")
    assert "cannot be written" in refusal(run(bucket, tmp_path, "cat"))


@pytest.mark.parametrize("url", ["file:///etc", "storage.googleapis.com", "ftp://example.org"])
def test_only_web_addresses_are_fetched(tmp_path: Path, url: str) -> None:
    result = CliRunner().invoke(main, ["cat", "-o", str(tmp_path), "--base-url", url])
    assert result.exit_code == 2
    assert "http" in result.stderr
