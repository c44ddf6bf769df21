"""Rows of the message table about beats: the analysis of a region, and how far the music is off the host's beat."""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import Argument
from bridge.control.rows import LANE, ROLE
from bridge.control.time_rows import DENOMINATORS

# fmt: off
REGION_BPM = Argument(
    "bpm", "f", "the music's own tempo, quarter notes a minute, from 20; 0: from its name, the host's tempo, its sound",
    "bpm", 0, 999,
)
_FOUND = (
    rows.figure("bpm", "detected tempo; 0: none", "bpm"),
    rows.bounded("sure", "f", "how sure that is", 0, 1),
    rows.figure("first_bar_beats", "where its first bar line is, from its start", "beats"),
    rows.bounded("bar_sure", "f", "how sure that is", 0, 1),
    rows.figure("beats", "its length", "beats"),
    rows.text("key", "such as 'F# minor'; empty: none detected"),
    rows.bounded("key_sure", "f", "how sure that is", 0, 1),
)
REGION_LISTEN = rows.request(
    "region/listen", rows.text("path", "of an audio file of this machine; absolute"),
    rows.bounded("hint_bpm", "f", "the song's tempo, from 20; 0: unknown", 0, 999, "bpm", 0.0),
    rows.bounded("numerator", "i", "of the time signature", 1, 64, default=4),
    Argument("denominator", "i", "of the time signature", low=1, choices=DENOMINATORS, default=4),
    reply=_FOUND,
    meaning="Detects tempo, bars and key of a file. The file is given to no lane, and its name does not count.",
    slow=True, local=True, asks=True,
)
EVENT_REGION = rows.answer(
    "event/region", LANE, ROLE, *_FOUND,
    meaning="The analysis of a region, some seconds after it is in place; see docs/beat.md.",
)
EVENT_GRID = rows.answer(
    "event/grid", LANE,
    rows.figure("off_beats", "how far the music is off the host's beat before the correction; above 0: late", "beats"),
    rows.figure("off_ms", "the same", "ms"),
    rows.bounded("sure", "f", "how sure it is that there is a beat", 0, 1),
    meaning="For models without tempo conditioning, at most once a second: their music is aligned to the beat.",
)
# fmt: on
