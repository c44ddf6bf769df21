"""One websocket: requests come in, answers, states, events and pictures go out.

    page -> {"id": 7, "do": address of lane/set, "values": {"lane": 0, "name": "cfg", "value": 4}}
    page <- {"id": 7, "ok": {"name": "cfg", "value": 4.0, "beats": 16.0, "late": 0}}
    page <- {"id": 7, "error": {"code": "out_of_range", "text": "..."}}         or {"id": 7, "progress": {...}}
    page <- {"state": "ring", "about": "0", "values": {...}}                     values null: it is gone
    page <- {"event": "event/heard", "values": {...}}
    page <- binary: a piece of a lane's picture, see peaks.py

Quick requests of one page are done in their order; slow ones beside them, a few at a time.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from bridge.control import messages
from bridge.errors import Busy, OutOfRange, SegueError, WrongType
from plugin_host.panel import table
from plugin_host.panel.desk import Desk
from plugin_host.panel.gate import OWNER
from plugin_host.panel.state import Outbox

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

SEND_SECONDS = 0.033  # between two sends: 30 a second
SLOW_MAX = 8  # slow requests of one page at a time
TOO_MANY = 1013  # the websocket's code for "try again later"


class Session:
    """One page. All of it on the event loop, but `wake`.  [control]"""

    def __init__(self, socket: WebSocket, role: str, desk: Desk) -> None:
        self._socket, self._role, self._desk = socket, role, desk
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._slow: set[asyncio.Task[None]] = set()
        self._outbox = Outbox(self._wake)

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news.set)

    async def run(self) -> None:
        """Serve the page until it goes.  [control]"""
        from starlette.websockets import WebSocketDisconnect

        await self._socket.accept()
        if not self._desk.state.join(self._outbox):
            await self._socket.close(TOO_MANY, "too many pages are open")
            return
        sender = asyncio.create_task(self._send())
        try:
            await self._say({"table": table.for_page(), "role": self._role})
            while True:
                await self._take(await self._socket.receive_text())
        except (WebSocketDisconnect, KeyError, RuntimeError):  # it went; KeyError: it sent bytes
            pass
        finally:
            self._desk.state.leave(self._outbox)
            sender.cancel()
            for task in self._slow:
                task.cancel()

    async def _say(self, message: dict[str, Any]) -> None:
        if self._role != OWNER:
            message = {key: _without_folder(each) for key, each in message.items()}
        await self._socket.send_text(json.dumps(message, ensure_ascii=False, allow_nan=False))

    async def _send(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            messages, pictures = self._outbox.take()
            for message in messages:
                await self._say(message)
            for data in pictures:
                await self._socket.send_bytes(data)
            await asyncio.sleep(SEND_SECONDS)

    async def _take(self, text: str) -> None:
        id = 0
        try:
            id, address, values = _read(text)
            slow = address in table.REQUESTS and table.REQUESTS[address][1].slow
            if not slow:
                await self._answer(id, address, values)
                return
            if len(self._slow) >= SLOW_MAX:
                raise Busy(f"{SLOW_MAX} slow requests wait already")
            task = asyncio.create_task(self._answer(id, address, values))
            self._slow.add(task)
            task.add_done_callback(self._slow.discard)
        except SegueError as fault:
            await self._say({"id": id, "error": {"code": fault.code, "text": str(fault)}})

    async def _answer(self, id: int, address: str, values: dict[str, Any]) -> None:
        def on_progress(done: int, total: int, text: str) -> None:
            self._outbox.event({"id": id, "progress": {"done": done, "total": total, "text": text}})

        try:
            found = await asyncio.to_thread(self._desk.do, self._role, address, values, on_progress)
            await self._say({"id": id, "ok": found})
        except SegueError as fault:
            await self._say({"id": id, "error": {"code": fault.code, "text": str(fault)}})
        except OSError as fault:
            await self._say({"id": id, "error": {"code": "internal", "text": str(fault)}})


def _without_folder(values: Any) -> Any:
    """What a guest is told of a file: its name.  [any]"""
    if isinstance(values, dict) and isinstance(values.get(table.PATH), str):
        return {**values, table.PATH: PurePath(values[table.PATH]).name}
    return values


def _read(text: str) -> tuple[int, str, dict[str, Any]]:
    """Id, address and values of a request; WrongType, OutOfRange."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise WrongType("a request is JSON") from None
    if not isinstance(said, dict) or not isinstance(said.get("do"), str):
        raise WrongType(f'a request is like {{"id": 1, "do": "{messages.STATUS.address}", "values": {{}}}}')
    id, values = said.get("id", 0), said.get("values", {})
    if not isinstance(id, int) or isinstance(id, bool) or not 0 <= id < 2**53:
        raise OutOfRange("id is a whole number from 0")
    if not isinstance(values, dict):
        raise WrongType("values are an object, by the names of the table")
    return id, said["do"], values
