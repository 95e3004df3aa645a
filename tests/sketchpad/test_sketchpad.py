"""The sketchpad without its page: what the server takes, keeps, and hands to the pipeline."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import io
import json
import os
import pty
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import numpy as np
import pytest
import shapely
import vpype as vp
import vpype_cli
import websocket

from tests.fakes.sketchpads import PATIENCE, VPYPE, Beside, Sketchpad
from vpype_sketchformer.model import checkpoint
from vpype_sketchformer.model.prefix import Readings
from vpype_sketchformer.model.sampling import grow, sample
from vpype_sketchformer.model.transformer import (
    ANY_STROKES,
    ONE_STROKE,
    Transformer,
)
from vpype_sketchformer.sketchpad import server
from vpype_sketchformer.sketchpad.pad import MOST_STROKES
from vpype_sketchformer.sketchpad.suggesting import Companion, Wish

ANGLES = np.linspace(0, 2 * np.pi, 30)
CIRCLE = np.column_stack([300 + 100 * np.cos(ANGLES), 300 + 100 * np.sin(ANGLES)])
LINE = np.array([[250.0, 280.0], [270.0, 300.0], [290.0, 280.0]])

Json = dict[str, Any]


def stroke(points: Any = LINE, by: str = "you", drawing: int = 1) -> Json:
    return {"drawing": drawing, "by": by, "points": np.ravel(points).tolist()}


def change(**put: Json) -> Json:
    """A change that puts strokes; names are their numbers behind a letter."""
    strokes = {name[1:]: value for name, value in put.items()}
    return {"type": "change", "number": 1, "put": strokes}


def wish(request: int = 1, **more: Any) -> Json:
    return {"type": "suggest", "request": request, "drawing": 1, "temperature": 0.3} | more


class Client:
    """A page without a browser."""

    def __init__(self, address: str, tab: str = "a tab", **hello: Any) -> None:
        self.parts = urlsplit(address)
        self.origin = f"http://{self.parts.netloc}"
        self.socket = websocket.create_connection(
            f"ws://{self.parts.netloc}{self.parts.path}socket", origin=self.origin, timeout=20
        )
        self.say({"type": "hello", "tab": tab} | hello)

    def say(self, message: Json) -> None:
        self.socket.send(json.dumps(message))

    def hear(self, kind: str) -> Json:
        """The next message of this kind."""
        while True:
            message = json.loads(self.socket.recv())
            if message["type"] == kind:
                return message

    def put(self, **strokes: Json) -> None:
        """Draw, and wait until it is kept."""
        self.say(change(**strokes))
        self.hear("kept")

    def closed(self) -> int:
        """The code that the connection is closed with."""
        while True:
            opcode, data = self.socket.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(data[:2], "big")

    def close(self) -> None:
        self.socket.close()


def fetch(
    address: str, path: str = "", method: str = "GET", body: bytes = b"", **headers: str
) -> tuple[int, bytes]:
    """Fetch something from the server, with these headers as they are."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)
    connection.putrequest(method, parts.path + path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    return response.status, response.read()


@pytest.fixture
def draw(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., vp.Document]:
    """Run a pipeline here, with a user who does what a function says."""

    def run(
        user: Callable[[str], object], pipeline: str = "SKETCHPAD", document: Any = None
    ) -> vp.Document:
        trouble: list[BaseException] = []

        def act(address: str) -> None:
            try:
                user(address)
            except BaseException as error:
                trouble.append(error)
                Client(address, take_over=True).say({"type": "done", "way": "author"})

        def open_page(address: str) -> None:
            threading.Thread(target=act, args=(address,), daemon=True).start()

        monkeypatch.setattr("webbrowser.open", open_page)
        line = pipeline.replace("SKETCHPAD", f"sketchpad --model '{tiny}'")
        result = vpype_cli.execute(line, document, "-s 1")
        if trouble:
            raise trouble[0]
        return result

    return run


@pytest.fixture
def address(draw: Callable[..., vp.Document]) -> Iterator[str]:
    """A sketchpad that runs beside the test."""
    known: list[str] = []
    ready = threading.Event()

    def user(address: str) -> None:
        known.append(address)
        ready.set()

    thread = threading.Thread(target=lambda: draw(user), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    yield known[0]
    Client(known[0], take_over=True).say({"type": "done", "way": "author"})
    thread.join(PATIENCE)
    assert not thread.is_alive()


def done(client: Client, way: str = "author") -> None:
    client.say({"type": "done", "way": way})
    assert client.closed() == server.OVER


def names(document: vp.Document) -> dict[int, str]:
    return {lid: str(layer.property("vp_name")) for lid, layer in document.layers.items()}


# What goes down the pipeline


def test_everything_is_where_it_was(draw: Callable[..., vp.Document]) -> None:
    """Strokes keep their order, numbers and place, also where one was brought back."""
    other = LINE + 0.01

    def user(address: str) -> None:
        client = Client(address)
        assert client.hear("welcome")["size"] == list(vp.PAGE_SIZES["a4"])
        client.put(s1=stroke(CIRCLE.round(2)), s2=stroke(LINE), s3=stroke(other, "model"))
        client.say({"type": "change", "number": 2, "drop": [1, 2]})
        client.say({"type": "change", "number": 3, "put": {"2": stroke(LINE)}})
        client.say(change(s1=stroke(CIRCLE.round(2))))
        done(client)

    result = draw(user)
    assert names(result) == {1: "drawn by hand", 2: "drawn by the model"}
    drawn = [vp.as_vector(line) for line in result.layers[1]]
    assert np.array_equal(drawn[0], CIRCLE.round(2)) and np.array_equal(drawn[1], LINE)
    assert np.array_equal(vp.as_vector(result.layers[2][0]), other)
    assert result.page_size == vp.PAGE_SIZES["a4"]
    assert isinstance(result.property("sketchformer_seed"), int)
    assert "sketchpad" in str(result.property("svg_dc_description"))


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("author", ["drawn by hand", "drawn by the model"]),
        ("drawing", ["drawing 1", "circle"]),
        ("one", ["sketchpad"]),
    ],
)
def test_layers(draw: Callable[..., vp.Document], way: str, expected: list[str]) -> None:
    def user(address: str) -> None:
        client = Client(address)
        client.say({"type": "change", "number": 1, "labels": {"2": "circle"}})
        client.put(
            s1=stroke(LINE), s2=stroke(CIRCLE, "model", 2), s3=stroke(LINE + 40, drawing=2)
        )
        done(client, way)

    result = draw(user)
    assert list(names(result).values()) == expected
    assert sum(map(len, result.layers.values())) == 3
    assert result.property("sketchformer_classes") == "circle"


