"""Rows of the message table about beats: what was found in a region, and how far made music is off the host's."""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import Argument
from bridge.control.rows import LANE, ROLE
from bridge.control.time_rows import DENOMINATORS

# fmt: off
REGION_BPM = Argument(
    "bpm", "f", "the music's own tempo, quarter notes a minute, from 20; 0: by its name, the host's tempo, its sound",
    "bpm", 0, 999,
)
_FOUND = (
    rows.figure("bpm", "tempo that was heard; 0: none was", "bpm"),
    rows.bounded("sure", "f", "how sure that is", 0, 1),
    rows.figure("first_bar_beats", "where its first bar line is, from its start", "beats"),
    rows.bounded("bar_sure", "f", "how sure that is", 0, 1),
    rows.figure("beats", "how long it is", "beats"),
    rows.text("key", "as 'F# minor'; empty: none was heard"),
    rows.bounded("key_sure", "f", "how sure that is", 0, 1),
)
REGION_LISTEN = rows.request(
    "region/listen", rows.text("path", "of an audio file of this machine; absolute"),
    rows.bounded("hint_bpm", "f", "the song's tempo, from 20; 0: not known", 0, 999, "bpm", 0.0),
    rows.bounded("numerator", "i", "of the time signature", 1, 64, default=4),
    Argument("denominator", "i", "of the time signature", low=1, choices=DENOMINATORS, default=4),
    reply=_FOUND,
    meaning="What is heard in a file: tempo, bars, key. It is put in no lane, and what its name says does not count.",
    slow=True, local=True, asks=True,
)
EVENT_REGION = rows.answer(
    "event/region", LANE, ROLE, *_FOUND,
    meaning="What was heard in a region that was handed over, some seconds after it is in place; see docs/beat.md.",
)
EVENT_GRID = rows.answer(
    "event/grid", LANE,
    rows.figure("off_beats", "how far the music is off the host's beat before it is put right; above 0: late", "beats"),
    rows.figure("off_ms", "the same", "ms"),
    rows.bounded("sure", "f", "how sure it is that there is a beat", 0, 1),
    meaning="A model plays that is not told the tempo; at most once a second. Its music is bent onto the beat.",
)
# fmt: on
