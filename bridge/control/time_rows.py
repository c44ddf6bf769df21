"""Rows of the message table about the host's time: its transport, taps, and transports from other clients."""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import Argument
from bridge.control.rows import BPM, LANE

DENOMINATORS = ("1", "2", "4", "8", "16", "32", "64")

# fmt: off
TRANSPORT = rows.request(
    "transport", LANE,
    rows.bounded("playing", "i", "1: the host runs, 0: it stands", 0, 1),
    Argument("position_beats", "f", "where the host is", "beats"),
    BPM,
    rows.bounded("numerator", "i", "of the time signature", 1, 64, default=4),
    Argument("denominator", "i", "of the time signature", low=1, choices=DENOMINATORS, default=4),
    meaning="The host's transport, for hosts without a shared transport block. Send it at each change and about "
    "four times a second.",
)
TAP = rows.request(
    "tap", LANE,
    rows.bounded("downbeat", "i", "1: this tap is the first beat of a bar", 0, 1, default=0),
    reply=(
        rows.figure("bpm", "tapped tempo; 0 before the second tap", "bpm"),
        rows.count("beats", "since the last tapped downbeat, or since the first tap"),
    ),
    meaning="Tap tempo: send it on each beat, with a pedal or a key; two taps give a tempo, eight a good one. The "
    "lane's time continues from the tapped beat. If its host writes a shared transport block, the host gets "
    "`event/time` and follows if it was started with `--sync osc` or `auto`.",
)
EVENT_TIME = rows.answer(
    "event/time", LANE,
    rows.bounded("playing", "i", "1: runs, 0: stands, -1: unknown, since only a tempo was tapped", -1, 1),
    rows.figure("beats", "position; 0 for a tap", "beats"),
    rows.figure("bpm", "tempo", "bpm"),
    rows.bounded("numerator", "i", "of the time signature", 1, 64),
    Argument("denominator", "i", "of the time signature", low=1, choices=DENOMINATORS),
    meaning="A client sent a transport or taps for a lane whose host writes a shared transport block.",
)