def test_pipeline_stays_untouched(draw: Callable[..., vp.Document]) -> None:
    """What was there stays to the bit, and is shown to the page."""
    document = vp.Document(page_size=(500.5, 333.25))
    document.add([[1 / 3 + 2j, 50 + 60j]], 7)
    document.layers[7].set_property("vp_color", "red")

    def user(address: str) -> None:
        client = Client(address)
        welcome = client.hear("welcome")
        assert welcome["pipeline"] and welcome["size"] == [500.5, 333.25]
        assert not welcome["sizes"]
        shown = vp.read_multilayer_svg(
            io.StringIO(fetch(address, "pipeline.svg")[1].decode()), 0.1
        )
        assert shown.page_size == pytest.approx((500.5, 333.25))
        assert np.allclose(shown.layers[7][0], [1 / 3 + 2j, 50 + 60j], atol=0.01)
        assert shown.layers[7].property("vp_color") == vp.Color("red")
        client.put(s1=stroke())
        done(client)

    result = draw(user, document=document)
    assert names(result)[8] == "drawn by hand"
    assert result.page_size == (500.5, 333.25)
    assert dict(result.layers[7].metadata) == {"vp_color": vp.Color("red")}
    assert result.layers[7][0].tolist() == [1 / 3 + 2j, 50 + 60j]


def test_page_size_is_chosen(draw: Callable[..., vp.Document]) -> None:
    def user(address: str) -> None:
        client = Client(address)
        client.hear("welcome")
        client.say({"type": "page", "size": [400, 300]})
        done(client)

    assert draw(user).page_size == (400, 300)


def test_one_line_is_one_line(draw: Callable[..., vp.Document]) -> None:
    """Strokes that go on where the one before ends are one, without a lift of the pen."""

    def user(address: str) -> None:
        client = Client(address)
        client.put(s1=stroke(LINE), s2=stroke(LINE + LINE[-1] - LINE[0], "model"))
        done(client, "one")

    [line] = draw(user).layers[1]
    assert len(line) == 5


