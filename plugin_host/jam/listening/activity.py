"""Whether the player plays, or has stopped: onsets and level of the cleaned input, hop by hop.

A held organ chord is playing: its level stays. A chord that rings out is not: no onset, and the level falls. What
counts as falling is measured against the player's own level of the last seconds.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from bridge.ring.form import Audio
from plugin_host.jam.listening.gate import level_db
from plugin_host.jam.state import SILENT_DB

ONSET_RISE_DB = 4.0  # of the mean of all bands over two hops before
_FALLEN_DB = 9.0  # below the player's own level, a sound rings out
_LEVEL_SECONDS = 6.0  # of which the player's own level is taken
_APART_SECONDS = 0.06  # onsets are at least this far apart
_N_BANDS, _LOWEST_HZ, _HIGHEST_HZ = 20, 60.0, 12_000.0
_FLOOR_DB = -70.0


class Activity:
    """Follows hops of the cleaned input; positions are samples of the input.  [main]"""

    def __init__(self, sample_rate_hz: int, hop: int) -> None:
        self.level_db = SILENT_DB  # of the last hop
        self.onsets: deque[int] = deque(maxlen=4096)
        self._rate, self._hop, self._end = sample_rate_hz, hop, 0
        self._levels: deque[float] = deque(maxlen=round(_LEVEL_SECONDS * sample_rate_hz / hop))
        self._loud: int | None = None  # end of the last hop that was neither silent nor ringing out
        self._last = np.zeros(hop)
        self._bands: deque[np.ndarray] = deque([np.full(_N_BANDS, _FLOOR_DB)] * 2, maxlen=2)
        freqs = np.fft.rfftfreq(2 * hop, 1.0 / sample_rate_hz)
        edges = np.searchsorted(freqs, np.geomspace(_LOWEST_HZ, min(_HIGHEST_HZ, 0.45 * sample_rate_hz), _N_BANDS + 1))
        self._edges = np.maximum(edges, edges[0] + np.arange(_N_BANDS + 1))
        self._window = np.hanning(2 * hop + 1)[:-1]

    def add(self, hop: Audio, is_open: bool) -> None:
        """Add a hop of the gated input."""
        mono = hop.mean(axis=1, dtype=np.float64)
        self.level_db = level_db(hop) if is_open else SILENT_DB
        self._onset(mono)
        self._end += len(hop)
        if is_open:
            self._levels.append(self.level_db)
            usual = float(np.quantile(np.array(self._levels), 0.8))
            if self.level_db > usual - _FALLEN_DB or (self.onsets and self._end - self.onsets[-1] <= 2 * self._hop):
                self._loud = self._end

    def _onset(self, mono: np.ndarray) -> None:
        power = np.square(np.abs(np.fft.rfft(np.concatenate([self._last, mono]) * self._window)))
        power *= (2.0 / self._window.sum()) ** 2
        sums = np.add.reduceat(power, self._edges[:-1])
        sums[-1] = power[self._edges[-2] : self._edges[-1]].sum()
        bands = np.maximum(10.0 * np.log10(sums + 1e-12), _FLOOR_DB)
        rise = float(np.maximum(bands - self._bands[0], 0.0).mean())
        self._last = mono
        self._bands.append(bands)
        apart = not self.onsets or self._end - self.onsets[-1] >= _APART_SECONDS * self._rate
        if rise >= ONSET_RISE_DB and apart:
            self.onsets.append(self._end)

    @property
    def last_played(self) -> int | None:
        """The position until which the player last played; None, if he has not played yet."""
        return self._loud

    def has_stopped(self, samples: int) -> bool:
        """Whether the player has played, and then not for so many samples."""
        return self._loud is not None and self._end - self._loud >= samples
