"""Requests of the page to the panel itself; they have no id on the wire, the websocket's own is used."""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import Argument, Message

ROOT = "/panel/"
PROGRAMS = ("host", "watch", "jam", "midi")
_PROGRAM = Argument("program", "s", "one that the panel runs", choices=PROGRAMS)


def _request(name: str, *arguments: Argument, reply: tuple[Argument, ...] = (), meaning: str, slow: bool = False,
             asks: bool = False) -> Message:  # fmt: skip
    return Message(f"{ROOT}{name}", arguments, reply, meaning, slow=slow, asks=asks)


# fmt: off
START_HOST = _request(
    "start/host", rows.bounded("bpm", "f", "the song's tempo", 20, 999, "bpm", 120.0),
    rows.text("output", "sound card, by name or number, or jack:CLIENT; empty: the usual one; file: none, into a file",
              200, ""),
    rows.bounded("bars", "i", "into a file: how many", 1, 1000, "bars", 16),
    meaning="Plays a new lane on this machine.",
)
START_JAM = _request(
    "start/jam", Argument("mode", "s", "how you play together", choices=("trade", "accompany", "continue", "loop"),
                          default="trade"),
    rows.bounded("bpm", "f", "the tempo; 0: as in the mode's rule", 0, 400, "bpm", 96.0),
    rows.text("source", "input, by name or number, or jack:CLIENT; empty: the usual one", 200, ""),
    rows.text("output", "sound card, by name or number, or jack:CLIENT; empty: the usual one", 200, ""),
    rows.text("file", "a file from the browser as the player, instead of an input", 64, ""),
    rows.text("prompt", "a description of the music", default=""),
    meaning="Starts a jam.",
)
START_WATCH = _request("start/watch", meaning="Starts the program that makes takes and stems.")
START_MIDI = _request(
    "start/midi", rows.text("device", "a MIDI port by a part of its name; virtual:NAME makes one", 200),
    meaning="Plays the engine with a MIDI controller.",
)
MIDI_PORTS = _request(
    "midi/ports", reply=(rows.text("names", "MIDI ports to play from, one a line"),), slow=True,
    meaning="MIDI ports of this machine.",
)
START_ENGINE = _request(
    "start/engine", rows.text("model", "a name; empty: as the panel was started", 300, ""),
    meaning="Starts an engine, if none answers.",
)
STOP = _request("stop", _PROGRAM, meaning="Ends a program that the panel started, as Ctrl-C does.")
DOCTOR = _request(
    "doctor", reply=(rows.text("report", "lines of what this machine has"),), slow=True,
    meaning="Examines this machine.",
)
SHARE = _request(
    "share", reply=(rows.text("owner", "address for a device of yours"), rows.text("guest", "address to look only"),
                    rows.text("owner_code", "the first as a picture"), rows.text("guest_code", "the other")),
    meaning="Addresses for other devices, with codes to scan; empty without --lan.",
)
MONITOR = _request(
    "monitor", rows.bounded("on", "i", "1: show messages, 0: no longer", 0, 1, default=1),
    meaning="Shows the OSC messages that reach the engine, as `monitor`.",
)
# fmt: on
REQUESTS = (START_HOST, START_JAM, START_WATCH, START_MIDI, START_ENGINE, STOP, MIDI_PORTS, DOCTOR, SHARE, MONITOR)
