"""Learns, stretch by stretch, how what Segue plays comes back into what the microphone hears.

    stretches of captured and played --> delay_search: where --> leak_path: the filter there --> Learned

It keeps its own past and shares nothing with the thread that applies what it finds: `learn` may run on any one thread,
a stretch at a time. A stretch in which Segue is silent teaches nothing, and costs nothing.
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


@dataclass(frozen=True, eq=False)
class Learned:
    """Filters as spectra [channels, references, bins] of `block` samples, behind a lag; None for no leak.

    One channel is both while they are the same, one reference is the middle.
    """

    finding: LeakFinding = LeakFinding("not known yet")
    first: int = 0  # lag of the first tap, in samples
    filters: Spectra | None = None


class LeakLearner:
    """Learns from stretches of `stretch` samples; filters are applied in blocks of `block` samples.  [any]"""

    def __init__(self, sample_rate_hz: int, hop: int, channels: int) -> None:
        self.stretch = STRETCH_HOPS * hop
        self.block = fast_length((TAP_HOPS + 1) * hop)
        self.longest = round(LONGEST_SECONDS * sample_rate_hz)
        self.learned = Learned()
        self._rate = sample_rate_hz
        self._pre = round(PRE_SECONDS * sample_rate_hz)
        self._taps = Taps(TAP_HOPS * hop, 2 * TAP_HOPS * hop)
        self._search = DelaySearch(sample_rate_hz, self.stretch, self.longest)
        self._paths = [LeakPath(self._taps, 1, self._pre)]
        kept = self.longest + 2 * self.stretch + 2 * self._taps.size
        self._captured, self._played = (History(kept, channels) for _ in range(2))
        self._window = np.hanning(self._taps.size + 1)[:-1]
        self._first: int | None = None  # lag of the filters' first tap
        self._works = False  # whether the filters take anything out
        self._without = 0  # stretches since a leak was last taken out

    def learn(self, captured: Audio, source: Audio) -> Learned:
        """What is known with a further stretch [stretch, channels] of both sides; `source` as mid and side."""
        self._widen(captured, source)
        self._captured.add(captured)
        self._played.add(source)
        end = self._captured.end
        start = end - self.stretch
        reference = self._played.span(start - self.longest, end)[:, : self._paths[0].references]
        if _rms(reference[self.longest :]) < SILENT:
            return self.learned
        self._search.add(captured[:, : len(self._paths)], reference)
        if self._place():
            self._learn_stretch(start - self.stretch)
        filters = None if self._first is None else self._learn_stretch(start)
        self._works = filters is not None and bool(filters.any())
        spectra = np.fft.rfft(filters, self.block, axis=-1) if filters is not None and self._works else None
        self.learned = Learned(self._finding(filters), self._first or 0, spectra)
        return self.learned

    def _widen(self, captured: Audio, source: Audio) -> None:
        """One path is enough while both input channels are the same, one reference while Segue plays in the middle."""
        if captured.shape[1] == 1:
            return
        if self._paths[0].references == 1 and source[:, 1].any():
            self._paths = [LeakPath(self._taps, 2, self._pre) for _ in self._paths]
            self._first, self._works = None, False
        if len(self._paths) == 1 and not np.array_equal(captured[:, 0], captured[:, 1]):
            self._paths.append(copy.deepcopy(self._paths[0]))

    def _learn_stretch(self, start: int) -> Floats:
        """Learn from the stretch that begins at `start`; the filters [channels, references, taps]."""
        assert self._first is not None
        references = range(self._paths[0].references)
        played = np.stack([self._frames(start - self._first, number) for number in references])
        for channel, path in enumerate(self._paths):
            path.learn(partial(self._left_by, start, channel), played)
        if any(path.lost for path in self._paths):
            self._search.doubt()
        return np.stack([path.filter for path in self._paths])

    def _place(self) -> bool:
        """Put the filters where the search finds the direct path, and begin anew there; whether they were moved."""
        lag = self._search.lag()
        if lag is None:
            return False
        if self._first is not None:
            here = self._search.votes[self._first : self._first + 2 * self._pre].max()
            share = _KEPT_SHARE if self._works else 1.0
            if here >= share * self._search.votes[lag] or abs(lag - self._pre - self._first) < self._pre // 2:
                return False
        self._first = max(lag - self._pre, 0)
        for path in self._paths:
            path.forget(lag - self._first)
        return True

    def _left_by(self, start: int, channel: int, filters: Floats) -> Spectra:
        """Spectra [T, bins] of what filters [references, taps] leave of a channel in a stretch."""
        assert self._first is not None
        begin, n = start - self._taps.size // 2, self._taps.size // 2 + self.stretch
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
        return self._spectra(self._played.span(begin, start + self.stretch)[:, reference].astype(np.float64))

    def _spectra(self, audio: Floats) -> Spectra:
        size = self._taps.size
        frames = np.lib.stride_tricks.sliding_window_view(audio, size)[:: size // 2]
        return np.fft.rfft(frames * self._window, axis=-1)

    def _finding(self, filters: Floats | None) -> LeakFinding:
        """What the headphone check has found."""
        self._without += 1
        if filters is not None and filters.any():
            assert self._first is not None
            self._without = 0
            strongest = np.square(filters).sum(axis=(0, 1)).argmax()
            level = 10 * np.log10(self._leak_power(filters))
            return LeakFinding("leak", 1000.0 * (self._first + int(strongest)) / self._rate, float(level))
        return LeakFinding("none") if self._without >= SURE_STRETCHES else self.learned.finding

    def _leak_power(self, filters: Floats) -> float:
        """Power of the leak of the loudest channel, as a share of what is played."""
        end = self._played.end
        source = self._played.span(end - self.stretch, end)[:, : filters.shape[1]].astype(np.float64)
        size = 2 * self.stretch
        there = np.einsum("crf,fr->cf", np.fft.rfft(filters, size, axis=-1), np.fft.rfft(source, size, axis=0))
        power = np.square(np.fft.irfft(there, size, axis=1)).sum(axis=1).max()
        return float(power / max(np.square(source).sum(axis=0).max(), 1e-12)) + 1e-12


def _rms(audio: Audio) -> float:
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