# What the model adds


def test_suggestions(draw: Callable[..., vp.Document]) -> None:
    """A guess with shares of one; then eight suggestions, on the page, in strokes."""
    paper = np.array(vp.PAGE_SIZES["a4"])

    def user(address: str) -> None:
        client = Client(address)
        client.put(s1=stroke(CIRCLE))
        client.say(wish(5))
        ranking = client.hear("guess")["ranking"]
        shares = [share for _, share in ranking]
        assert shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1 + 1e-9
        over: dict[int, bool] = {}
        while (message := json.loads(client.socket.recv()))["type"] != "suggested":
            if message["type"] != "suggestion":
                continue
            assert message["request"] == 5
            assert message["anew"] or not over.get(message["number"])
            over[message["number"]] = message["over"]
            for points in message["strokes"]:
                xy = np.reshape(points, (-1, 2))
                assert (xy >= -0.01).all() and (xy <= paper + 0.01).all()
        assert over == dict.fromkeys(range(8), True)
        done(client)

    draw(user)


def test_new_stroke_stops_suggestions(address: str) -> None:
    """Of a request that was overtaken, nothing comes any more."""
    client = Client(address)
    client.put(s1=stroke(CIRCLE))
    for request in range(1, 6):
        client.say(wish(request))
    client.say(wish(6, strokes=1))
    seen = set()
    while (message := json.loads(client.socket.recv()))["type"] != "rest":
        if message["type"] == "suggestion":
            seen.add(message["request"])
    assert message["request"] == 6 and max(seen) == 6
    client.say(wish(7))
    client.say({"type": "hush"})
    client.say(change(s2=stroke()))
    client.hear("kept")
    client.socket.settimeout(0.5)
    with pytest.raises(websocket.WebSocketTimeoutException):
        client.hear("suggested")
    client.close()


def test_a_dot_and_nothing_get_an_answer(address: str) -> None:
    client = Client(address)
    client.say(wish(1, label="circle"))
    assert client.hear("suggestion")["label"] == "circle"
    client.put(s1=stroke([[5, 5], [5, 5]]))
    client.say(wish(2))
    while client.hear("rest")["request"] != 2:
        pass
    client.close()


@pytest.mark.parametrize("one_line", [False, True])
def test_strokes_come_from_the_drawings_of_sketchgen(tiny: Path, one_line: bool) -> None:
    """Handed out stroke by stroke, a drawing is what it is in one piece."""
    model = checkpoint.load(tiny)
    network = Transformer(model.config, model.tensors, model.scale)
    seeds = np.random.SeedSequence(1).spawn(6)
    whole = sample(
        model,
        model.classes[:6],
        seeds,
        temperature=0.3,
        layout=1.0,
        guidance=1.0,
        one_line=one_line,
        retries=0,
    )
    condition = ONE_STROKE if one_line else ANY_STROKES
    for most in (None, 1, 2):
        readings = Readings(network, condition)
        strokes: list[list[np.ndarray]] = [[] for _ in seeds]
        for grown in grow(
            range(6), seeds, readings, temperature=0.3, one_line=one_line, most_strokes=most
        ):
            for growth in grown:
                strokes[growth.sketch].append(growth.stroke)
        assert any(sketch.finished for sketch in whole)
        for sketch, found in zip(whole, strokes, strict=True):
            expected = sketch.strokes[:most]
            if sketch.finished:
                assert len(found) == len(expected)
                assert all(map(np.array_equal, found, expected))


@pytest.mark.parametrize("one_line", [False, True])
def test_what_was_kept_changes_nothing(tiny: Path, one_line: bool) -> None:
    """With what was read before, suggestions are those of a model that reads all anew."""
    model = checkpoint.load(tiny)
    wanted = Wish("circle", 0.3, None, one_line)
    page = (800.0, 800.0)
    kept = Companion(model, 1)
    drawing = [CIRCLE, LINE, LINE + 30, LINE - (0, 60)]
    for count in (1, 2, 3, 2, 4):  # with an undo
        strokes = drawing[:count]
        placement = kept.known.placement if kept.known else None
        found = [s for step in kept.suggest(1, strokes, page, wanted) for s in step]
    fresh = Companion(model, 1)
    fresh.asked = kept.asked - 1
    list(fresh.suggest(1, drawing[:1], page, wanted))
    fresh.asked = kept.asked - 1
    expected = [s for step in fresh.suggest(1, drawing, page, wanted) for s in step]
    assert placement == kept.known.placement
    assert len(found) == len(expected) > 0
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.number == theirs.number and ours.over == theirs.over
        for a, b in zip(ours.strokes, theirs.strokes, strict=True):
            assert np.allclose(a, b, atol=1e-3)


