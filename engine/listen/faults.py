"""Faults of music, detected in the rows of `features`: one function for each.

    silence    the level fell far below that of the music before, and stays there
    ending     it rang out or faded, and nothing follows
    clipping   half a second of flat tops at full scale
    jump       suddenly far louder than anything in the last seconds

Breaks are music, so both quiet faults wait for more than two beats. Thresholds are two to four times the extremes of
107 minutes of the project's own renderings (docs/guard.md counts the false alarms).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.listen.features import FRAMES_PER_SECOND, Audio, Rows

SILENCE, ENDING, LOOP, CLIPPING, JUMP = "silence", "ending", "loop", "clipping", "jump"
PATIENCE_BEATS = 2.2
PATIENCE_RANGE_SECONDS = (0.8, 1.5)
PATIENCE_SECONDS = 1.2  # without a known tempo
COMPARED_SECONDS = 8.0  # of music with which a level is compared
COMPARED_AT_LEAST = 2 * FRAMES_PER_SECOND
QUIETEST_DB = -55.0  # quieter music cannot fall silent
SILENT_DB, RUNG_OUT_DB, FALLING_DB = 30.0, 12.0, 6.0  # below the level before
ONSET_DB = 3.0
DECAY_SECONDS = 0.3  # slower than this it rang out, faster it was cut off
FLAT_SHARE, FLAT_FRAMES = 0.05, FRAMES_PER_SECOND // 2
JUMP_DB, JUMP_FRAMES, JUMP_COMPARED = 18.0, 20, 5 * FRAMES_PER_SECOND


@dataclass(frozen=True)
class Verdict:
    """A fault: its kind, the stream frames where it begins and where it was detected, confidence.  [any]"""

    what: str
    begin_frame: int
    seen_frame: int
    sure: float


def patience_frames(bpm: float | None) -> int:
    """The longest allowed silence: a little more than two beats, within limits.  [any]"""
    low, high = PATIENCE_RANGE_SECONDS
    seconds = PATIENCE_SECONDS if bpm is None else min(max(PATIENCE_BEATS * 60.0 / bpm, low), high)
    return round(seconds * FRAMES_PER_SECOND)


def quiet(rows: Rows, patience: int) -> Verdict | None:
    """Silence or an ending at the end of `rows`, frames counted from their first.  [generate]"""
    before = rows.level_db[:-patience][-int(COMPARED_SECONDS * FRAMES_PER_SECOND) :]
    if len(before) < COMPARED_AT_LEAST:
        return None
    usual = float(np.percentile(before, 75))
    late = rows.level_db[-patience:]
    loudest = float(late.max())
    if usual < QUIETEST_DB or loudest > usual - RUNG_OUT_DB:
        return None
    gone = loudest < usual - SILENT_DB
    if not gone and float(rows.rise_db[-patience:].max()) > ONSET_DB:
        return None
    fell = _last_above(rows.level_db, usual - FALLING_DB)
    silent = _last_above(rows.level_db, usual - SILENT_DB)
    rang = (silent - fell) / FRAMES_PER_SECOND > DECAY_SECONDS
    depth = (usual - RUNG_OUT_DB - loudest) / (SILENT_DB - RUNG_OUT_DB)
    return Verdict(ENDING if rang or not gone else SILENCE, fell, len(rows), 0.5 + 0.5 * min(1.0, depth))


def clipping(rows: Rows) -> Verdict | None:
    """Flat tops through the last half second of `rows`.  [generate]"""
    flat = rows.flat[-FLAT_FRAMES:]
    if len(flat) < FLAT_FRAMES or float(flat.mean()) < FLAT_SHARE:
        return None
    begin = len(rows) - FLAT_FRAMES + int(np.argmax(flat > 0))
    return Verdict(CLIPPING, begin, len(rows), min(1.0, float(flat.mean()) / (2 * FLAT_SHARE)))


def jump(rows: Rows) -> Verdict | None:
    """A fault if the last 0.4 s of `rows` are far louder than any 0.4 s before.  [generate]"""
    compared = int(COMPARED_SECONDS * FRAMES_PER_SECOND)
    power = np.power(10.0, rows.level_db[-compared - JUMP_FRAMES :].astype(np.float64) / 10.0)
    if len(power) < JUMP_COMPARED + JUMP_FRAMES:
        return None
    sums = np.convolve(power, np.full(JUMP_FRAMES, 1.0 / JUMP_FRAMES), mode="valid")
    levels = 10.0 * np.log10(sums + 1e-12)
    usual, now = float(levels[:-JUMP_FRAMES].max()), float(levels[-1])
    if usual < QUIETEST_DB or now - usual < JUMP_DB:
        return None
    begin = len(rows) - JUMP_FRAMES + int(np.argmax(rows.level_db[-JUMP_FRAMES:] > usual + JUMP_DB / 2))
    return Verdict(JUMP, begin, len(rows), min(1.0, (now - usual) / (2 * JUMP_DB)))


def _last_above(level_db: Audio, threshold_db: float) -> int:
    """The frame after the last one above a threshold; 0 if there is none."""
    above = np.flatnonzero(level_db >= threshold_db)
    return int(above[-1]) + 1 if len(above) else 0
