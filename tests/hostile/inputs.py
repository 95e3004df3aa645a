"""Hostile inputs: what broke once, and any number of others like it, each from its number."""

from __future__ import annotations

import copy
import functools
import io
import json
import math
import pickle
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

TINY = Path(__file__).parents[1] / "data" / "tiny.safetensors"

NAMES = (
    *(
        "a\x01b",
        "a\x1b[2Jb",
        "a\0b",
        "a\nb",
        "a\ufffeb",
        "a\ud800b",
        "a\u202eb",
        "",
        "  ",
        "..",
    ),
    *(
        "../elsewhere/evil",
        "/tmp/evil",
        "a\\b",
        "C:evil",
        "n" * 5000,
        "%_name%",
        "<&\"'>",
        "é",
    ),
)
NUMBERS = (
    *(0, -1, 1, 2**31, 2**63, 10**9, 10**309, -(10**30), 0.5, 1e300, 1e-320, -0.0, 1e9),
    *(math.nan, math.inf, -math.inf),
)
OTHERS = (None, True, False, [], {}, [[]] * 50, {"a": 1})
#: Written into JSON as it is: too deep to be read.
DEEP = "[" * 100_000


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Change some bytes: others, fewer, more, or a number that is often a length."""
    result = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        at = rng.randrange(len(result) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            result[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            del result[at : at + rng.choice([1, 2, 8, 1000])]
        elif kind == 2:
            result[at:at] = result[at : at + rng.choice([1, 8, 100])] * rng.choice([1, 2, 50])
        elif kind == 3:
            number = rng.choice([0, 1, 0xFF, 0x0FFFFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**40])
            packed = struct.pack("<Q", number)[: rng.choice([2, 4, 8])]
            result[at : at + len(packed)] = packed
        elif kind == 4:
            result[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 20)))
        else:
            del result[at:]
    return bytes(result)


def nasty(rng: random.Random) -> Any:
    """Return what a value of JSON should not be."""
    return copy.deepcopy(rng.choice(rng.choice([NAMES, NUMBERS, OTHERS])))


def spoiled(value: Any, rng: random.Random) -> Any:
    """Replace something, anywhere in a value of JSON."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        if rng.random() < 0.1:
            return {name: item for name, item in value.items() if name != key}
        return value | {key: spoiled(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        return [*value[:at], spoiled(value[at], rng), *value[at + 1 :]]
    return nasty(rng)


# --- models ---


@functools.cache
def _tiny() -> tuple[dict[str, Any], dict[str, str]]:
    with safetensors.safe_open(TINY, "numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, file.metadata()


def _model(tensors: dict[str, Any] | None = None, **metadata: str) -> bytes:
    known, described = _tiny()
    return safetensors.numpy.save(known | (tensors or {}), described | metadata)


def _model_cases() -> Iterator[bytes]:
    classes = json.loads(_tiny()[1]["classes"])
    config = json.loads(_tiny()[1]["config"])
    for name in NAMES:
        yield _model(classes=json.dumps([name, *classes[1:]]))
    for number in NUMBERS:
        yield _model(scale=json.dumps(number))
    for key in config:
        for value in (10**9, 10**30, -1, 1.5, "7", None, [], True):
            yield _model(config=json.dumps(config | {key: value}))
    for key in ("config", "classes", "scale", "metadata"):
        yield _model(**{key: DEEP})
    shapes = ('"config": {}', '"config": {"width": 1000000000}', '"config": {"hidden": true}')
    for text in ("null", "7", "{}", DEEP, *(f'{{"scale": 1, {shape}}}' for shape in shapes)):
        yield _model(guide=text)
    for name, tensor in _tiny()[0].items():
        for value in (1e38, -6e4):
            yield _model({name: np.full(tensor.shape, value, np.float32)})
    for context in (1, 1, 1, 1, 1, 1, 2, 3):  # each of the command lines meets the least
        yield _model(config=json.dumps(config | {"context": context}))
    yield (2**62).to_bytes(8, "little") + b"{}"


def model(rng: random.Random) -> bytes:
    """Make a model that is none."""
    tensors, metadata = _tiny()
    kind = rng.randrange(4)
    if kind == 0:
        key = rng.choice(["config", "classes", "scale", "metadata"])
        return _model(**{key: json.dumps(spoiled(json.loads(metadata[key]), rng))})
    if kind == 1:
        name = rng.choice(list(tensors))
        scale = 10.0 ** rng.uniform(-40, 38)
        noise = np.random.default_rng(rng.randrange(2**32)).normal(size=tensors[name].shape)
        with np.errstate(over="ignore"):
            return _model({name: (noise * scale).astype(np.float32)})
    content = _model()
    if kind == 2:
        return mutated(content, rng)
    length = int.from_bytes(content[:8], "little")  # of the header, where most is decided
    return content[:8] + mutated(content[8 : 8 + length], rng) + content[8 + length :]


# --- .npz ---


def _npy(shape: tuple[int, ...], descr: str, body: bytes) -> bytes:
    header = io.BytesIO()
    described = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    return header.getvalue() + body


def _npz(content: bytes, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.writestr("train.npy", content)
    return stream.getvalue()


@functools.cache
def _pickled(protocol: int) -> bytes:
    drawings = np.empty(3, object)
    for i in range(len(drawings)):
        drawings[i] = np.array([[5, 5, 0], [10, 0, 1], [0, 51, 0], [7, i, 1]], np.int16)
    return pickle.dumps(drawings, protocol)


def _npz_cases() -> Iterator[bytes]:
    for shape in ((10**8, 0), (5 * 10**7, 0, 3), (10**9, 10**9, 3), (0, 0, 3), ()):
        yield _npz(_npy(shape, "<i2", b""))
        yield _npz(_npy(shape, "|O", _pickled(4)))
        yield _npz(_npy(shape, "|V0", b""))
    memo = b"\x80\x02]r" + struct.pack("<I", 0x0FFFFFFF) + b"."
    for body in (memo, b"\x80\x04" + b"]" * 10**6 + b".", b"\x80\x04" + b"(" * 10**6):
        yield _npz(_npy((1,), "|O", body))
    for opcode in (b"\x8e", b"\x8d", b"\x96", b"\x95"):
        yield _npz(_npy((1,), "|O", b"\x80\x04" + opcode + struct.pack("<Q", 2**40) + b"x."))
    zeros = bytes(300 * 2**20)
    yield _npz(_npy((1,), "|O", b"\x80\x04N" + b"N" * 13_000_000 + b"."))
    yield _npz(_npy((len(zeros),), "|i1", zeros))
    yield _npz(zeros[: 2**20], zipfile.ZIP_LZMA)
    yield _npz(_npy((1,), "|O", b"cos\nsystem\n(X\x04\x00\x00\x00echotR."))


def npz(rng: random.Random) -> bytes:
    """Make an archive of drawings that is damaged, outside or inside."""
    kind = rng.randrange(3)
    if kind == 0:
        return mutated(_npz(_npy((3,), "|O", _pickled(4))), rng)
    if kind == 1:
        return _npz(_npy((3,), "|O", mutated(_pickled(rng.choice([2, 3, 4])), rng)))
    return _npz(mutated(_npy((2, 4, 3), "<i2", bytes(48)), rng))


# --- SVG ---

_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'width="200" height="100">'
)


def _svg(content: str) -> bytes:
    return f"{_HEAD}{content}</svg>".encode("utf-8", "surrogatepass")


def _svg_cases() -> Iterator[bytes]:
    line = '<path d="M0 0L5 5"/>'
    for content in (
        line,
        "<g>" * 1000 + line + "</g>" * 1000,
        f'<g id="a"><use xlink:href="#a"/>{line}</g>',
        *(f'<circle r="1e{n}"/>' for n in (4, 5, 6, 7, 9, 300)),
        *(f'<path d="M0 0 C1e{n} 1e{n} -1e{n} 1e{n} 5 5"/>' for n in (5, 7, 9, 300)),
        '<path d="M0 0 A0 0 0 0 1 5 5 A 1e-300 1e300 0 0 1 5 5"/>',
        f'<g transform="scale(1e9)">{line}<circle r="5"/></g>',
        '<g id="b">' + '<use xlink:href="#c"/>' * 9 + '</g><g id="c">' + line * 9 + "</g>",
    ):
        yield _svg(content)
    entities = "".join(
        f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 60}">' for i in range(12)
    )
    yield f'<!DOCTYPE l [<!ENTITY a "aaaa">{entities}]><svg>&m;</svg>'.encode()
    yield f"{_HEAD}{'<g>' * 100_000}".encode()


def svg(rng: random.Random) -> bytes:
    """Make an SVG of numbers that no drawing has, or one with wrong bytes."""

    def number() -> str:
        return str(rng.choice([rng.randrange(200), rng.uniform(-9, 9), rng.choice(NUMBERS)]))

    def shape() -> str:
        kind = rng.choice(["path", "path", "circle", "ellipse", "rect", "line", "g", "use"])
        if kind == "path":
            parts = (
                rng.choice("MLHVCSQTAZmlhvcsqtaz")
                + " ".join(number() for _ in range(rng.randrange(8)))
                for _ in range(rng.randrange(6))
            )
            return f'<path d="M0 0 {" ".join(parts)}"/>'
        if kind == "g":
            inside = "".join(shape() for _ in range(rng.randrange(3)))
            return f'<g id="g" transform="scale({number()} {number()})">{inside}</g>'
        names = ("x", "y", "width", "height", "r", "rx", "ry", "cx", "cy", "x2", "y2")
        values = " ".join(f'{name}="{number()}"' for name in rng.sample(names, 4))
        return f'<{kind} {values} xlink:href="#g"/>'

    content = _svg("".join(shape() for _ in range(rng.randrange(1, 5))))
    return mutated(content, rng) if rng.random() < 0.3 else content


# --- JSON: drawings, pages that are kept, job files ---

_DRAWING = {"word": "cat", "recognized": True, "drawing": [[[0, 255], [0, 9]], [[7], [8]]]}
_PAGE = {
    "size": [400.0, 300.0],
    "strokes": {"1": {"drawing": 1, "by": "you", "points": [1.0, 2.0, 30.0, 40.0]}},
    "labels": {"1": "cat"},
}
_JOB = {
    "format": "vpype-sketchformer-job-1",
    "jobs": {
        "1": {"fingerprint": "00", "strokes": 9, "drawn": 3, "position": [1.0, 2.0, 0.0]}
    },
}
_CONFIG = {
    "gwrite": {
        "default_profile": "grbl_servo",
        "grbl_servo": {"default_values": {"feed": 900, "s_down": 5}, "unit": "mm"},
        "grbl_z": {"offset_x": 1.5, "invert_y": False, "info": "mine"},
    }
}


def _json_cases(good: Any) -> Iterator[bytes]:
    yield from (b"", b"[", DEEP.encode(), b"1" * 5000, b'{"a":' * 5000, b"\xff\xfe")
    yield b"[" + b"[]," * 500_000 + b"[]]"
    yield json.dumps(good).encode()


def _json(good: Any, rng: random.Random) -> bytes:
    if rng.random() < 0.2:
        return mutated(json.dumps(good).encode(), rng)
    return json.dumps(spoiled(good, rng)).encode()


def drawing(rng: random.Random) -> bytes:
    """Make a line of .ndjson that is no drawing, before one that is."""
    return _json(_DRAWING, rng).replace(b"\n", b"") + b"\n" + json.dumps(_DRAWING).encode()


def page(rng: random.Random) -> bytes:
    """Make a page of the sketchpad that is none."""
    return _json(_PAGE, rng)


def job(rng: random.Random) -> bytes:
    """Make a job file that is none."""
    return _json(_JOB, rng)


def config(rng: random.Random) -> bytes:
    """Make the tables of a configuration, as JSON, with wrong values."""
    return _json(_CONFIG, rng)


# --- datasets ---


@functools.cache
def _dataset() -> tuple[dict[str, Any], dict[str, str]]:
    tensors = {
        "points": np.array([[0, 0], [9, 255], [0, 0], [255, 3]], np.uint8),
        "pen": np.array([0, 2, 0, 2], np.uint8),
        "starts": np.array([0, 2, 4], np.int32),
        "labels": np.array([0, 1], np.int16),
        "splits": np.array([0, 2], np.uint8),
        "recognized": np.array([1, 2], np.uint8),
        "typical": np.array([False, True]),
    }
    classes = json.dumps(["cat", "dog"])
    return tensors, {"format": "sketchformer-dataset-1", "classes": classes, "sources": "[]"}


def _dataset_cases() -> Iterator[bytes]:
    tensors, metadata = _dataset()
    yield safetensors.numpy.save(tensors, metadata)
    for name, tensor in tensors.items():
        for wrong in (
            tensor[:-1],
            tensor.astype(np.float32),
            tensor[:0],
            np.int64(-1) - tensor,
        ):
            yield safetensors.numpy.save(
                tensors | {name: np.ascontiguousarray(wrong)}, metadata
            )
        yield safetensors.numpy.save({n: t for n, t in tensors.items() if n != name}, metadata)
    for key in ("classes", "sources"):
        for text in ("7", "[7]", "{", DEEP, '["\\u001b", "a"]', "null"):
            yield safetensors.numpy.save(tensors, metadata | {key: text})


def dataset(rng: random.Random) -> bytes:
    """Make a file of drawings whose parts do not fit."""
    tensors, metadata = _dataset()
    if rng.random() < 0.4:
        return mutated(safetensors.numpy.save(tensors, metadata), rng)
    name = rng.choice(list(tensors))
    spoiled_tensor = tensors[name].copy()
    spoiled_tensor.flat[rng.randrange(spoiled_tensor.size)] = rng.choice([0, 1, 3, 77])
    return safetensors.numpy.save(tensors | {name: spoiled_tensor}, metadata)


#: By kind: what broke once, and what makes others from random numbers.
KINDS: dict[str, tuple[Callable[[], Iterator[bytes]], Callable[[random.Random], bytes]]] = {
    "model": (_model_cases, model),
    "npz": (_npz_cases, npz),
    "svg": (_svg_cases, svg),
    "ndjson": (lambda: _json_cases(_DRAWING), drawing),
    "page": (lambda: _json_cases(_PAGE), page),
    "job": (lambda: _json_cases(_JOB), job),
    "config": (lambda: _json_cases(_CONFIG), config),
    "dataset": (_dataset_cases, dataset),
}


def inputs(kind: str, first: int, count: int) -> Iterator[tuple[int, bytes]]:
    """Yield inputs by number: those that broke once come first; the same ones every time."""
    known, make = KINDS[kind]
    number = 0
    for number, content in enumerate(known(), 1):
        if first <= number < first + count:
            yield number, content
    for later in range(max(first, number + 1), first + count):
        yield later, make(random.Random(f"{kind} {later}"))