def test_suggestions_are_of_the_classes_that_are_guessed(tiny: Path) -> None:
    companion = Companion(checkpoint.load(tiny), 1)
    drawing = [CIRCLE, LINE]
    ranking = companion.guess(drawing)
    shares = [share for _, share in ranking]
    assert shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1 + 1e-9
    steps = companion.suggest(1, drawing, (800, 800), Wish(None, 0.3, 1, False))
    labels = {s.number: s.label for step in steps for s in step if s.strokes}
    assert set(labels.values()) <= {name for name, _ in ranking}


SQUARE = np.array([[300, 500], [500, 500], [500, 700], [300, 700], [300, 500.0]])
ROOF = np.array([[280, 505], [400, 380], [520, 505.0]])
WAVE = np.column_stack([np.arange(200, 600, 5), 500 + 30 * np.sin(np.arange(80) / 3.2)])


def test_suggestions_follow_the_drawing() -> None:
    """Whatever was guessed before, they are of what is there now, and no two are the same."""
    companion = Companion(checkpoint.load(checkpoint.find("quickdraw")), 1)
    of_house: dict[str, int] = {}
    wanted = Wish(None, 0.8, None, False)
    for number, strokes in ((1, [SQUARE]), (1, [SQUARE, ROOF]), (2, [WAVE])):
        ranking = dict(companion.guess(strokes))
        shown = {}
        for step in companion.suggest(number, strokes, (800, 1100), wanted):
            for s in step:
                before = () if s.anew else shown.get(s.number, ("", ()))[1]
                shown[s.number] = s.label, (*before, *s.strokes)
        labels = [shown[i][0] for i in range(8) if shown[i][1]]
        assert len(labels) >= 3 and set(labels) <= set(ranking)
        assert sorted(labels, key=labels.index) == labels  # those of a class lie together
        lines = [shapely.MultiLineString(strokes) for _, strokes in shown.values() if strokes]
        extent = np.ptp(np.concatenate(strokes), axis=0).max()
        for i, one in enumerate(lines):
            assert one.length > 0.09 * extent
            for other in lines[:i]:
                assert one.hausdorff_distance(other) > 0.06 * extent
        if len(strokes) == 2:
            of_house = {name: labels.count(name) for name in labels}
    assert set(of_house) <= {"house", "barn", "church", "castle"}
    assert of_house["house"] >= 4


def suggested(client: Client, number: int) -> shapely.MultiPoint:
    """All points of suggestions for a new drawing."""
    client.say(wish(number, drawing=2, label="circle"))
    points: list[float] = []
    while (message := json.loads(client.socket.recv()))["type"] != "rest":
        points += [x for line in message.get("strokes", []) for x in line]
    return shapely.MultiPoint(np.reshape(points, (-1, 2)))


def test_a_new_drawing_keeps_out_of_the_way(draw: Callable[..., vp.Document]) -> None:
    """Where there is room, it is drawn beside what is there; else in the middle."""
    middle, square = shapely.Point(300, 450), shapely.box(100, 350, 500, 850)

    def alone(address: str) -> None:
        client = Client(address)
        assert suggested(client, 1).centroid.distance(middle) < 150
        client.put(s1=stroke(square.exterior.coords))
        assert shapely.box(0, 0, 600, 350).covers(suggested(client, 2))
        client.put(s2=stroke([10, 10, 590, 890]))
        assert suggested(client, 3).centroid.distance(middle) < 150
        done(client)

    def with_a_pipeline(address: str) -> None:
        client = Client(address)
        assert shapely.box(0, 0, 600, 350).covers(suggested(client, 1))
        done(client)

    document = vp.Document(page_size=(600, 900))
    draw(alone, document=document)
    document.add([square.exterior])
    draw(with_a_pipeline, document=document)


