"""Rows of the message table about what is heard of the music before it is played."""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import Argument
from bridge.control.rows import LANE

FAULTS = ("silence", "ending", "loop", "clipping", "jump")
DONE = ("again", "late", "passed", "given up")

# fmt: off
EVENT_GUARD = rows.answer(
    "event/guard", LANE,
    rows.figure("beats", "where it begins", "beats"),
    Argument("what", "s", "what was heard in the music that was made", choices=FAULTS),
    Argument("done", "s", "made again from there; later than there, as there was no more time; let pass, as there was "
             "no time at all; let pass after some tries", choices=DONE),
    rows.bounded("sure", "f", "how sure it is", 0, 1),
    meaning="Music that was made and not yet played went wrong, see docs/guard.md.",
)
# fmt: on
