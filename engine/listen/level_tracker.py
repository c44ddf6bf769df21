"""A slow gain that brings a stream to a loudness: that of the region it continues, or a value in LUFS.

    measured     the loudness of the last WINDOW_SECONDS without quiet passages (gated like the standard's)
    wanted       target - measured, within RANGE_DB; no change within DEAD_DB of the present gain
    gain         moves there by at most SLEW_DB_PER_SECOND, linear in dB over each 0.1 s

The gain over block j depends only on blocks that ended before it, so it needs no look-ahead, and on the samples'
positions: any cut of the input gives the same samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engine.listen import meter
from engine.listen.meter import Audio

WINDOW_SECONDS = 20.0
READY_SECONDS = 3.0  # until this much is measured the gain is constant
SLEW_DB_PER_SECOND = 0.75
RANGE_DB = 12.0
DEAD_DB = 0.5
PAST_HOPS = 350  # measured blocks that are stored: the window, and the furthest that a stream goes back


@dataclass(frozen=True)
class LevelState:
    """Measured blocks from `first_hop` on and the gain in dB at their starts; `tail` [m, C] is not measured yet.

    The gain is known up to the end of each hop that has begun, two hops further than `powers`.  [any]
    """

    tail: Audio
    tail_start: int
    first_hop: int
    powers: tuple[float, ...]
    gains: tuple[float, ...]


class LevelTracker:
    """Processes float32 [n, C] at one rate; with `target_lufs` None the audio is unchanged."""

    def __init__(self, sample_rate_hz: int, target_lufs: float | None) -> None:
        self.rate_hz, self.target_lufs = sample_rate_hz, target_lufs
        self.hop = meter.hop_samples(sample_rate_hz)

    def init(self, channels: int, first_sample: int = 0, gain_db: float = 0.0) -> LevelState:
        """State before `first_sample`, at the gain `gain_db`.  [any]"""
        first_hop = first_sample // self.hop
        tail = np.zeros((first_sample - first_hop * self.hop, channels), np.float32)
        return LevelState(tail, first_hop * self.hop, first_hop, (), (gain_db,))

    def step(self, audio: Audio, state: LevelState) -> tuple[Audio, LevelState]:
        """[n, C] with its gain, and the next state.  [generate]"""
        begin = state.tail_start + len(state.tail)
        known = np.concatenate([state.tail, audio.astype(np.float32, copy=False)])
        end = begin + len(audio)
        powers, gains = list(state.powers), list(state.gains)
        last = (end - 1) // self.hop if len(audio) else state.first_hop + len(gains) - 2
        while len(gains) < last - state.first_hop + 2:
            hop = state.first_hop + len(gains) - 1  # the hop whose end gets a gain
            while (block := state.first_hop + len(powers)) + 2 <= hop:
                at = block * self.hop - state.tail_start
                powers.append(meter.block_power(known[at : at + 2 * self.hop], self.rate_hz))
            gains.append(self._next(powers, gains[-1]))
        out = self._apply(audio, begin, end, state.first_hop, gains)
        keep = (state.first_hop + len(powers)) * self.hop
        old = max(0, len(powers) - PAST_HOPS)
        return out, LevelState(
            known[keep - state.tail_start :], keep, state.first_hop + old, tuple(powers[old:]), tuple(gains[old:])
        )

    def back_to(self, state: LevelState, sample: int, before: Audio) -> LevelState:
        """The state before an earlier sample; `before` [m, C] is the input that ends there.  [generate]"""
        hop = (sample - 1) // self.hop
        n_powers, n_gains = hop - 1 - state.first_hop, hop - state.first_hop + 2
        if n_gains < 1 or n_gains > len(state.gains):
            return self.init(before.shape[1], sample, state.gains[0 if n_gains < 1 else -1])
        powers, gains = state.powers[: max(0, n_powers)], state.gains[:n_gains]
        start = (state.first_hop + len(powers)) * self.hop
        known = before[max(0, len(before) - (sample - start)) :]
        tail = np.concatenate([np.zeros((sample - start - len(known), before.shape[1]), np.float32), known])
        return LevelState(tail, start, state.first_hop, powers, gains)

    def _next(self, powers: list[float], gain_db: float) -> float:
        """The gain one hop later."""
        if self.target_lufs is None or len(powers) * meter.HOP_SECONDS < READY_SECONDS:
            return gain_db
        measured = meter.gated_lufs(np.array(powers[-round(WINDOW_SECONDS / meter.HOP_SECONDS) :]))
        if not math.isfinite(measured):
            return gain_db
        wanted = min(max(self.target_lufs - measured, -RANGE_DB), RANGE_DB)
        step = SLEW_DB_PER_SECOND * meter.HOP_SECONDS
        off = wanted - gain_db
        return gain_db if abs(off) <= DEAD_DB else gain_db + min(max(off, -step), step)

    def _apply(self, audio: Audio, begin: int, end: int, first_hop: int, gains: list[float]) -> Audio:
        """Audio of samples `begin` to `end` with gains interpolated linearly in dB."""
        if not len(audio):
            return audio
        first, last = begin // self.hop, (end - 1) // self.hop
        points = np.array(gains[first - first_hop : last - first_hop + 2])
        if not points.any():
            return audio
        inside = np.arange(self.hop) / self.hop
        db = (points[:-1, None] + (points[1:] - points[:-1])[:, None] * inside).reshape(-1)
        factor = np.exp(db[begin - first * self.hop : end - first * self.hop] * (math.log(10.0) / 20.0))
        return np.asarray(audio * factor[:, None].astype(np.float32), np.float32)

    def gain_db(self, state: LevelState) -> float:
        """The present gain of a stream.  [any]"""
        return state.gains[-1]