# What is refused


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        ("", "GET", {}, 200),
        ("main.js", "GET", {}, 200),
        ("", "GET", {"Host": "evil.example"}, 403),
        ("", "GET", {"Host": ""}, 403),
        ("", "GET", {"Host": "127.0.0.1:1"}, 403),
        ("", "GET", {"Origin": "http://evil.example"}, 403),
        ("", "GET", {"Origin": "null"}, 403),
        ("pipeline.svg", "GET", {"Origin": "https://127.0.0.1"}, 403),
        ("socket", "GET", {"Upgrade": "websocket", "Connection": "Upgrade"}, 403),
        ("import", "POST", {}, 403),
        ("../session.py", "GET", {}, 404),
        ("%2e%2e/session.py", "GET", {}, 404),
        ("..%2fsession.py", "GET", {}, 404),
        ("x", "GET", {}, 404),
        ("", "POST", {}, 404),
    ],
)
def test_strangers(
    address: str, path: str, method: str, headers: Mapping[str, str], status: int
) -> None:
    found, body = fetch(address, path, method, **headers)
    assert found == status
    if status == 200:
        assert body


def test_wrong_secret(address: str) -> None:
    parts = urlsplit(address)
    secret = parts.path.strip("/")
    assert len(secret) >= 32
    for path in ("/", f"/{secret[:-1]}/", f"/{secret}x/", "/%C3%A4/"):
        wrong = parts._replace(path=path).geturl()
        assert fetch(wrong)[0] == 404
        assert fetch(wrong, "main.js")[0] == 404
    with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
        Client(parts._replace(path="/guess/").geturl())
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        websocket.create_connection(
            f"ws://{parts.netloc}{parts.path}socket", origin="http://evil.example"
        )


def test_only_this_machine(address: str) -> None:
    assert urlsplit(address).hostname == "127.0.0.1"


DEEP = '{"type":"change","number":1,"put":' + "[" * 100_000


@pytest.mark.parametrize(
    "message",
    [
        "",
        "draw!",
        "[]",
        "1",
        '"hello"',
        "{}",
        DEEP,
        '{"type": 7}',
        '{"type": "unknown"}',
        '{"type": "change"}',
        '{"type": "change", "number": -1}',
        '{"type": "change", "number": 1, "put": []}',
        '{"type": "change", "number": 1, "drop": {"1": 2}}',
        '{"type": "change", "number": 1, "drop": [[]]}',
        '{"type": "change", "number": 1, "labels": {"1": 5}}',
        '{"type": "change", "number": 1, "labels": {"1": "' + "x" * 200 + '"}}',
        '{"type": "change", "number": 1, "labels": {"1": "\\u0007"}}',
        json.dumps(change(x=stroke())),
        json.dumps({"type": "change", "number": 1, "put": {"-1": stroke()}}),
        json.dumps({"type": "change", "number": 1, "put": {"9" * 30: stroke()}}),
        json.dumps(change(s9=stroke(by="nobody"))),
        json.dumps(change(s9=stroke(drawing=-1))),
        json.dumps(change(s9=stroke([1, 2, 3]))),
        json.dumps(change(s9=stroke([1, 2]))),
        json.dumps(change(s9=stroke([1, 2, 3, float("nan")]))),
        json.dumps(change(s9=stroke([1, 2, 3, float("inf")]))),
        json.dumps(change(s9=stroke([1, 2, 3, 1e300]))),
        json.dumps(change(s9=stroke() | {"points": ["1", 2, 3, 4]})),
        json.dumps(change(s9=stroke() | {"points": [True, 2, 3, 4]})),
        json.dumps(change(s9=stroke() | {"points": [10**400, 2, 3, 4]})),
        json.dumps(change(s9=stroke() | {"points": None})),
        json.dumps(wish(temperature=0)),
        json.dumps(wish(temperature="hot")),
        json.dumps(wish(drawing=1.5)),
        json.dumps(wish(label="no such thing")),
        json.dumps(wish(strokes=0)),
        json.dumps(wish(request=None)),
        '{"type": "page", "size": [1, 1]}',
        '{"type": "page", "size": [1e9, 500]}',
        '{"type": "page", "size": "a4"}',
        '{"type": "done", "way": "somehow"}',
        '{"type": "done"}',
    ],
)
def test_malformed(address: str, message: str) -> None:
    """The connection is closed, and nothing happens to the drawing."""
    client = Client(address)
    client.put(s1=stroke(CIRCLE.round(2)))
    client.socket.send(message)
    assert client.closed() == 1008
    again = Client(address).hear("welcome")
    assert again["strokes"] == {"1": stroke(CIRCLE.round(2))}
    assert again["labels"] == {} and again["size"] == list(vp.PAGE_SIZES["a4"])


