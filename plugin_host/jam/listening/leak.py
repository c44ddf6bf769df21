"""Takes what Segue plays out of what the microphone hears; Segue knows its own output sample for sample.

    captured --------------------------(-)--> cleaned
                                        |
    played --delay D--[short filter]----+          D by `delay_search`, the filter by `leak_path`, every half second

Everything happens on a grid of hops: the same samples give the same bits, however they were cut into blocks.
Without a leak no filter is applied, and the captured samples pass unchanged.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial

import numpy as np

from bridge.ring.form import Audio
from plugin_host.jam.listening.delay_search import DelaySearch, fast_length
from plugin_host.jam.listening.history import History
from plugin_host.jam.listening.leak_path import Floats, LeakPath, Spectra, Taps

LONGEST_SECONDS = 0.25  # of the search; loops of more than that are not played live
STRETCH_HOPS = 48
TAP_HOPS = 16
PRE_SECONDS = 0.003  # taps before the direct path
SILENT = 1e-4  # RMS under which Segue plays nothing that could leak
_KEPT_SHARE = 0.5  # of the votes of another delay: with more, filters that work stay where they are
SURE_STRETCHES = 6  # of playing without a leak, until "no leak" is said


@dataclass(frozen=True)
class LeakFinding:
    """What the headphone check found: `state` is "not known yet", "none" or "leak"; delay and level of a leak."""

    state: str
    delay_ms: float = 0.0
    level_db: float = 0.0

    @property
    def text(self) -> str:
        """One sentence for the player.  [any]"""
        if self.state == "leak":
            return (
                f"leak: Segue comes back into the input after {self.delay_ms:.1f} ms at {self.level_db:.0f} dB, "
                "and is taken out; headphones are better"
            )
        return {"none": "no leak: headphones"}.get(self.state, "not known yet: Segue has not played long enough")


def hop_for(sample_rate_hz: int) -> int:
    """Samples of a hop: about 10 ms, a power of two.  [any]"""
    return 2 ** round(np.log2(0.0107 * sample_rate_hz))


class LeakCanceller:
    """Cleans hops of `hop` samples; `finding` says what leaks.  [main]"""

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self.hop = hop_for(sample_rate_hz)
        self.finding = LeakFinding("not known yet")
        self._rate = sample_rate_hz
        self._stretch = STRETCH_HOPS * self.hop
        self._longest = round(LONGEST_SECONDS * sample_rate_hz)
        self._pre = round(PRE_SECONDS * sample_rate_hz)
        self._taps = Taps(TAP_HOPS * self.hop, 2 * TAP_HOPS * self.hop)
        self._block = fast_length((TAP_HOPS + 1) * self.hop)
        self._search = DelaySearch(sample_rate_hz, self._stretch, self._longest)
        self._paths = [LeakPath(self._taps, 1, self._pre)]
        kept = self._longest + 2 * self._stretch + 2 * self._taps.size
        self._captured, self._played = (History(kept, channels) for _ in range(2))
        self._window = np.hanning(self._taps.size + 1)[:-1]
        self._first: int | None = None  # lag of the filters' first tap
        self._filters: Spectra | None = None  # of the hops to come [channels, references, bins]
        self._before: tuple[int, Spectra | None] = (0, None)  # lag and filters of the hops before, if they just changed
        self._without = 0  # stretches since a leak was last taken out

    def clean(self, captured: Audio, played: Audio) -> Audio:
        """A hop of the player's own sound [hop, channels] from a hop of both; a new array."""
        source = _mid_and_side(played)
        self._widen(captured, source)
        self._captured.add(captured)
        self._played.add(source)
        out = captured.copy()
        leak = self._leak()
        if leak is not None:
            out -= leak
        if self._captured.end % self._stretch == 0:
            self._learn()
        return out

    def _widen(self, captured: Audio, source: Audio) -> None:
        """One path is enough while both input channels are the same, one reference while Segue plays in the middle."""
        if captured.shape[1] == 1:
            return
        if self._paths[0].references == 1 and source[:, 1].any():
            self._paths = [LeakPath(self._taps, 2, self._pre) for _ in self._paths]
            self._first = self._filters = None
        if len(self._paths) == 1 and not np.array_equal(captured[:, 0], captured[:, 1]):
            self._paths.append(copy.deepcopy(self._paths[0]))
            self._filters = None if self._filters is None else np.repeat(self._filters, 2, axis=0)

    def _leak(self) -> Audio | None:
        first, filters = self._first or 0, self._filters
        new = self._filtered(first, filters)
        lag_before, before = self._before
        if before is filters and lag_before == first:
            return new
        old = self._filtered(lag_before, before)
        self._before = (first, filters)
        if old is None and new is None:
            return None
        ramp = ((np.arange(self.hop, dtype=np.float32) + 1) / self.hop)[:, None]
        return np.asarray((0 if new is None else ramp * new) + (0 if old is None else (1 - ramp) * old), np.float32)

    def _filtered(self, first: int, filters: Spectra | None) -> Audio | None:
        """What leaks into the newest hop, by overlap-save."""
        if filters is None:
            return None
        size, end = self._block, self._played.end - first
        source = self._played.span(end - size, end)[:, : filters.shape[1]]
        if not source.any():
            return None
        there = np.einsum("crf,fr->cf", filters, np.fft.rfft(source.astype(np.float64), axis=0))
        return np.fft.irfft(there, size, axis=1)[:, -self.hop :].T.astype(np.float32)

    def _learn(self) -> None:
        end = self._captured.end
        start = end - self._stretch
        reference = self._played.span(start - self._longest, end)[:, : self._paths[0].references]
        if _rms(reference[self._longest :]) < SILENT:
            return
        self._search.add(self._captured.span(start, end)[:, : len(self._paths)], reference)
        if self._place():
            self._learn_stretch(start - self._stretch)
        self._say(None if self._first is None else self._learn_stretch(start))

    def _learn_stretch(self, start: int) -> Floats:
        """Learn from the stretch that begins at `start`; the filters [channels, references, taps]."""
        assert self._first is not None
        references = range(self._paths[0].references)
        played = np.stack([self._frames(start - self._first, number) for number in references])
        for channel, path in enumerate(self._paths):
            path.learn(partial(self._left_by, start, channel), played)
        if any(path.lost for path in self._paths):
            self._search.doubt()
        filters = np.stack([path.filter for path in self._paths])
        self._filters = np.fft.rfft(filters, self._block, axis=-1) if filters.any() else None
        return filters

    def _place(self) -> bool:
        """Put the filters where the search finds the direct path, and begin anew there; whether they were moved."""
        lag = self._search.lag()
        if lag is None:
            return False
        if self._first is not None:
            here = self._search.votes[self._first : self._first + 2 * self._pre].max()
            share = 1.0 if self._filters is None else _KEPT_SHARE
            if here >= share * self._search.votes[lag] or abs(lag - self._pre - self._first) < self._pre // 2:
                return False
        self._first, self._filters = max(lag - self._pre, 0), None
        for path in self._paths:
            path.forget(lag - self._first)
        return True

    def _left_by(self, start: int, channel: int, filters: Floats) -> Spectra:
        """Spectra [T, bins] of what filters [references, taps] leave of a channel in a stretch."""
        assert self._first is not None
        begin, n = start - self._taps.size // 2, self._taps.size // 2 + self._stretch
        captured = self._captured.span(begin, begin + n)[:, channel].astype(np.float64)
        if filters.any():
            taps = self._taps.taps
            at = begin - self._first
            source = self._played.span(at - taps, at + n)[:, : len(filters)].T.astype(np.float64)
            size = fast_length(taps + n)
            there = (np.fft.rfft(filters, size, axis=-1) * np.fft.rfft(source, size, axis=-1)).sum(axis=0)
            captured -= np.fft.irfft(there, size)[taps : taps + n]
        return self._spectra(captured)

    def _frames(self, start: int, reference: int) -> Spectra:
        """Spectra [T, bins] of a reference's frames that begin in a stretch, half a frame before their place."""
        begin = start - self._taps.size // 2
        return self._spectra(self._played.span(begin, start + self._stretch)[:, reference].astype(np.float64))

    def _spectra(self, audio: Floats) -> Spectra:
        size = self._taps.size
        frames = np.lib.stride_tricks.sliding_window_view(audio, size)[:: size // 2]
        return np.fft.rfft(frames * self._window, axis=-1)

    def _say(self, filters: Floats | None) -> None:
        """Say what the headphone check has found."""
        self._without += 1
        if filters is not None and filters.any():
            assert self._first is not None
            self._without = 0
            strongest = np.square(filters).sum(axis=(0, 1)).argmax()
            level = 10 * np.log10(self._leak_power(filters))
            self.finding = LeakFinding("leak", 1000.0 * (self._first + int(strongest)) / self._rate, float(level))
        elif self._without >= SURE_STRETCHES:
            self.finding = LeakFinding("none")

    def _leak_power(self, filters: Floats) -> float:
        """Power of the leak of the loudest channel, as a share of what is played."""
        end = self._played.end
        source = self._played.span(end - self._stretch, end)[:, : filters.shape[1]].astype(np.float64)
        size = 2 * self._stretch
        there = np.einsum("crf,fr->cf", np.fft.rfft(filters, size, axis=-1), np.fft.rfft(source, size, axis=0))
        power = np.square(np.fft.irfft(there, size, axis=1)).sum(axis=1).max()
        return float(power / max(np.square(source).sum(axis=0).max(), 1e-12)) + 1e-12


def _mid_and_side(played: Audio) -> Audio:
    """Mid and side of stereo, so that a signal in the middle has one path; other numbers of channels unchanged."""
    if played.shape[1] != 2:
        return played
    left, right = played[:, 0], played[:, 1]
    return np.stack([0.5 * (left + right), 0.5 * (left - right)], axis=1)


def _rms(audio: Audio) -> float:
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
