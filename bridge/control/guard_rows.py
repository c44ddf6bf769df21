"""Rows of the message table about the guard, which checks music before it is heard."""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import Argument
from bridge.control.rows import LANE

FAULTS = ("silence", "ending", "loop", "clipping", "jump")
DONE = ("again", "late", "passed", "given up")

# fmt: off
EVENT_GUARD = rows.answer(
    "event/guard", LANE,
    rows.figure("beats", "where the fault begins", "beats"),
    Argument("what", "s", "the kind of fault", choices=FAULTS),
    Argument("done", "s", "regenerated from there; from later, since a part was on its way already; passed, since "
             "there was no time; passed after the last try", choices=DONE),
    rows.bounded("sure", "f", "how sure the guard is", 0, 1),
    meaning="The guard found a fault in music that was made and not yet heard; see docs/guard.md.",
)
# fmt: on