def test_too_much(address: str) -> None:
    """Messages that are too large or too many, bytes, and more than a page takes."""
    client = Client(address)
    client.put(s1=stroke())
    with contextlib.suppress(ConnectionError):  # it may hang up before it has heard all
        client.socket.send("x" * (server.MOST_BYTES + 1))
        assert client.closed() == 1009
    client = Client(address)
    client.socket.send_binary(b"\x00")
    assert client.closed() == 1008
    client = Client(address)
    many = {str(i): stroke([1, 2, 3, 4]) for i in range(MOST_STROKES + 1)}
    client.say({"type": "change", "number": 1, "put": many})
    assert client.closed() == 1008
    client = Client(address)
    with contextlib.suppress(ConnectionError):
        for _ in range(2000):
            client.say({"type": "hush"})
        assert client.closed() == 1008
    assert list(Client(address).hear("welcome")["strokes"]) == ["1"]


def test_no_introduction(address: str) -> None:
    for hello in ("{}", '{"type": "hello"}', '{"type": "hello", "tab": 5}', "?"):
        client = Client(address, take_over=True)
        other = websocket.create_connection(
            f"ws://{client.parts.netloc}{client.parts.path}socket", origin=client.origin
        )
        other.send(hello)
        opcode, data = other.recv_data()
        assert opcode == websocket.ABNF.OPCODE_CLOSE
        assert int.from_bytes(data[:2], "big") == 1008
        client.put(s1=stroke())  # is not disturbed


# Tabs and connections


def test_two_tabs(address: str) -> None:
    """The second is sent away, unless it takes over, or is the same tab loaded again."""
    first = Client(address, "one")
    first.put(s1=stroke())
    assert Client(address, "two").closed() == server.BUSY
    second = Client(address, "two", take_over=True)
    assert list(second.hear("welcome")["strokes"]) == ["1"]
    assert first.closed() == server.ELSEWHERE
    again = Client(address, "two")
    assert list(again.hear("welcome")["strokes"]) == ["1"]
    again.put(s2=stroke())


def test_connection_lost(address: str) -> None:
    """Cut off in the middle of suggestions, everything is there when one comes back."""
    client = Client(address)
    client.put(s1=stroke(CIRCLE.round(2)))
    client.say(wish())
    client.hear("suggestion")
    client.socket.sock.close()
    welcome = Client(address).hear("welcome")
    assert welcome["strokes"] == {"1": stroke(CIRCLE.round(2))}


# Keeping


def test_offered_again(draw: Callable[..., vp.Document], tmp_path: Path) -> None:
    """What was drawn is on disk at once, and can be opened at the next start."""

    def first(address: str) -> None:
        client = Client(address)
        client.put(s1=stroke(), s4=stroke(CIRCLE.round(2), "model", 2))
        [file] = (tmp_path / "data").rglob("*.json")
        assert len(json.loads(file.read_text())["strokes"]) == 2
        done(client)

    def second(address: str) -> None:
        client = Client(address)
        [offer] = client.hear("welcome")["earlier"]
        assert len(offer["strokes"]) == 2 and abs(offer["when"] - time.time()) < PATIENCE
        client.say({"type": "open", "name": "../../secret"})
        client.hear("trouble")
        client.say({"type": "open", "name": offer["name"]})
        assert len(client.hear("welcome")["strokes"]) == 2
        client.put(s5=stroke(LINE + 5))
        done(client)

    draw(first)
    [file] = (tmp_path / "data").rglob("*.json")
    before = file.read_bytes()
    for i, damage in enumerate([b"", b"{", b"[]", before[:50], b"\xff\xfe"]):
        file.with_name(f"2020-01-01-00000{i}-abcd.json").write_bytes(damage)
    (file.parent / "notes.json").write_text("mine")
    result = draw(second)
    assert len(result.layers[1]) == 2 and len(result.layers[2]) == 1
    assert file.read_bytes() == before
    assert (file.parent / "notes.json").read_text() == "mine"


