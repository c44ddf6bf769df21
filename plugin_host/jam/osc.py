"""The jam's own UDP port on this machine: the verbs of a looper, and events for those who listen.

One rule: a jam is spoken to at its own port, as a plugin is at its own; the engine knows nothing of jams.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from bridge.control.arguments import Message
from bridge.control.clients import PORT_MIN
from bridge.control.jam_rows import JAM_ERROR, JAM_LISTEN, JAM_OK, JAM_PRESS, JAM_ROOT, JAM_STATE, JAM_VERBS
from bridge.control.packet import Packet, parse, salvage
from bridge.control.udp_socket import open_socket
from bridge.errors import Busy, OutOfRange, SegueError, UnknownAddress
from plugin_host.jam.state import VERBS, JamState, Press, PressReply

WAIT_SECONDS = 0.02
LISTENERS_MAX = 16
WAITING_MAX = 64  # presses: a flood of them must not keep the session from the music
TEXT_MAX = 900
Source = tuple[str, int]
_ROWS = {row.address: row for row in (*JAM_VERBS, JAM_LISTEN)}


class JamPort:
    """Takes presses and sends the state on a thread of its own; also a context manager. PortInUse.

    `press` gets each press and a function for its reply, `state` gives the state. Port 0 takes a free one, see `port`.
    """

    def __init__(
        self, port: int, press: Callable[[Press, Callable[[PressReply], None]], None], state: Callable[[], JamState]
    ) -> None:
        self._press, self._state = press, state
        self._socket = open_socket("127.0.0.1", port)
        self.port = int(self._socket.getsockname()[1])
        self._listeners: dict[Source, tuple[float, float]] = {}  # seconds between two states, when the next is due
        self._given = self._answered = 0  # presses, each counted by one thread
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="segue-jam-osc", daemon=True)

    def __enter__(self) -> JamPort:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()
        self._socket.close()

    def pressed(self, reply: PressReply) -> None:
        """Tell those who listen of a press.  [any]"""
        press = reply.press
        datagram = JAM_PRESS.pack(press.verb, press.source, *_values(reply))
        for source in list(self._listeners):
            self._send(datagram, source)

    def _run(self) -> None:
        self._socket.settimeout(WAIT_SECONDS)
        while not self._closing.is_set():
            try:
                datagram, source = self._socket.recvfrom(65535)
            except (TimeoutError, ConnectionResetError):
                datagram, source = b"", ("", 0)
            if datagram:
                self._receive(datagram, source)
            self._tell()

    def _receive(self, datagram: bytes, source: Source) -> None:
        try:
            packets = parse(datagram)
        except SegueError as fault:
            self._refuse(salvage(datagram)[0], fault, source)
            return
        for packet in packets:
            self._take(packet, source)

    def _refuse(self, address: str, fault: SegueError, source: Source) -> None:
        self._send(JAM_ERROR.pack(address[:200], fault.code, str(fault)[:TEXT_MAX]), source)

    def _take(self, packet: Packet, source: Source) -> None:
        try:
            row = _ROWS.get(packet.address)
            if row is None:
                known = ", ".join(_ROWS)
                raise UnknownAddress(f"a jam has no {packet.address[:80]!r}; it has {known}")
            values = row.check(packet.values)
            if row is JAM_LISTEN:
                self._listen(source, int(str(values["port"])), float(str(values["per_second"])))
                self._send(JAM_OK.pack(row.address), source)
            else:
                bars = int(str(values.get("bars", 0))) or None
                verb = next(each for each in VERBS if row.address == JAM_ROOT + each)
                if self._given - self._answered >= WAITING_MAX:
                    raise Busy(f"{WAITING_MAX} presses wait to be answered and there is room for no more")
                self._given += 1
                self._press(Press(verb, bars, "osc"), lambda reply: self._answer(row, reply, source))
        except SegueError as fault:
            self._refuse(packet.address, fault, source)

    def _answer(self, row: Message, reply: PressReply, source: Source) -> None:
        self._answered += 1
        self._send(JAM_OK.pack(row.address, rest=row.reply_values(_values(reply))), source)

    def _listen(self, source: Source, port: int, per_second: float) -> None:
        where = (source[0], port or source[1])
        if where[1] < PORT_MIN:
            raise OutOfRange(f"port is {where[1]}, must be {PORT_MIN} to 65535")
        if per_second == 0:
            self._listeners.pop(where, None)
        elif where not in self._listeners and len(self._listeners) >= LISTENERS_MAX:
            raise Busy(f"{LISTENERS_MAX} listen already and there is room for no more")
        else:
            self._listeners[where] = (1 / per_second, 0.0)

    def _tell(self) -> None:
        now = time.monotonic()
        due = [(source, every) for source, (every, at) in self._listeners.items() if at <= now]
        if due:
            datagram = state_datagram(self._state())
            for source, every in due:
                self._listeners[source] = (every, now + every)
                self._send(datagram, source)

    def _send(self, datagram: bytes, source: Source) -> None:
        with suppress(OSError):  # it has gone, or the port is being closed
            self._socket.sendto(datagram, source)


def _values(reply: PressReply) -> tuple[object, ...]:
    return int(reply.accepted), reply.at_bar, reply.at_beat, reply.text[:TEXT_MAX]


def state_datagram(state: JamState) -> bytes:
    """The event with a state.  [any]"""
    pending = ", ".join(f"{each.verb} {each.at_beat:.6g}" for each in state.pending)
    return JAM_STATE.pack(
        state.mode, state.state, state.next_state, state.beats_to_change, state.bar, state.beat, state.bpm,
        state.beats_per_bar, state.level_in_db, state.level_out_db, state.ring_fill_ms, state.committed_until_beat,
        pending, state.listen_every_bars, state.generation_ms_p95, state.message[:TEXT_MAX],
    )  # fmt: skip
