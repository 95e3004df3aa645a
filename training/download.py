"""Fetch Quick, Draw! files from Google's bucket: ``python -m training.download --help``.

The bucket and its folders: https://github.com/googlecreativelab/quickdraw-dataset
Its headers: https://cloud.google.com/storage/docs/xml-api/reference-headers
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import http.client
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from tqdm import tqdm

from training import Refusal

BUCKET = "https://storage.googleapis.com/quickdraw_dataset"
#: All 345 classes, by Google's names; the collection has been closed since 2017.
CLASSES = tuple(Path(__file__).with_name("classes.txt").read_text("utf-8").splitlines())

WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds between tries
TIMEOUT = 30.0  # seconds without a byte
CHUNK = 1 << 16


@dataclass(frozen=True)
class Kind:
    """A form in which the bucket offers each class.

    Attributes:
        folder: Where the files lie in the bucket.
        suffix: What their names end with.
        magic: What they begin with.
    """

    folder: str
    suffix: str
    magic: bytes


KINDS = {
    "simplified": Kind("full/simplified", ".ndjson", b"{"),
    "raw": Kind("full/raw", ".ndjson", b"{"),
    "npz": Kind("sketchrnn", ".npz", b"PK"),
}


class DownloadError(Exception):
    """A file that cannot be fetched; the message is one clear line."""


class _Interrupted(Exception):
    """A try that failed and may be repeated."""


def fetch(url: str, path: Path, magic: bytes = b"") -> None:
    """Fetch a file, whole and checked, or not at all.

    What has arrived lies in ``<name>.part`` until it is complete, so that the next try, or
    the next call, goes on from there. The size must be what the server says, and so must
    the MD5, where it says one as Google's does (``x-goog-hash``).

    Args:
        url: The address.
        path: Where to put the file; its folder is there already.
        magic: What the file has to begin with.

    Raises:
        DownloadError: It could not be fetched.
        OSError: It could not be written.
    """
    part = _Part(path)
    for wait in (*WAITS, None):
        try:
            _fetch_rest(url, part, magic)
            break
        except _Interrupted as error:
            if wait is None:
                raise DownloadError(f"{url}: {error}; tried {len(WAITS) + 1} times") from error
            time.sleep(wait)
    part.finish()


class _Part:
    """A file that is not complete yet, and the ETag of what it is a part of."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path.with_name(path.name + ".part")
        self._tag = path.with_name(path.name + ".part.etag")

    def etag(self) -> str | None:
        """Return the ETag, None where there is nothing to go on from."""
        if self.data.exists() and self._tag.exists():
            return self._tag.read_text("utf-8")
        return None

    def size(self) -> int:
        """Return how many bytes have arrived."""
        return self.data.stat().st_size

    def restart(self, etag: str | None) -> None:
        """Forget what has arrived, and begin the file with this ETag."""
        self.discard()
        # A weak tag does not promise the same bytes.
        if etag and not etag.startswith("W/"):
            self._tag.write_text(etag, "utf-8")

    def discard(self) -> None:
        """Forget what has arrived."""
        self.data.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the complete file its name."""
        self.data.replace(self.path)
        self._tag.unlink(missing_ok=True)


def _fetch_rest(url: str, part: _Part, magic: bytes) -> None:
    """Try once to fetch what is missing, and check the whole.

    Raises:
        DownloadError: Another try would not help.
        _Interrupted: It might.
    """
    with _open(url, part) as response:
        start, total = _span(response)
        if start:
            _check_continuation(response, part, start)
        else:
            part.restart(response.headers["ETag"])
        _append(response, part, start, total)
        _check(part, total, _md5(response), magic)


def _check_continuation(response: http.client.HTTPResponse, part: _Part, start: int) -> None:
    # Not every server heeds If-Range, so see for ourselves.
    if start != part.size() or response.headers["ETag"] != part.etag():
        part.discard()
        raise _Interrupted("the file has changed on the server")


def _open(url: str, part: _Part) -> http.client.HTTPResponse:
    request = urllib.request.Request(url)
    if etag := part.etag():
        request.add_header("Range", f"bytes={part.size()}-")
        # If the file has changed, the server is to send the whole new one instead.
        request.add_header("If-Range", etag)
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            part.discard()
        elif error.code < 500 and error.code not in (408, 429):
            raise DownloadError(f"{url}: HTTP {error.code} {error.reason}") from error
        raise _Interrupted(f"HTTP {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _Interrupted(f"no connection ({error.reason})") from error
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(f"no answer ({error or type(error).__name__})") from error
    return response


def _span(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """Return where in the file the response begins, and the size of the whole file."""
    if response.status == 206:
        span = re.fullmatch(
            r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", "")
        )
        return (int(span[1]), int(span[2])) if span else (-1, None)
    return 0, response.length


def _append(
    response: http.client.HTTPResponse, part: _Part, start: int, total: int | None
) -> None:
    with (
        part.data.open("ab") as file,
        tqdm(
            desc=part.path.name,
            initial=start,
            total=total,
            unit="B",
            unit_scale=True,
            disable=None,
        ) as bar,
    ):
        while chunk := _read(response):
            file.write(chunk)
            bar.update(len(chunk))


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted("the connection broke") from error


def _md5(response: http.client.HTTPResponse) -> str | None:
    """Return the MD5, in base64, that Google's servers tell among other hashes."""
    hashes = ",".join(response.headers.get_all("x-goog-hash", []))
    found = re.search(r"\bmd5=([\w+/]+=*)", hashes)
    return found[1] if found else None