def test_full_disk(address: str, tmp_path: Path) -> None:
    """Where nothing can be kept, the page says so, and one can still draw."""
    folder = tmp_path / "data" / "vpype-sketchformer"
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("in the way")
    client = Client(address)
    client.say(change(s1=stroke()))
    assert "sketchpad" in client.hear("not_kept")["text"]
    folder.unlink()
    client.put(s2=stroke())
    assert len(list((tmp_path / "data").rglob("*.json"))) == 1


def test_one_unbroken_line(address: str) -> None:
    """A drawing is joined to one line that goes over all of its ink, and not far beyond."""
    client = Client(address)
    bar = np.add(LINE, (60, 0))
    client.put(s1=stroke(CIRCLE), s2=stroke(LINE), s3=stroke(bar))
    client.say({"type": "rework", "drawing": 1, "how": "join"})
    [points] = client.hear("reworked")["strokes"]
    line = shapely.LineString(np.reshape(points, (-1, 2)))
    for part in (CIRCLE, LINE, bar):
        assert shapely.LineString(part).within(line.buffer(3))
    hull = shapely.MultiLineString([CIRCLE, LINE, bar]).convex_hull
    assert line.within(hull.buffer(10))


def test_clean_up(address: str) -> None:
    """A speck at a line goes, a dot stays; an end just short of a line is led on to it."""
    client = Client(address)
    tee = [[300.0, 201.5], [300.0, 300.0]]
    speck, eye = [[350.0, 200.5], [350.5, 200.9]], [[350.0, 350.0], [350.5, 350.5]]
    client.put(
        s1=stroke([[200.0, 200.0], [400.0, 200.0]]),
        s2=stroke(tee),
        s3=stroke(speck),
        s4=stroke(eye),
    )
    client.say({"type": "rework", "drawing": 1, "how": "clean"})
    lines = client.hear("reworked")["strokes"]
    bar, stem, dot = (shapely.LineString(np.reshape(line, (-1, 2))) for line in lines)
    assert bar.distance(stem) < 0.1
    assert dot.distance(shapely.LineString(eye)) < 0.1
    client.say({"type": "rework", "drawing": 1, "how": "burn"})
    assert client.closed() == 1008


def test_others_like_it(coded: Path) -> None:
    """Eight, each as large as the drawing and in its place, unless the page is too small."""
    pad = Beside(coded)
    client = Client(pad.address)
    assert client.hear("welcome")["sees"]
    corner = np.subtract(CIRCLE, (195, 195))
    client.put(s1=stroke(CIRCLE), s2=stroke(LINE), s3=stroke(corner, drawing=2))
    for drawing, middle in ((1, (300, 300)), (2, (105, 105))):
        client.say(wish(drawing, drawing=drawing, like=True))
        others = [client.hear("suggestion") for _ in range(8)]
        assert client.hear("suggested")["request"] == drawing
        assert [other["number"] for other in others] == list(range(8))
        for other in others:
            points = np.concatenate([np.reshape(line, (-1, 2)) for line in other["strokes"]])
            low, high = points.min(axis=0), points.max(axis=0)
            assert max(high - low) == pytest.approx(200, abs=1)
            assert (low + high) / 2 == pytest.approx(middle, abs=1)
            assert low.min() >= 0
    client.say({"type": "done", "way": "one"})
    pad.result()


def test_others_on_a_small_page(coded: Path) -> None:
    """Where a drawing lies at the edge, others are moved onto the page as far as they must."""
    pad = Beside(coded, "-p 300x300")
    client = Client(pad.address)
    client.put(s1=stroke([[2.0, 20.0], [4.0, 120.0], [2.0, 220.0]]))
    client.say(wish(like=True))
    for _ in range(8):
        lines = client.hear("suggestion")["strokes"]
        points = np.concatenate([np.reshape(line, (-1, 2)) for line in lines])
        assert points.min() >= -0.01 and np.ptp(points, axis=0).max() == pytest.approx(200, 1)
    client.say({"type": "done", "way": "one"})
    pad.result()


def test_no_others_without_an_encoder(address: str) -> None:
    client = Client(address)
    assert not client.hear("welcome")["sees"]
    client.put(s1=stroke(CIRCLE))
    client.say(wish(like=True))
    assert client.closed() == 1008


