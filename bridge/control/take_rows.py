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
_PATH = rows.text("path", "of the region's audio file; absolute, or beside the job file")
_SONG_BPM = Argument("bpm", "f", "the song's tempo there, quarter notes a minute", "bpm", 20, 999)
_PLACE = (
    rows.bounded("numerator", "i", "of the time signature", 1, 64, default=4),
    Argument("denominator", "i", "of the time signature", low=1, choices=DENOMINATORS, default=4),
    Argument(START.name, "f", START.meaning, START.unit, default=0.0),
    rows.bounded("bars", "i", "how many bars; 0: as many as the region, or 8 after it", 0, 1000, "bars", 0),
)
_FROM = (
    rows.bounded("seed", "i", "of the first; -1: drawn", -1, WHOLE_MAX, default=-1),
    rows.text("prompt", "a description of the music", default=""),
    rows.bounded("offset_seconds", "f", "where in the file the region begins", 0, 1e6, "s", 0.0),
    rows.bounded("length_seconds", "f", "its length; 0: to the file's end", 0, 1e6, "s", 0.0),
    rows.text("name", "of the folder and files of its takes; empty: the file's", 64, ""),
    Argument("region_bpm", "f", "the region's own tempo, from 20; 0: from metadata, name, the song, or its sound",
             "bpm", 0, 999, default=0.0),
)
TAKE = rows.request(
    "take", _PATH, ROLE, _SONG_BPM, *_PLACE,
    rows.bounded("takes", "i", "how many takes, each with its own seed", 1, 100, default=1),
    *_FROM, meaning="Orders takes of a region.", local=True,
)
STEMS = rows.request(
    "stems", _PATH, ROLE, _SONG_BPM,
    rows.text("lanes", "like drums,bass,keys; NAME=WORDS for words of one's own", 400),
    rows.bounded("variations", "i", "how many variations, each with its own seed", 1, 32, default=4),
    *_PLACE, *_FROM,
    meaning="Orders stems of a region. Progress is sent to where the order came from.", local=True,
)
STEMS_CANCEL = rows.request(
    "stems/cancel", rows.count("order", "id of the order"),
    meaning="Cancels an order of stems, also while it is made. What is made stays; the same order goes on.", local=True,
)
STEMS_PROGRESS = rows.answer(
    "stems/progress", rows.count("order", "id of the order"),
    Argument("state", "s", "of the order, or `made`: a stem is written",
             choices=("making", "made", "done", "cancelled", "failed")),
    rows.count("done", "stems that are there"), rows.count("total", "stems of the order"),
    rows.figure("share", "of all stems that is made, 0 to 1"), rows.count("variation", "of the stem; 0: none"),
    rows.text("lane", "of the stem"), rows.figure("purity", "of the stem, 0 to 1; -1: none"),
    rows.text("path", "of the stem"),
    meaning="A moment of an order of stems.",
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
