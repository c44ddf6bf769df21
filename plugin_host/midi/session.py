"""A MIDI map beside a running engine: one device, one map, its port for OSC.

[midi]   messages --> learner, or mapper --> engine, jam        at once
[osc]    requests; a hundred times a second what waits: values, a learned control, the end of a recording
[slow]   a few times a second: the device, the subscription to the engine's values; melodies are sent here
"""

from __future__ import annotations

import logging
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from bridge.control import messages, midi_rows
from bridge.control.arguments import Message, Value
from bridge.control.jam_rows import JAM_PORT
from bridge.control.midi_rows import MIDI_PORT
from bridge.errors import PortInUse, SegueError
from bridge.time.units import Signature
from plugin_host.client.client import EngineClient
from plugin_host.client.udp_connection import Event
from plugin_host.midi.binding import Binding, bind
from plugin_host.midi.devices import MidiDevice
from plugin_host.midi.editor import MapEditor, find_map, map_path
from plugin_host.midi.errors import MelodyError
from plugin_host.midi.lights import light_messages
from plugin_host.midi.mapper import Lit, Mapper
from plugin_host.midi.melody import Melody
from plugin_host.midi.osc import MidiPort
from plugin_host.midi.recording import NoteRecorder
from plugin_host.midi.send_melody import send_melody
from plugin_host.midi.targets import Target
from plugin_host.midi.values import EngineValues

_log = logging.getLogger("segue.midi")
LOOK_SECONDS = 0.2  # between two looks at the device and the engine
SAME_SECONDS = 1.0  # in which the same refusal is said once


@dataclass(frozen=True)
class MidiOptions:
    """`name`: the device's MIDI port, a part of its name, or virtual:NAME. `out`: where lights are, by default the
    port of that name. `map` None: the player's own map, or the built-in one, of a `jam` or without. `lane` None: the
    map's. `bpm` 0: unknown.
    """

    name: str
    out: str = ""
    map: Path | None = None
    lane: int | None = None
    osc_port: int = MIDI_PORT
    jam: bool = False
    jam_port: int = JAM_PORT
    bpm: float = 0.0
    signature: Signature = Signature(4, 4)  # noqa: RUF009 - frozen