# Files


def test_import_and_download(address: str) -> None:
    client = Client(address)
    client.put(s1=stroke(CIRCLE.round(2)))
    origin = {"Origin": client.origin}
    svg = (
        b'<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100" '
        b'viewBox="0 0 20 10">'
        b'<g transform="translate(1 0)"><path d="M0 0L5 5"/></g></svg>'
    )
    status, body = fetch(address, "import", "POST", svg, **origin)
    assert status == 200
    assert json.loads(body)["strokes"] == [[10, 0, 60, 50]]
    laughs = b'<!DOCTYPE l [<!ENTITY a "aaaa">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 60) for i in range(12)
    )
    for bad in (
        b"",
        b"hello",
        b"\xff\xfe\x00",
        b"<svg",
        b"<svg/>",
        laughs + b"]><svg>&m;</svg>",
    ):
        status, body = fetch(address, "import", "POST", bad, **origin)
        assert status == 200 and json.loads(body)["trouble"], bad[:20]
    packed = gzip.compress(svg)
    assert (
        fetch(address, "import", "POST", packed, **origin, **{"Content-Encoding": "gzip"})[0]
        == 415
    )
    assert fetch(address, "import", "POST", b"x" * (server.MOST_BYTES + 1), **origin)[0] == 413
    status, body = fetch(address, "drawing.svg")
    assert status == 200 and b"drawn by hand" in body
    client.close()


# The command


@pytest.mark.parametrize(
    "options",
    [
        "--class dragonfruit",
        "--temperature 0",
        "--page-size 1mmx1mm",
        "--page-size nonsense",
        "--layers several",
        "--seed -1",
        "--model nowhere",
    ],
)
def test_refused_values(options: str) -> None:
    with pytest.raises(click.UsageError):  # status 2
        vpype_cli.execute(f"sketchpad --no-browser {options}")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(click.UsageError, match=r"vpype-sketchformer\[sketchpad\]"):
        vpype_cli.execute("sketchpad")


def test_interrupt_without_a_terminal(tmp_path: Path, tiny: Path) -> None:
    """Nobody can be asked: what is on the page goes down the pipeline."""
    with Sketchpad(tmp_path, tiny) as pad:
        client = Client(pad.address)
        client.put(s1=stroke())
        pad.interrupt()
        client.hear("closing")
        client.say(change(s2=stroke(LINE + 9)))  # the last words
        client.say({"type": "bye"})
        assert client.closed() == server.OVER
        assert [len(layer) for layer in pad.result().layers.values()] == [2]


@pytest.mark.parametrize(
    ("answers", "status", "kept"),
    [("dy", 0, True), ("n", 1, True), ("\x03", 1, True), ("n", 1, False)],
)
def test_interrupt_asks(
    tmp_path: Path, tiny: Path, answers: str, status: int, kept: bool
) -> None:
    """Ctrl-C in a terminal asks; the answer may be to draw on, or Ctrl-C again.

    Where the drawing could not be written, that is said before the question, and in the end.
    """
    if not kept:
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / "vpype-sketchformer").write_text("in the way")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(
            str(VPYPE),
            [str(VPYPE), "sketchpad", "--no-browser", "-m", str(tiny), "write", "out.svg"],
        )
    said = ""

    def listen(until: str) -> None:
        nonlocal said
        while until not in said:
            assert select.select([terminal], [], [], PATIENCE)[0], said
            said += os.read(terminal, 1000).decode()

    try:
        listen("/ (Ctrl-C")
        client = Client(said[said.index("http") :].split()[0])
        client.say(change(s1=stroke()))
        client.hear("kept" if kept else "not_kept")
        for i, answer in enumerate(answers):
            os.write(terminal, b"\x03")
            listen("draw on (d)?")
            assert ("the drawing is not kept" in said) != kept
            assert ("lose what is not kept" in said) != kept
            said = ""
            os.write(terminal, f"{answer}\n".encode())
            if answer == "d":
                client.put(**{f"s{i + 2}": stroke(LINE + 9)})
        _, result = os.waitpid(pid, 0)
    finally:
        os.close(terminal)
    assert os.waitstatus_to_exitcode(result) == status
    assert (tmp_path / "out.svg").exists() == (status == 0)
    assert len(list((tmp_path / "data").rglob("*.json"))) == kept
