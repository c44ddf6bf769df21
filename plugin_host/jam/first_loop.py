"""The first loop sets the tempo: recorded from one press to the next, it is so many bars long."""

from __future__ import annotations

import math
from dataclasses import replace

from bridge.time.transport import Grid, Transport
from bridge.time.units import Signature, fitting_tempo, samples_to_seconds
from plugin_host.host.timeline import Timeline
from plugin_host.jam.modes.common import JamMode
from plugin_host.jam.state import Press, PressReply

USUAL_BPM = 105.0  # of the numbers of bars that are possible, the one nearest to this tempo is taken
BARS = (1, 2, 4, 8, 16)
SHORTEST_SECONDS = 1.0
BPM_RANGE = (20.0, 400.0)


class FirstLoop:
    """Waits for the two presses; `bars` None finds the number of bars."""

    def __init__(self, sample_rate_hz: int, signature: Signature, bars: int | None) -> None:
        self._rate_hz, self._signature, self._bars = sample_rate_hz, signature, bars
        self._began: int | None = None  # session sample

    def press(self, press: Press, timeline: Timeline, mode: JamMode) -> PressReply:
        """Take a press before there is a tempo; the second record starts the timeline.  [main]"""
        at = press.at_sample or 0
        if press.verb == "cancel" and self._began is not None:
            self._began = None
            return PressReply(press, True, 0, 0.0, "cancelled: the first loop")
        if press.verb != "record":
            return PressReply(press, False, 0, 0.0, "press record, and record again on the first beat after your loop")
        if self._began is None:
            self._began = at
            return PressReply(press, True, 0, 0.0, "recording: press record again on the first beat after your loop")
        seconds = float(samples_to_seconds(at - self._began, self._rate_hz))
        if seconds < SHORTEST_SECONDS:
            return PressReply(press, False, 0, 0.0, f"a loop lasts {SHORTEST_SECONDS:g} s or longer: still recording")
        grid, bars = self.grid_of(at - self._began)
        begin = self._began
        mode.bars = bars
        timeline.change(lambda now, rendered: _at(now, grid, rendered - begin))
        text = f"{bars} bar{'s' * (bars > 1)} at {grid.tempo_bpm:.1f} bpm"
        return PressReply(press, True, bars, float(bars * self._signature.beats_per_bar), text)

    def grid_of(self, n_samples: int) -> tuple[Grid, int]:
        """The grid on which a loop of so many samples is whole bars, and their number.  [any]"""
        seconds, beats = samples_to_seconds(n_samples, self._rate_hz), self._signature.beats_per_bar

        def bpm(bars: int) -> float:
            return float(fitting_tempo(bars * beats, seconds))

        bars = self._bars or min(BARS, key=lambda count: abs(math.log(bpm(count) / USUAL_BPM)))
        low, high = BPM_RANGE
        return Grid(self._rate_hz, min(max(bpm(bars), low), high), self._signature), bars


def _at(now: Transport, grid: Grid, position: int) -> Transport:
    return replace(now, playing=True, grid=grid, position_samples=position)