class MidiSession:
    """A context manager; opens device and port, and closes them. SourceError, MidiMapError, PortInUse."""

    def __init__(self, options: MidiOptions, client: EngineClient, say: Callable[[str], None]) -> None:
        self._options, self._client = options, client
        self._show = say
        self._said: dict[str, float] = {}
        self._mapper = Mapper(self._send, self._light, self._moved)
        path = map_path(options.map, options.jam)
        self.editor = MapEditor(path, find_map(path, options.lane, options.jam), self._mapper, self.say, self._tell)
        self._recorder = NoteRecorder(options.bpm, options.signature) if options.bpm else None
        self._values = EngineValues(client, self._mapper, self.say)
        self._melodies: queue.SimpleQueue[tuple[Melody, int] | None] = queue.SimpleQueue()
        self._stack = ExitStack()
        self._device: MidiDevice | None = None
        self._port: MidiPort | None = None
        self._closing = threading.Event()
        self._jam = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def __enter__(self) -> MidiSession:
        with ExitStack() as stack:
            stack.callback(self._jam.close)
            self._values.keep()
            self._port = stack.enter_context(self._opened_port())
            self._device = MidiDevice(self._options.name, self.receive, self._device_told, self._options.out)
            stack.callback(self._device.close)
            self._mapper.show_all(time.monotonic())
            thread = threading.Thread(target=self._slow, name="segue-midi-slow", daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(self._end)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def _opened_port(self) -> MidiPort:
        """The port for OSC; a free one where another map has the usual one."""
        try:
            return MidiPort(self._options.osc_port, self._handle, self._turn)
        except PortInUse:
            if self._options.osc_port != MIDI_PORT:
                raise
            return MidiPort(0, self._handle, self._turn)

    def _end(self) -> None:
        self._closing.set()
        self._melodies.put(None)

    @property
    def port(self) -> int:
        """The UDP port for OSC.  [any]"""
        return self._port.port if self._port else 0

    def say(self, text: str) -> None:
        """A line for the player, here and by OSC; the same one once a second.  [any]"""
        now = time.monotonic()
        if now - self._said.get(text, -SAME_SECONDS) >= SAME_SECONDS:
            self._said = {each: at for each, at in self._said.items() if now - at < SAME_SECONDS} | {text: now}
            self._show(text)
            self._tell(midi_rows.MIDI_SAID, text[:900])

    def event(self, event: Event) -> None:
        """An event of the engine: values are shown, refusals of what the map sent are said.  [any]"""
        self._values.take(event)
        if event.message is messages.ERROR and event.values["id"] == 0:
            self.say(f"{event.values['address']}: {event.values['text']}")

    # -- the device -----------------------------------------------------------------------------------------

    def receive(self, message: Any, seconds: float) -> None:
        """A mido message that came at a monotonic second.  [any: the MIDI thread]"""
        moves = self._mapper.decode(message, seconds)
        if moves and self.editor.learner.take(moves, seconds):
            return
        if not self._mapper.act(moves, seconds) and self._recorder is not None:
            self._recorder.take(message, seconds)

    def _send(self, target: Target, value: float | None) -> None:
        try:
            if target.for_map:
                named = target.row.check(target.values(value))
                self._handle(target.row, named)
            elif not target.for_jam:
                self._client.send(target.row, *target.values(value)[1:])  # it counts ids itself
            else:
                self._jam.sendto(target.row.pack(*target.values(value)), ("127.0.0.1", self._options.jam_port))
        except (SegueError, OSError) as fault:
            self.say(f"{target.name}: {fault}")

    def _light(self, lit: Lit) -> int | None:
        if self._device is None or not self._device.has_lights:
            return None
        raw, found = light_messages(lit.binding.control, lit.position, lit.channel)
        self._device.send(found)
        return raw if found else None

    def _moved(self, binding: Binding, value: float, caught: bool) -> None:
        self._tell(midi_rows.MIDI_MOVED, binding.control.name, binding.target.name, value, int(caught))

    def _device_told(self, name: str, here: bool) -> None:
        self.say(f"MIDI device {name} {'is here' if here else 'has gone: it is taken again when it is back'}")
        self._tell(midi_rows.MIDI_DEVICE, name, int(here))
        if here:
            self._mapper.show_all(time.monotonic())

    def _tell(self, row: Message, *values: object) -> None:
        if self._port is not None:
            self._port.tell(row, *values)

    # -- requests, and what waits ---------------------------------------------------------------------------

    def _handle(self, row: Message, values: Mapping[str, Value]) -> Sequence[object]:
        """A request of the map's own table: by OSC, or by a control."""
        named: dict[str, Any] = dict(values)
        if row is midi_rows.MIDI_LEARN:
            self.editor.learn(**named)
        elif row is midi_rows.MIDI_CANCEL:
            self.cancel()
        elif row is midi_rows.MIDI_BIND:
            self.editor.put(bind(named.pop("midi"), **self.editor.row(**named)))
        elif row is midi_rows.MIDI_FORGET:
            return (self.editor.forget(named["what"]),)
        elif row is midi_rows.MIDI_SAVE:
            return (str(self.editor.save(Path(named["path"]).expanduser() if named["path"] else None)),)
        elif row is midi_rows.MIDI_RECORD:
            self.record(named["bars"], named["lane"])
        elif row is midi_rows.MIDI_MAP:
            return (self._list(),)
        return ()

    def _list(self) -> int:
        assert self._port is not None
        state = self._mapper.state
        for binding, value, caught in state:
            target, curve = binding.target, binding.curve
            ends = (curve.low, curve.high) if curve else (0.0, 0.0)
            shown = (binding.control.name, target.name, max(0, target.lane), binding.mode, *ends, value or 0.0)
            self._port.reply(midi_rows.MIDI_MAPPED, *shown, int(caught))
        return len(state)

    def cancel(self) -> bool:
        """Leave learning and recording, as Escape does; whether there was something to leave.  [any]"""
        recording = self._recorder is not None and self._recorder.cancel()
        return self.editor.leave() or recording

    def record(self, bars: int, lane: int = -1) -> None:
        """Record notes as a melody, from the next one on; while it records: end it here. MelodyError.  [any]"""
        if self._recorder is None:
            raise MelodyError("the tempo of a recording is not known: --bpm says it")
        done = self._recorder.finish(time.monotonic(), now=True)
        if done is not None:
            self._melodies.put(done)
            return
        self._recorder.begin(bars, self.editor.lane if lane < 0 else lane)
        self.say(f"{bars} bars are recorded from your next note on")

    def _turn(self) -> None:
        now = time.monotonic()
        self._mapper.flush(now)
        self.editor.learner.look(now)
        done = self._recorder.finish(now) if self._recorder else None
        if done is not None:
            self._melodies.put(done)

    def _slow(self) -> None:
        while not self._closing.is_set():
            try:
                self._once()
            except Exception:
                _log.exception("the MIDI map lost a reading to a fault of its own")

    def _once(self) -> None:
        assert self._device is not None
        self._device.look(time.monotonic())
        self._values.keep()
        try:
            found = self._melodies.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            return
        if found is not None:
            try:
                self.say(send_melody(self._client, *found))
            except SegueError as fault:
                self.say(str(fault))
