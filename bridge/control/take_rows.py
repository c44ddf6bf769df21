"""The message by which a DAW's script orders takes of a region from `segue watch`; docs/daw.md describes it.

Not a request of the engine: `segue watch` listens on a port of its own. A job file has the same columns.
"""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import WHOLE_MAX, Argument
from bridge.control.rows import ROLE, START
from bridge.control.time_rows import DENOMINATORS

WATCH_PORT = 9610

# fmt: off
TAKE = rows.request(
    "take", rows.text("path", "of the region's audio file; absolute, or beside the job file"), ROLE,
    Argument("bpm", "f", "the song's tempo there, quarter notes a minute", "bpm", 20, 999),
    rows.bounded("numerator", "i", "of the time signature", 1, 64, default=4),
    Argument("denominator", "i", "of the time signature", low=1, choices=DENOMINATORS, default=4),
    Argument(START.name, "f", START.meaning, START.unit, default=0.0),
    rows.bounded("bars", "i", "how many bars; 0: as many as the region, or 8 after it", 0, 1000, "bars", 0),
    rows.bounded("takes", "i", "how many takes, each with a seed of its own", 1, 100, default=1),
    rows.bounded("seed", "i", "of the first; -1: drawn", -1, WHOLE_MAX, default=-1),
    rows.text("prompt", "what it should be like, in words", default=""),
    rows.bounded("offset_seconds", "f", "where in the file the region begins", 0, 1e6, "s", 0.0),
    rows.bounded("length_seconds", "f", "how long it is; 0: to the file's end", 0, 1e6, "s", 0.0),
    rows.text("name", "of the folder and the files that come of it; empty: the file's", 64, ""),
    Argument("region_bpm", "f", "the region's own tempo, from 20; 0: by what it says, its name, the song, or its sound",
             "bpm", 0, 999, default=0.0),
    meaning="Orders takes of a region.", local=True,
)
_ORDER = rows.count("order", "id of the order; 0: a job file")
_MADE = rows.text("name", "of the folder of the order's takes", 64), rows.text("path", "of the file that was made")
TAKE_MADE = rows.request(
    "take/made", _ORDER, *_MADE, meaning="A take is made: `segue watch` says so to its engine, which tells everybody.",
    local=True,
)
EVENT_TAKE = rows.answer(
    "event/take", _ORDER, *_MADE, meaning="A take that was ordered from a `segue watch` on this engine is made.",
)
# fmt: on
