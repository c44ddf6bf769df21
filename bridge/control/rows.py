"""Parts of the message table's rows: shared arguments, and short constructors for the others."""

from __future__ import annotations

from dataclasses import replace

from bridge.control.arguments import NOW, Argument, Kind, Message

ROOT = "/segue"
SHORT = f"{ROOT}/do/"  # prefix of the short form of a request's address
LANES_MAX = 64
FIGURE_MAX = 2.0**40  # largest measured value in answers
CAPTURED = ("melody", "style", "continue")  # roles of the music that a plugin captures
ROLES = (*CAPTURED, "context")
PROMPTS_MAX, STYLES_MAX = 8, 4  # that a lane mixes
STYLE_ROLES = ("style", *(f"style{number}" for number in range(2, STYLES_MAX + 1)))
LANE_STATES = ("idle", "preparing", "playing", "ended", "failed")

ID = Argument("id", "i", "counted up by the client, repeated in the answer; 0: no id", low=0)
LANE = Argument("lane", "i", "which stream of music", low=0, high=LANES_MAX - 1)
AT = Argument("at", "at", "when it takes effect", "beats", default=NOW)
ROLE_MEANING = (
    "what the music is used for: melody, style (also `style2` to `style4`, to be mixed), audio prompt (`continue`), or "
    "`context`: the music of other parts, which the model hears and does not play"
)
ROLE = Argument("role", "s", ROLE_MEANING, choices=(*ROLES, *STYLE_ROLES[1:]))
BPM = Argument("bpm", "f", "tempo of the music, quarter notes a minute", "bpm", 20, 999)
START = Argument("start_beats", "f", "beat of the host's timeline on which the music begins", "beats")
LANE_STATE = Argument("state", "s", f"{', '.join(LANE_STATES[:-1])} or {LANE_STATES[-1]}")
TEXT = Argument("text", "s", "for people; may change")
ADDRESS = Argument("address", "s", "address of the request")
NAME = Argument("name", "s", "name of a lane parameter, see the table of parameters", max_length=32)
PLACED = (  # in the answers to commands with `at`
    Argument("beats", "f", "beat from which it is heard; for 'now' an estimate", "beats",
             -FIGURE_MAX, FIGURE_MAX),
    Argument("late", "i", "1: too late for its place; `beats` is the next such place", low=0, high=1),
)  # fmt: skip
UNDERSTOOD = (
    Argument("seconds", "f", "length of the music", "s", 0),
    Argument("channels", "i", "channels kept", low=0, high=2),
    Argument("rate_hz", "i", "its sample rate", "Hz", 0),
    Argument("bars", "f", "its length at that tempo, in bars of the lane's signature", "bars", 0),
    Argument("note", "s", "what was changed in the music, or empty"),
)


def count(name: str, meaning: str, unit: str = "") -> Argument:
    """A whole number from 0.  [any]"""
    return Argument(name, "i", meaning, unit, 0)


def figure(name: str, meaning: str, unit: str = "") -> Argument:
    """A measured number.  [any]"""
    return Argument(name, "f", meaning, unit, -FIGURE_MAX, FIGURE_MAX)


def text(name: str, meaning: str, limit: int = 1000, default: str | None = None) -> Argument:
    """Text of up to `limit` characters.  [any]"""
    return Argument(name, "s", meaning, default=default, max_length=limit)


def bounded(
    name: str, kind: Kind, meaning: str, low: float, high: float, unit: str = "", default: float | None = None
) -> Argument:
    """A number in a range.  [any]"""
    return Argument(name, kind, meaning, unit, low, high, default=default)


def request(
    address: str,
    *arguments: Argument,
    reply: tuple[Argument, ...] = (),
    meaning: str,
    slow: bool = False,
    quiet: bool = False,
    local: bool = False,
    asks: bool = False,
    hop: bool = False,
    progress: str = "",
) -> Message:
    """A row that clients send.  [any]"""
    row = Message(f"{ROOT}/{address}", (ID, *arguments), reply, meaning, slow, quiet, local, asks=asks)
    return replace(row, hop=hop, progress=progress)


def short(row: Message) -> str:
    """The address of a request's short form, which has no id.  [any]"""
    return SHORT + row.address.removeprefix(f"{ROOT}/")


def answer(address: str, *arguments: Argument, meaning: str, rest: bool = False) -> Message:
    """A row that the engine sends.  [any]"""
    return Message(f"{ROOT}/{address}", arguments, (), meaning, rest=rest)