def _check(part: _Part, total: int | None, md5: str | None, magic: bytes) -> None:
    if total is None and md5 is None:
        part.discard()
        raise DownloadError(f"{part.path.name}: the server tells neither its size nor its MD5")
    size = part.size()
    if total is not None and size < total:
        raise _Interrupted("the connection broke")
    with part.data.open("rb") as file:
        is_genuine = file.read(len(magic)) == magic
        file.seek(0)
        digest = base64.b64encode(hashlib.file_digest(file, "md5").digest()).decode()
    if (total is not None and size > total) or md5 not in (None, digest):
        part.discard()
        raise _Interrupted("what arrived is damaged (wrong size or MD5)")
    if not is_genuine:
        part.discard()
        raise DownloadError(f"{part.path.name}: the server sent something else")


def check_class(name: str) -> None:
    """Make sure that there is such a class.

    Raises:
        DownloadError: There is none; the message offers the nearest names.
    """
    if name not in CLASSES:
        near = difflib.get_close_matches(name, CLASSES, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else "'all' takes every class"
        raise DownloadError(f"no class '{name}'; {hint}")


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="CLASS...")
@click.option(
    "--kind",
    type=click.Choice(list(KINDS)),
    default="simplified",
    show_default=True,
    help="Simplified drawings, raw ones with times, or sketch-rnn's selection.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default="data",
    show_default=True,
    help="The folder; the files go to a folder KIND within it.",
)
@click.option(
    "--base-url",
    default=BUCKET,
    show_default=True,
    help="Where the bucket, or a mirror of it, is.",
)
def main(names: Sequence[str], kind: str, output: Path, base_url: str) -> None:
    """Fetch Quick, Draw! classes from Google's public bucket.

    Interrupted downloads go on where they stopped; every file is checked, and files that are
    there already are left alone. CLASS 'all' takes all 345 classes, some 20 GB as
    simplified drawings.

    The data are made available by Google, Inc. under the Creative Commons Attribution 4.0
    International licence.

    \b
    Examples:
      python -m training.download cat dog "hot air balloon"
      python -m training.download all --kind npz -o data
    """  # noqa: D301
    if not re.match("https?://", base_url):
        raise click.BadParameter(
            "must begin with http:// or https://", param_hint="--base-url"
        )
    chosen = KINDS[kind]
    folder = output / kind
    try:
        classes = CLASSES if "all" in names else tuple(names)
        for name in classes:
            check_class(name)
        folder.mkdir(parents=True, exist_ok=True)
        for name in classes:
            path = folder / (name + chosen.suffix)
            if path.exists():
                click.echo(f"{path} is there already", err=True)
                continue
            file = urllib.parse.quote(f"{chosen.folder}/{name}{chosen.suffix}")
            fetch(f"{base_url.rstrip('/')}/{file}", path, chosen.magic)
            click.echo(path)
    except DownloadError as error:
        raise Refusal(str(error)) from error
    except OSError as error:
        raise Refusal(f"{folder}: cannot be written ({error.strerror or error})") from error


if __name__ == "__main__":
    main()
