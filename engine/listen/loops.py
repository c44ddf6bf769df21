"""Stuck loops: the same few tokens, or the same sound, repeated far beyond music.

    codes     . . . a b c d a b c d a b c d a b c d       share of codes equal to those `lag` frames before
                    |-lag-| |---- span -----------|       span: SPAN_SECONDS, and at least twice the lag

A drum machine's music repeats bars, but never all of their codes: in 53 minutes of the project's own renderings the
share was below 0.56 and the sound differed by 0.9 dB or more; a loop of tokens has 1 and less than 0.4 dB.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engine.listen.faults import LOOP, Verdict
from engine.listen.features import FRAMES_PER_SECOND, Rows

SPAN_FRAMES = 4 * FRAMES_PER_SECOND
MOST_LAG = 4 * FRAMES_PER_SECOND
PROBE_FRAMES = 25  # compared first, for every lag
SAME_SHARE = 0.85
SAME_DB = 0.4
MOVING_DB = 1.5  # with less change in the bands there is no pattern
SILENCE_DB = -60.0  # lower bands are silence, which is another fault
FRAMES_NEEDED = 2 * MOST_LAG + MOST_LAG  # history to detect the longest loop

Codes = NDArray[np.int16]


def token_loop(codes: Codes) -> tuple[int, float] | None:
    """(lag, share) of a loop at the end of codes [K, n]; None if there is none.  [generate]"""
    count = codes.shape[1]
    most = min(MOST_LAG, count - SPAN_FRAMES)
    if most < 1:
        return None
    earlier = sliding_window_view(codes[:, count - SPAN_FRAMES - most : count - 1], SPAN_FRAMES, axis=1)
    shares = (earlier == codes[:, None, count - SPAN_FRAMES :]).mean(axis=(0, 2))[::-1]  # of lags 1, 2, ...
    for lag in (np.flatnonzero(shares >= SAME_SHARE) + 1).tolist():
        span = max(SPAN_FRAMES, 2 * lag)
        if span + lag > count:
            return None
        share = float((codes[:, count - span :] == codes[:, count - span - lag : count - lag]).mean())
        if share >= SAME_SHARE:
            return lag, share
    return None


def sound_loop(rows: Rows) -> tuple[int, float] | None:
    """(lag, confidence) of a loop at the end of `rows`, by the levels of their bands.  [generate]"""
    bands = np.maximum(rows.bands_db, SILENCE_DB)
    count = len(bands)
    most = min(MOST_LAG, count - SPAN_FRAMES)
    if most < 1 or float(bands[-SPAN_FRAMES:].max()) <= SILENCE_DB:
        return None
    earlier = sliding_window_view(bands[count - PROBE_FRAMES - most : count - 1], PROBE_FRAMES, axis=0)
    offs = np.abs(earlier - bands[count - PROBE_FRAMES :].T).mean(axis=(1, 2))[::-1]  # of lags 1, 2, ...
    for lag in (np.flatnonzero(offs < 2 * SAME_DB) + 1).tolist():
        span = max(SPAN_FRAMES, 2 * lag)
        if span + lag > count:
            return None
        if float(bands[count - span :].std(axis=0).mean()) < MOVING_DB:
            return None  # a steady sound, such as a pad, repeats nothing
        off = float(np.abs(bands[count - span :] - bands[count - span - lag : count - lag]).mean())
        if off < SAME_DB:
            return lag, 1.0 - off / SAME_DB / 2
    return None


def loop(rows: Rows, codes: Codes) -> Verdict | None:
    """A loop at the end of `rows` and of their codes [K, n], both from the same frame on.  [generate]"""
    found = token_loop(codes) or sound_loop(rows)
    if found is None:
        return None
    lag, sure = found
    same = (codes[:, lag:] == codes[:, :-lag]).mean(axis=0) >= 0.5
    different = np.flatnonzero(~same)
    begin = lag + (int(different[-1]) + 1 if len(different) else 0)  # where the pattern repeats first
    return Verdict(LOOP, min(begin, len(rows) - SPAN_FRAMES), len(rows), sure)
