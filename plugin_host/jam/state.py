"""What a jam shows, and what the player's hands ask of it: data only, read by the screen, OSC and the journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Mode = Literal["trade", "accompany", "continue", "loop"]
Phase = Literal["count in", "listening", "playing", "both", "held", "stopped"]
Verb = Literal["play_stop", "take_over", "again", "keep", "hold", "record", "undo", "cancel"]
PressSource = Literal["midi", "key", "osc"]

MODES: tuple[Mode, ...] = ("trade", "accompany", "continue", "loop")
PHASES: tuple[Phase, ...] = ("count in", "listening", "playing", "both", "held", "stopped")
VERBS: tuple[Verb, ...] = ("play_stop", "take_over", "again", "keep", "hold", "record", "undo", "cancel")
SILENT_DB = -120.0  # the level of silence


@dataclass(frozen=True)
class Press:
    """A press of a foot switch, key or OSC button.

    `bars` is for `record`: None, the mode's own number. `at_sample` is the session sample at which it happened; None,
    when it is taken in.
    """

    verb: Verb
    bars: int | None = None
    source: PressSource = "osc"
    at_sample: int | None = None


@dataclass(frozen=True)
class PressReply:
    """The answer to a press: the bar and beat from which it is heard, counted from 0, and a text for the player.

    A press that is not accepted has the bar and beat at which it came.
    """

    press: Press
    accepted: bool
    at_bar: int
    at_beat: float
    text: str


@dataclass(frozen=True)
class PendingPress:
    """A press that takes effect at a beat to come."""

    verb: Verb
    at_beat: float


@dataclass(frozen=True)
class JamState:
    """One moment of a jam. Bars and beats count from 0, before it the count-in is negative; `sample` is the session's.

    `beat` is the position on the timeline in quarter notes. `beats_to_change` and `next_state` say what comes next by
    the plan; they are 0 and the present state if nothing is planned. Music before `committed_until_beat` is sure to
    sound as it is; later music may be replaced. Levels are RMS in dBFS, `SILENT_DB` for silence.
    """

    mode: Mode
    state: Phase
    next_state: Phase
    beats_to_change: float
    bar: int
    beat: float
    bpm: float
    beats_per_bar: float
    level_in_db: float = SILENT_DB
    level_out_db: float = SILENT_DB
    ring_fill_ms: float = 0.0
    committed_until_beat: float = 0.0
    pending: tuple[PendingPress, ...] = ()
    listen_every_bars: int = 1
    generation_ms_p95: float = 0.0
    message: str = ""  # one line for the player
    sample: int = 0


class JamDisplay(Protocol):
    """Where a jam shows itself; see `JamScreen`."""

    def say(self, text: str) -> None:
        """A line that stays.  [any]"""
        ...

    def show(self, state: JamState) -> None:
        """The present state.  [any]"""
        ...
