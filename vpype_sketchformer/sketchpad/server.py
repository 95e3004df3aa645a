"""The server of the sketchpad and of `sketchpick`: for one browser here, for nobody else.

It listens on the loopback address, on a free port. The address that is opened holds a secret;
without it nothing is served. `Host` and `Origin` must be the server's own, so that no other
page in the browser can talk to it, under whatever name it reaches this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import mimetypes
import secrets
import signal
import time
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, Protocol

from aiohttp import WSMsgType, web
from aiohttp.http_exceptions import HttpProcessingError

from vpype_sketchformer.sketchpad.pad import PadError, flat, parse
from vpype_sketchformer.sketchpad.session import Session
from vpype_sketchformer.sketchpad.svg import read_strokes, write_pad
from vpype_sketchformer.svg_reader import SvgError, SvgReader
from vpype_sketchformer.units import FLATNESS

ADDRESS = "127.0.0.1"
#: The largest message and the largest file that are taken, bytes.
MOST_BYTES = 16 * 2**20
#: Messages and bytes in a second, and how many at once.
MESSAGES, MESSAGES_AT_ONCE = 50.0, 200.0
BYTES, BYTES_AT_ONCE = 4.0 * 2**20, 32.0 * 2**20
#: Seconds that a page has to introduce itself, and to say its last words.
PATIENCE, LAST_WORDS = 5.0, 1.0
#: Why a connection is closed, besides the codes of RFC 6455.
ELSEWHERE, BUSY, OVER = 4001, 4002, 4003

Headers = Mapping[str, str]


class Ask:
    """What Ctrl-C can lead to."""

    FINISH, ABANDON, GO_ON = "finish", "abandon", "go on"


class Sitting(Protocol):
    """What a page and the pipeline share while the page is open.

    Attributes:
        say: Set while a page is connected; passes a message on to it.
        ended: Set when the page is done.
        silent: Set when the page has said all that it had to say.
        trouble: Why what is on the page could not be kept; empty where it was.
    """

    say: Callable[[Mapping[str, Any]], None]
    ended: asyncio.Event
    silent: asyncio.Event
    trouble: str

    def welcome(self) -> None:
        """Tell a page all that it needs to begin with."""

    def leave(self) -> None:
        """Go on without a page."""

    def hear(self, message: Mapping[str, Any]) -> None:
        """Do what a page asks for; `PadError` if it is nothing that a page asks for."""

    async def keep(self) -> None:
        """Keep what is on the page."""


async def serve(
    server: Server, announce: Callable[[str], None], ask: Callable[[], str]
) -> bool:
    """Serve the page until it is done.

    Args:
        server: What serves it.
        announce: Called with the address to open.
        ask: Called at Ctrl-C; returns what to do, see `Ask`.

    Returns:
        Whether what is on the page is to go on down the pipeline.
    """
    logging.getLogger("aiohttp.server").addFilter(_quiet)
    # What is compressed stays so, and is refused: it could unpack to any size.
    runner = web.AppRunner(
        server.application(), access_log=None, handle_signals=False, auto_decompress=False
    )
    await runner.setup()
    interrupted = asyncio.Event()
    try:
        await web.TCPSite(runner, ADDRESS, 0).start()
        announce(server.opened(runner.addresses[0][1]))
        with _interrupts(interrupted):
            return await _until_done(server.session, interrupted, ask)
    finally:
        await server.close()
        await runner.cleanup()


async def _until_done(
    session: Sitting, interrupted: asyncio.Event, ask: Callable[[], str]
) -> bool:
    """Wait for the page to be done, or for Ctrl-C to end it."""
    while True:
        waits = {asyncio.create_task(e.wait()) for e in (session.ended, interrupted)}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if session.ended.is_set():
            return True
        interrupted.clear()
        await session.keep()
        answer = ask()
        if answer == Ask.GO_ON:
            continue
        # What is still on its way from the page counts, and is kept.
        session.say({"type": "closing", "finished": answer == Ask.FINISH})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(session.silent.wait(), LAST_WORDS)
        await session.keep()
        return answer == Ask.FINISH


@contextlib.contextmanager
def _interrupts(interrupted: asyncio.Event) -> Any:
    """Have Ctrl-C set an event, where that can be had: in the main thread."""
    loop = asyncio.get_running_loop()

    def note(number: int, frame: Any) -> None:
        loop.call_soon_threadsafe(interrupted.set)

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _quiet(record: logging.LogRecord) -> bool:
    """Say nothing of requests that are no HTTP: nobody in front of the terminal made them."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


