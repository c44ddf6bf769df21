"""Messages that `segue midi`, and a host or a jam with a MIDI map, take at their own port; docs/midi.md tells more.

They have no id: each is answered at the port that it came from, with the address that it came with.
"""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import Argument, Message
from bridge.control.rows import ADDRESS, LANE, LANES_MAX, TEXT

MIDI_ROOT = f"{rows.ROOT}/midi/"
MIDI_PORT = 9650
RECORD_BARS_MAX = 64
MODES = ("value", "trigger", "toggle", "momentary", "twos", "offset", "sign")
AUTO = "auto"

_TO = rows.text("to", f"a parameter, or the address of a message without `{rows.ROOT}/`", 64)
_FROM = Argument("midi", "s", "the control, as `cc 21`, `ch 2 note 36`, `cc14 7`, `nrpn 300`, `program 3`, `bend`")
_MODE = Argument("mode", "s", "how it acts; auto: as the control and the target are", choices=(AUTO, *MODES),
                 default=AUTO)  # fmt: skip
_LOW = rows.figure("low", "the value at its lower end", "")
_HIGH = rows.figure("high", "the value at its upper end", "")
_RANGE = (
    Argument("low", "f", "the value at its lower end; both 0: the parameter's range", default=0.0),
    Argument("high", "f", "the value at its upper end", default=0.0),
)
_OF_LANE = rows.bounded("lane", "i", "which lane; -1: that of the map", -1, LANES_MAX - 1, default=-1)


def _request(name: str, *arguments: Argument, reply: tuple[Argument, ...] = (), meaning: str) -> Message:
    return Message(f"{MIDI_ROOT}{name}", arguments, reply, meaning)


# fmt: off
MIDI_LEARN = _request(
    "learn", _TO, _OF_LANE, _MODE, *_RANGE,
    meaning="The control that moves next is mapped to this target; `event/learned` reports it.",
)
MIDI_CANCEL = _request("cancel", meaning="Leaves learning, as Escape does, and ends a recording.")
MIDI_BIND = _request(
    "bind", _FROM, _TO, _OF_LANE, _MODE, *_RANGE, meaning="Maps a control to a target without moving it.",
)
MIDI_FORGET = _request(
    "forget", rows.text("what", "a control or a target; empty: all", 64, ""),
    reply=(rows.count("forgotten", "how many were mapped"),), meaning="Takes controls out of the map.",
)
MIDI_MAP = _request(
    "map", reply=(rows.count("count", "controls in the map"),),
    meaning="Sends an `event/mapped` for each control of the map, then the answer.",
)
MIDI_SAVE = _request(
    "save", rows.text("path", "a file; empty: the file of the map", 500, ""), reply=(rows.text("path", "the file"),),
    meaning="Writes the map to its file. What is learned is written at once; this is for another file.",
)
MIDI_RECORD = _request(
    "record", rows.bounded("bars", "i", "how many bars", 1, RECORD_BARS_MAX, "bars", 4), _OF_LANE,
    meaning="Records notes from the next one on, as a melody for the lane; again: ends the recording there.",
)
MIDI_LISTEN = _request(
    "listen", rows.bounded("port", "i", "UDP port of your machine for the events; 0: the port this came from", 0, 65535,
                           default=0),
    rows.bounded("on", "i", "0: no more events", 0, 1, default=1),
    meaning="Subscribes to the events below.",
)
MIDI_OK = rows.answer("midi/ok", ADDRESS, meaning="It is done; the values its row names follow.", rest=True)
MIDI_ERROR = rows.answer(
    "midi/error", ADDRESS, rows.text("code", "a word of the table of errors", 32), TEXT,
    meaning="The message was refused.",
)
MIDI_LEARNING = rows.answer(
    "midi/event/learning", rows.bounded("on", "i", "1: the next control is learned; 0: no more", 0, 1), _TO,
    meaning="Learning begins, or is left.",
)
MIDI_LEARNED = rows.answer("midi/event/learned", _FROM, _TO, meaning="A control was learned.")
MIDI_MAPPED = rows.answer(
    "midi/event/mapped", _FROM, _TO, LANE, rows.text("mode", "how it acts", 16), _LOW, _HIGH,
    rows.figure("value", "the target's value as far as it is known"),
    rows.bounded("caught", "i", "1: the control has the value; 0: it must pass it first", 0, 1),
    meaning="A row of the map.",
)
MIDI_MOVED = rows.answer(
    "midi/event/moved", _FROM, _TO, rows.figure("value", "what was sent"),
    rows.bounded("caught", "i", "1: it took effect; 0: the control has not passed the value yet", 0, 1),
    meaning="A control of the map moved.",
)
MIDI_DEVICE = rows.answer(
    "midi/event/device", rows.text("name", "of the MIDI port"), rows.bounded("here", "i", "0: it has gone", 0, 1),
    meaning="A MIDI device went or came back.",
)
MIDI_SAID = rows.answer("midi/event/said", TEXT, meaning="A line for the player: a refusal, a recording.")
# fmt: on

MIDI_REQUESTS = (
    MIDI_LEARN, MIDI_CANCEL, MIDI_BIND, MIDI_FORGET, MIDI_MAP, MIDI_SAVE, MIDI_RECORD, MIDI_LISTEN,
)  # fmt: skip
MIDI_ANSWERS = (
    MIDI_OK, MIDI_ERROR, MIDI_LEARNING, MIDI_LEARNED, MIDI_MAPPED, MIDI_MOVED, MIDI_DEVICE, MIDI_SAID,
)  # fmt: skip
