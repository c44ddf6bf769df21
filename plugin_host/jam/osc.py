"""The jam's own UDP port on this machine: the verbs of a looper, and events for those who listen.

One rule: a jam is spoken to at its own port, as a plugin is at its own; the engine knows nothing of jams.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from bridge.control.answering_port import AnsweringPort, Source
from bridge.control.arguments import Message
from bridge.control.clients import PORT_MIN, TIMEOUT_SECONDS
from bridge.control.jam_rows import (
    JAM_ERROR,
    JAM_LISTEN,
    JAM_OK,
    JAM_PRESS,
    JAM_REQUESTS,
    JAM_ROOT,
    JAM_STATE,
    JAM_SUBSCRIBE,
    JAM_SUBSCRIPTIONS,
    JAM_UNSUBSCRIBE,
)
from bridge.control.packet import Packet
from bridge.control.udp_socket import hear_refusals, refusals
from bridge.errors import Busy, OutOfRange, SegueError, UnknownAddress
from plugin_host.jam.state import VERBS, JamState, Press, PressReply
from plugin_host.jam.subscribers import Subscribers

WAIT_SECONDS = 0.02
LISTENERS_MAX = 16
WAITING_MAX = 64  # presses: a flood of them must not keep the session from the music
TEXT_MAX = 900
_ROWS = {row.address: row for row in JAM_REQUESTS}


class JamPort(AnsweringPort):
    """Takes presses and sends the state on a thread of its own; also a context manager. PortInUse.

    `press` gets each press and a function for its reply, `state` gives the state. Port 0 takes a free one, see `port`.
    """

    def __init__(
        self, port: int, press: Callable[[Press, Callable[[PressReply], None]], None], state: Callable[[], JamState]
    ) -> None:
        super().__init__(port, "segue-jam-osc", WAIT_SECONDS)
        self._press, self._state = press, state
        self._listeners: dict[Source, tuple[float, float]] = {}  # seconds between two states, when the next is due
        self._subscribers = Subscribers()
        hear_refusals(self._socket)
        self._given = self._answered = 0  # presses, each counted by one thread

    def pressed(self, reply: PressReply) -> None:
        """Tell those who listen of a press.  [any]"""
        press = reply.press
        datagram = JAM_PRESS.pack(press.verb, press.source, *_values(reply))
        for source in {*self._listeners, *self._subscribers.of_presses()}:
            self._send(datagram, source)

    def _refuse(self, address: str, number: int, fault: SegueError, source: Source) -> None:
        self._send(JAM_ERROR.pack(address, fault.code, str(fault)[:TEXT_MAX]), source)

    def _take(self, packet: Packet, source: Source) -> None:
        self._subscribers.received(source, time.monotonic())
        try:
            row = _ROWS.get(packet.address)
            if row is None:
                known = ", ".join(_ROWS)
                raise UnknownAddress(f"a jam has no {packet.address[:80]!r}; it has {known}")
            self._do(row, row.check(packet.values), source)
        except SegueError as fault:
            self._refuse(packet.address[:200], 0, fault, source)

    def _do(self, row: Message, values: Mapping[str, object], source: Source) -> None:
        if row in (JAM_SUBSCRIBE, JAM_UNSUBSCRIBE, JAM_SUBSCRIPTIONS):
            answer = row.reply_values(self._subscribe(row, values, source))
            self._send(JAM_OK.pack(row.address, rest=answer), source)
        elif row is JAM_LISTEN:
            self._listen(source, int(str(values["port"])), float(str(values["per_second"])))
            self._send(JAM_OK.pack(row.address), source)
        else:
            bars = int(str(values.get("bars", 0))) or None
            verb = next(each for each in VERBS if row.address == JAM_ROOT + each)
            if self._given - self._answered >= WAITING_MAX:
                raise Busy(f"{WAITING_MAX} presses wait to be answered and there is room for no more")
            self._given += 1
            self._press(Press(verb, bars, "osc"), lambda reply: self._answer(row, reply, source))

    def _subscribe(self, row: Message, values: Mapping[str, object], source: Source) -> tuple[object, ...]:
        if row is JAM_SUBSCRIPTIONS:
            return self._subscribers.counts(source)
        what = str(values["what"])
        if row is JAM_UNSUBSCRIBE:
            return (self._subscribers.remove(source, what),)
        rate_hz = float(str(values["rate_hz"]))
        return rate_hz, self._subscribers.put(source, what, rate_hz, time.monotonic()), TIMEOUT_SECONDS

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

    def _turn(self) -> None:
        now, subscribers = time.monotonic(), self._subscribers
        for address in refusals(self._socket):
            subscribers.refused(address)
        subscribers.drop_silent(now)
        due = [(source, every) for source, (every, at) in self._listeners.items() if at <= now]
        if not due and not subscribers.any_due(now):
            return
        datagram = state_datagram(self._state())
        for source, every in due:
            self._listeners[source] = (every, now + every)
            self._send(datagram, source)
        for source in subscribers.take_state(datagram, now):
            self._send(datagram, source)


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
