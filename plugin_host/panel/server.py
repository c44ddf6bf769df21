"""The panel's routes, behind the gate: the page's files, one websocket, uploads, and files to listen to and to keep.

TOKEN/                     the page          TOKEN/ws            the websocket
TOKEN/upload?name=         POST: music       TOKEN/audio/take/3, TOKEN/audio/stem/ORDER/1/drums, .../picture/...
TOKEN/export/head.wav, export/takes.dawproject?takes=1,2, export/stems/ORDER.dawproject
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from bridge.control.history_rows import TAKES_EXPORT
from bridge.errors import NotAllowed, OutOfRange, RegionMissing, SegueError
from plugin_host.panel.desk import Desk
from plugin_host.panel.files import picture
from plugin_host.panel.gate import OWNER, Gate, Refused
from plugin_host.panel.session import Session

PAGE = Path(__file__).parent / "page"
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
EXPORT_SECONDS = 60.0
MESSAGE_BYTES_MAX, HEAD_BYTES_MAX, CONNECTIONS_MAX = 65_536, 16_384, 128
TAKES_MAX = 320  # in one project
Handler = Callable[[Request], Awaitable[Response]]


class Guarded:
    """The gate before an application: refuses a request, or passes it on with its role.  [control]"""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app, self._gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.  [control]"""
        if scope["type"] not in ("http", "websocket"):
            return
        path = scope.get("raw_path", scope["path"].encode()).decode("latin-1").split("?")[0]
        try:
            role, rest = self._gate.role(scope["type"], scope.get("method", "GET"), path, scope["headers"])
        except Refused as fault:
            await _refuse(scope, receive, send, fault)
            return
        inner = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode(), "role": role}
        await self._app(inner, receive, _with_headers(send, self._gate))


async def _refuse(scope: Scope, receive: Receive, send: Send, fault: Refused) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    await Response(f"{fault}\n", fault.status, media_type="text/plain")(scope, receive, send)


def _with_headers(send: Send, gate: Gate) -> Send:
    sockets = " ".join(f"ws://{host}" for host in sorted(gate.hosts) if not host.startswith("["))
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
        f"connect-src 'self' {sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    own = [
        (b"content-security-policy", policy.encode()), (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"), (b"cross-origin-resource-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"), (b"cache-control", b"no-store"),
    ]  # fmt: skip

    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *own]}
        await send(message)

    return sending


def make_server(app: ASGIApp) -> uvicorn.Server:
    """The HTTP server for an application, with its limits.  [main]"""
    return uvicorn.Server(
        uvicorn.Config(
            app, ws="wsproto", lifespan="off", log_level="critical", access_log=False, server_header=False,
            proxy_headers=False, ws_max_size=MESSAGE_BYTES_MAX, limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=1, h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        )
    )  # fmt: skip


def make_app(gate: Gate, desk: Desk) -> ASGIApp:
    """The application.  [main]"""
    routes = Routes(desk)
    return Guarded(
        Starlette(
            routes=[
                WebSocketRoute("/ws", routes.socket),
                Route("/upload", _answered(routes.upload), methods=["POST"]),
                Route("/audio/take/{take:int}", _answered(routes.take)),
                Route("/picture/take/{take:int}", _answered(routes.take_picture)),
                Route("/audio/stem/{order}/{variation}/{lane}", _answered(routes.stem)),
                Route("/export/head.wav", _answered(routes.head)),
                Route("/export/takes.dawproject", _answered(routes.takes)),
                Route("/export/stems/{order}.dawproject", _answered(routes.stems)),
                Route("/{name}", _answered(page)),
                Route("/", _answered(page)),
            ]
        ),
        gate,
    )


def _answered(handler: Handler) -> Handler:
    """Errors of Segue as JSON."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except SegueError as fault:
            status = 404 if isinstance(fault, (RegionMissing, OutOfRange)) else 400
            return JSONResponse({"error": {"code": fault.code, "text": str(fault)}}, status)

    return answer


async def page(request: Request) -> Response:
    """A file of the page.  [control]"""
    name = request.path_params.get("name", "index.html")
    path = PAGE / name
    if path.suffix not in KINDS or path.parent != PAGE or not path.is_file():
        raise RegionMissing(f"the panel has no {name[:80]!r}")
    return FileResponse(path, media_type=KINDS[path.suffix])


class Routes:
    """The handlers that need the desk.  [control]"""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def socket(self, socket: WebSocket) -> None:
        """ws.  [control]"""
        await Session(socket, socket.scope["role"], self._desk).run()

    async def upload(self, request: Request) -> Response:
        """upload.  [control]"""
        return JSONResponse(await self._desk.files.take(request.query_params.get("name", ""), request.stream()))

    async def take(self, request: Request) -> Response:
        """audio/take.  [control]"""
        path = await asyncio.to_thread(self._desk.take, request.path_params["take"])
        return _file(path)

    async def take_picture(self, request: Request) -> Response:
        """picture/take.  [control]"""
        path = await asyncio.to_thread(self._desk.take, request.path_params["take"])
        return JSONResponse(await asyncio.to_thread(picture, path))

    async def stem(self, request: Request) -> Response:
        """audio/stem.  [control]"""
        return _file(self._desk.stem(**request.path_params))

    async def head(self, request: Request) -> Response:
        """export/head.wav.  [control]"""
        _owner(request)
        out = self._new(".wav")
        values = {"path": str(out)}
        await asyncio.to_thread(self._desk.watch.ask, TAKES_EXPORT, values, EXPORT_SECONDS)
        return _file(out, "segue.wav")

    async def takes(self, request: Request) -> Response:
        """export/takes.dawproject.  [control]"""
        _owner(request)
        numbers = request.query_params.get("takes", "").split(",")
        if not 1 <= len(numbers) <= TAKES_MAX or not all(number.isdigit() for number in numbers):
            raise OutOfRange(f"takes are numbers, 1 to {TAKES_MAX} of them: takes=1,2")
        out = self._new(".dawproject")
        await asyncio.to_thread(self._project, [int(number) for number in numbers], out)
        return _file(out, "segue.dawproject")

    def _project(self, numbers: list[int], out: Path) -> None:
        from plugin_host.takes.dawproject import export

        export([self._desk.take(number) for number in numbers], out, lambda line: None)

    async def stems(self, request: Request) -> Response:
        """export/stems.  [control]"""
        order = request.path_params["order"]
        for about in self._desk.state.about("stem"):
            if about.split(" ")[0] == order:
                return _file(self._desk.stem(*about.split(" ", 2)).parents[1] / "stems.dawproject")
        raise OutOfRange("there are no stems of this order")

    def _new(self, ending: str) -> Path:
        return Path(tempfile.mkstemp(ending, dir=self._desk.places.scratch)[1])


def _owner(request: Request) -> None:
    if request.scope["role"] != OWNER:
        raise NotAllowed("this address is for looking only")


def _file(path: Path, name: str = "") -> Response:
    if not path.is_file():
        raise RegionMissing(f"{path.name} is not there any more")
    return FileResponse(path, filename=name or path.name, content_disposition_type="inline")