class Server:
    """The files of a page, and one socket."""

    #: The file that the address itself shows.
    index: str

    def __init__(self, session: Sitting) -> None:
        self.session = session
        self.secret = secrets.token_urlsafe(24)
        self.hosts: tuple[str, ...] = ()
        self.files = _files()
        self.socket: web.WebSocketResponse | None = None
        self.tab = ""

    def opened(self, port: int) -> str:
        """Learn the port; returns the address of the page."""
        self.hosts = f"{ADDRESS}:{port}", f"localhost:{port}"
        return f"http://{ADDRESS}:{port}/{self.secret}/"

    def application(self) -> web.Application:
        """Return the application."""
        application = web.Application(middlewares=[self._guard], client_max_size=MOST_BYTES)
        application.add_routes(
            [
                web.get("/{secret}/socket", self._socket),
                *self.routes(),
                web.get("/{secret}/{name:.*}", self._file),
            ]
        )
        return application

    def routes(self) -> list[web.RouteDef]:
        """Return what is served besides."""
        return []

    async def close(self) -> None:
        """Send the page away."""
        if self.socket is not None:
            await self.socket.close(code=OVER, message=self.session.trouble.encode()[:120])

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Let in who knows the secret and comes from this server's own page, in plain."""
        origin = request.headers.get("Origin")
        if request.headers.get("Host") not in self.hosts:
            raise web.HTTPForbidden(text="wrong host")
        if origin is not None and origin not in [f"http://{host}" for host in self.hosts]:
            raise web.HTTPForbidden(text="wrong origin")
        secret = request.match_info.get("secret", "")
        if not hmac.compare_digest(secret.encode(), self.secret.encode()):
            raise web.HTTPNotFound(text="not found")
        if "Content-Encoding" in request.headers:
            raise web.HTTPUnsupportedMediaType(text="nothing compressed")
        response: web.StreamResponse = await handler(request)
        return response

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"] or self.index
        if name not in self.files:
            raise web.HTTPNotFound(text="not found")
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        if name.endswith(".js"):
            kind = "text/javascript"  # what Windows' registry says may differ
        return self._response(self.files[name], kind)

    def _response(self, body: bytes, kind: str, more: Headers | None = None) -> web.Response:
        host = self.hosts[0].rpartition(":")[2]
        sockets = " ".join(f"ws://{name}:{host}" for name in (ADDRESS, "localhost"))
        headers = {
            "Content-Security-Policy": (
                "default-src 'none'; script-src 'self'; style-src 'self'; "
                "img-src 'self' blob:; "
                f"connect-src 'self' {sockets}; base-uri 'none'; form-action 'none'; "
                "frame-ancestors 'none'"
            ),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        }
        charset = "utf-8" if kind.startswith("text/") else None
        return web.Response(
            body=body, content_type=kind, charset=charset, headers=headers | dict(more or {})
        )

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        """Talk with a page."""
        if request.headers.get("Origin") is None:
            raise web.HTTPForbidden(text="wrong origin")
        socket = web.WebSocketResponse(max_msg_size=MOST_BYTES, heartbeat=30, compress=False)
        await socket.prepare(request)
        outbox: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        postman = asyncio.create_task(_deliver(outbox, socket))
        try:
            if await self._introduced(socket):
                self.session.say = outbox.put_nowait
                self.session.welcome()
                await self._listen(socket)
        except PadError as error:
            await socket.close(code=1008, message=str(error).encode()[:120])
        finally:
            postman.cancel()
            if self.socket is socket:
                self.socket = None
                self.session.leave()
        return socket

    async def _introduced(self, socket: web.WebSocketResponse) -> bool:
        """Let a page introduce itself; tells whether it is the one to talk with now."""
        try:
            message = await asyncio.wait_for(socket.receive(), PATIENCE)
        except TimeoutError:
            return False
        if message.type is not WSMsgType.TEXT:
            return False
        hello = parse(message.data)
        tab = hello.get("tab")
        if hello.get("type") != "hello" or not isinstance(tab, str) or len(tab) > 64:
            raise PadError("a page introduces itself first.")
        before = self.socket
        if before is not None and tab != self.tab and hello.get("take_over") is not True:
            await socket.close(code=BUSY)
            return False
        self.socket, self.tab = socket, tab
        if before is not None:
            await before.close(code=ELSEWHERE)
        return True

    async def _listen(self, socket: web.WebSocketResponse) -> None:
        """Hear a page out."""
        messages = Allowance(MESSAGES, MESSAGES_AT_ONCE)
        volume = Allowance(BYTES, BYTES_AT_ONCE)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                raise PadError("text was expected.")
            if not (messages.take(1) and volume.take(len(message.data))):
                raise PadError("too much at once.")
            if self.socket is socket:
                self.session.hear(parse(message.data))


