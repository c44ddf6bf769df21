"""Beats of a host's timeline, announced before they sound.

    now           now + 250 ms
     |  b   |  b   |        each beat is announced once, when it comes within reach
         |.... loop end     behind it the loop's start, in the next pass

A bar's beats are its quarter notes, counted from the bar line: 7/8 has the beats 0, 1, 2, 3 and then the next bar.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from bridge.control.state_rows import AHEAD_MS
from bridge.time.transport import Grid, Transport
from engine.serve.timeline.due import loop_ahead

PASSES_MAX = 64  # of a very short loop, looked at in one turn
Values = tuple[object, ...]
_Place = tuple[int, Fraction]  # seek id, beats


class Beats:
    """The announced beats of one lane.  [feed]"""

    def __init__(self, lane: int) -> None:
        self._lane = lane
        self._last: _Place | None = None  # announced
        self._quiet: tuple[Grid, int, int, int] | None = None  # grid, seek id, samples between which no beat comes

    def turn(self, transport: Transport) -> list[Values]:
        """Values of `state/beat` for the beats that have come within reach of a host at this moment."""
        if not transport.playing:
            self._last = None
            return []
        reach = int(AHEAD_MS / 1000 * transport.sample_rate_hz)
        end = transport.position_samples + reach
        if self._last is not None and self._still_quiet(transport, end):
            return []
        places = list(_places(transport, reach))
        if self._last is not None and not transport.seek_id <= self._last[0] <= _last_seek(transport, reach):
            self._last = None  # the host has jumped
        found = []
        for ahead, seek_id, beats in places:
            if self._last is None or (seek_id, beats) > self._last:
                self._last = seek_id, beats
                found.append(self._values(transport.grid, ahead, seek_id, beats))
        self._quiet = None
        if transport.loop_beats is None:
            next_beat = next(_beats_in(transport.grid, end, end + transport.sample_rate_hz), None)
            until = end if next_beat is None else transport.grid.sample_at(next_beat)
            self._quiet = transport.grid, transport.seek_id, end, until
        return found

    def _still_quiet(self, transport: Transport, end: int) -> bool:
        known = self._quiet
        return known is not None and (transport.grid, transport.seek_id) == known[:2] and known[2] <= end < known[3]

    def _values(self, grid: Grid, ahead_samples: int, seek_id: int, beats: Fraction) -> Values:
        sample = grid.sample_at(beats)
        bar = grid.bar_at(sample)
        seconds, samples = divmod(sample, grid.sample_rate_hz)
        in_bar = round(beats - grid.bar_start_beats(bar))
        return (
            self._lane, bar, in_bar, 1000 * ahead_samples / grid.sample_rate_hz, float(beats), seconds, samples,
            grid.tempo_bpm, grid.signature.numerator, grid.signature.denominator, seek_id,
        )  # fmt: skip


def _last_seek(transport: Transport, reach: int) -> int:
    loop = loop_ahead(transport)
    if loop is None or transport.position_samples + reach < loop.end:
        return transport.seek_id
    return transport.seek_id + 1 + (transport.position_samples + reach - loop.end) // loop.length


def _places(transport: Transport, reach: int) -> Iterator[tuple[int, int, Fraction]]:
    """(samples ahead, seek id, beats) of the beats that sound within `reach` samples, in order."""
    loop, passed, begin, seek_id = loop_ahead(transport), 0, transport.position_samples, transport.seek_id
    for _ in range(PASSES_MAX):
        left = reach - passed
        end = begin + left if loop is None else min(begin + left, loop.end)
        for beats in _beats_in(transport.grid, begin, end):
            yield passed + transport.grid.sample_at(beats) - begin, seek_id, beats
        passed += end - begin
        if loop is None or passed >= reach:
            return
        begin, seek_id = loop.start, seek_id + 1


def _beats_in(grid: Grid, begin: int, end: int) -> Iterator[Fraction]:
    """Bar lines and quarter notes of bars with samples in [begin, end)."""
    bar = grid.bar_at(begin)
    while grid.bar_start(bar) < end:
        start, stop = grid.bar_start_beats(bar), grid.bar_start_beats(bar + 1)
        first = max(0, math.floor(grid.beats_at(begin) - start))
        for beat in range(first, math.ceil(stop - start)):
            sample = grid.sample_at(start + beat)
            if sample >= end:
                return
            if sample >= begin:
                yield start + beat
        bar += 1
