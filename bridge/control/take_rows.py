"""The message with which a DAW's script orders takes of a region from `segue watch`; see docs/daw.md.

It is not a request of the engine: `segue watch` listens on its own port. A job file has the same fields.
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
    rows.bounded("takes", "i", "how many takes, each with its own seed", 1, 100, default=1),
    rows.bounded("seed", "i", "of the first; -1: drawn", -1, WHOLE_MAX, default=-1),
    rows.text("prompt", "a description of the music", default=""),
    rows.bounded("offset_seconds", "f", "where in the file the region begins", 0, 1e6, "s", 0.0),
    rows.bounded("length_seconds", "f", "its length; 0: to the file's end", 0, 1e6, "s", 0.0),
    rows.text("name", "of the folder and files of its takes; empty: the file's", 64, ""),
    Argument("region_bpm", "f", "the region's own tempo, from 20; 0: from metadata, name, the song, or its sound",
             "bpm", 0, 999, default=0.0),
    meaning="Orders takes of a region.", local=True,
)
_ORDER = rows.count("order", "id of the order; 0: a job file")
_MADE = rows.text("name", "of the folder of the order's takes", 64), rows.text("path", "of the file that was made")
TAKE_MADE = rows.request(
    "take/made", _ORDER, *_MADE, meaning="`segue watch` reports a take, and the engine sends `event/take` to all.",
    local=True,
)
EVENT_TAKE = rows.answer(
    "event/take", _ORDER, *_MADE, meaning="A take ordered from a `segue watch` that uses this engine is made.",
)
# fmt: on
