"""`segue midi`: a controller, or a melody, for an engine that runs."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from bridge.control.midi_rows import MIDI_PORT
from bridge.time.units import Signature
from plugin_host.client.client import EngineClient
from plugin_host.client.udp_connection import Event
from plugin_host.console.keys import Keys
from plugin_host.console.output import save_wav
from plugin_host.console.screen import Screen
from plugin_host.midi.editor import find_map, map_path
from plugin_host.midi.melody import RATE_HZ, read_melody, render
from plugin_host.midi.prompt import HELP, LinePrompt
from plugin_host.midi.send_melody import send_melody
from plugin_host.midi.session import MidiOptions, MidiSession
from plugin_host.sync.midi_ports import backend


@dataclass(frozen=True)
class MidiRun:
    """Options of `segue midi`; `record` bars, 0: none. `bpm` 0: of the melody's file."""

    device: str = ""
    out: str = ""
    map: Path | None = None
    lane: int | None = None
    melody: Path | None = None
    wav: Path | None = None
    start_beats: float = 0.0
    record: int = 0
    bpm: float = 0.0
    signature: Signature = Signature(4, 4)  # noqa: RUF009 - frozen
    jam: bool = False
    osc_port: int = MIDI_PORT
    port: int = 9600
    secret: str = ""


def run_midi(options: MidiRun) -> None:
    """List the ports, send a melody, or play until Ctrl-C or `quit`; raises a SegueError.  [main]"""
    screen = Screen()
    if options.melody is None and not options.device:
        _list_ports(screen)
        return
    if options.melody is not None:
        melody = read_melody(options.melody)  # before anything is asked of an engine
        if options.wav is not None:
            save_wav(options.wav, render(melody, options.bpm), RATE_HZ)
            screen.say(f"  {options.wav}")
    if options.device:
        find_map(map_path(options.map, options.jam), options.lane, options.jam)
    session: list[MidiSession] = []

    def receive(event: Event) -> None:
        for each in session:
            each.event(event)

    with EngineClient(options.port, name="segue midi", secret=options.secret, on_event=receive) as client:
        if options.melody is not None:
            lane = options.lane or 0
            screen.say(send_melody(client, melody, lane, options.bpm, options.start_beats))
        if options.device:
            _play(options, client, screen, session)


def _list_ports(screen: Screen) -> None:
    midi = backend()
    for head, names in (("from", midi.get_input_names()), ("to", midi.get_output_names())):
        screen.say(f"{head}: {', '.join(names) or 'no MIDI ports'}")
    screen.say("segue midi PORT takes one of the first row, by a part of its name")


def _play(options: MidiRun, client: EngineClient, screen: Screen, sessions: list[MidiSession]) -> None:
    wanted = MidiOptions(
        name=options.device, out=options.out, map=options.map, lane=options.lane, osc_port=options.osc_port,
        jam=options.jam, bpm=options.bpm, signature=options.signature,
    )  # fmt: skip
    ended = threading.Event()
    session = MidiSession(wanted, client, screen.say)
    sessions.append(session)  # values come from the first moment on
    with session:
        for line in described(session):
            screen.say(line)
        if options.record:
            session.record(options.record)
        prompt = LinePrompt(session, screen, ended.set)
        with Keys(prompt) as keys:
            if keys.active:
                screen.say(HELP)
            while not ended.wait(0.5):
                pass


def described(session: MidiSession) -> list[str]:
    """What a map is, in lines: its controls, its file, the port for OSC.  [any]"""
    rows = [f"{each.control.name} {each.target.name}" for each in session.editor.bindings]
    path = session.editor.path
    where = f"{path}" if path.exists() else f"built-in; learned ones go to {path}"
    return [f"MIDI: {len(rows)} controls ({where})", f"  {', '.join(rows)}", f"learning by OSC on port {session.port}"]