class PadServer(Server):
    """The sketchpad: what is in the pipeline, and files to and fro, besides."""

    index = "index.html"
    session: Session

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.reader = SvgReader(FLATNESS, crop=True)
        self.reading = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """Return what is served besides."""
        return [
            web.get("/{secret}/pipeline.svg", self._pipeline),
            web.get("/{secret}/drawing.svg", self._download),
            web.post("/{secret}/import", self._import),
        ]

    async def close(self) -> None:
        """Send the page away, and stop reading."""
        self.reader.close()
        await super().close()

    async def _pipeline(self, request: web.Request) -> web.Response:
        return self._response(self.session.setting.pipeline.encode(), "image/svg+xml")

    async def _download(self, request: web.Request) -> web.Response:
        way = request.query.get("way", self.session.setting.way)
        text = await asyncio.to_thread(write_pad, self.session.pad, way)
        named = {"Content-Disposition": 'attachment; filename="sketchpad.svg"'}
        return self._response(text.encode(), "image/svg+xml", named)

    async def _import(self, request: web.Request) -> web.Response:
        """Turn an SVG into strokes, as vpype reads it."""
        if request.headers.get("Origin") is None:
            raise web.HTTPForbidden(text="wrong origin")
        data = await request.read()
        async with self.reading:
            try:
                strokes = await asyncio.to_thread(read_strokes, self.reader, data)
            except SvgError as error:
                trouble = f"This file cannot be put on the page: {error}."
                return web.json_response({"trouble": trouble})
            finally:
                self.reader.close()
        return web.json_response({"strokes": [flat(stroke) for stroke in strokes]})


class Allowance:
    """How much may come in: so much in a second, and so much at once."""

    def __init__(self, rate: float, most: float) -> None:
        self.rate, self.most, self.left = rate, most, most
        self.then = time.monotonic()

    def take(self, amount: float) -> bool:
        """Tell whether there is so much left, and take it."""
        now = time.monotonic()
        self.left = min(self.most, self.left + (now - self.then) * self.rate) - amount
        self.then = now
        return self.left >= 0


async def _deliver(
    outbox: asyncio.Queue[Mapping[str, Any]], socket: web.WebSocketResponse
) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            await socket.send_json(await outbox.get())


def _files() -> dict[str, bytes]:
    """Read the files of the page."""
    folder = resources.files("vpype_sketchformer.sketchpad") / "page"
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
