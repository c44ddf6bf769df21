"""A headless host that records everything it plays and, for each block, its position in the song."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from bridge.ring.form import Audio
from bridge.time.transport import Transport
from plugin_host.host.headless import BLOCK_SAMPLES, Host
from plugin_host.host.timeline import Timeline
from plugin_host.playback.processor import Processor

Floats = NDArray[np.float64]


class Noted(IntEnum):
    """Columns of the log, one row for each block: samples, beats, bpm and seconds on the monotonic clock."""

    RECORDED = 0
    N_SAMPLES = 1
    POSITION = 2
    BEATS = 3
    TEMPO = 4
    PLAYING = 5
    STATE = 6
    FILL = 7
    SEEK_ID = 8
    SECONDS = 9


@dataclass(frozen=True)
class Recording:
    """A recording: audio float32 [n, channels], and the log float64 [blocks, len(Noted)]."""

    audio: Audio
    log: Floats
    rate_hz: int

    def column(self, which: Noted) -> Floats:
        """One column of the log.  [any]"""
        return self.log[:, which]

    def row_at(self, recorded: Floats | float) -> NDArray[np.int64]:
        """The row of a recorded sample.  [any]"""
        rows = np.searchsorted(self.log[:, Noted.RECORDED], recorded, side="right") - 1
        return np.clip(rows, 0, len(self.log) - 1)

    def beats_at(self, recorded: Floats) -> Floats:
        """Beat on which the host was at recorded samples, fractions of samples too.  [any]"""
        rows = self.log[self.row_at(recorded)]
        passed = (recorded - rows[:, Noted.RECORDED]) * rows[:, Noted.PLAYING]
        return rows[:, Noted.BEATS] + passed * rows[:, Noted.TEMPO] / (60.0 * self.rate_hz)

    def tempo_at(self, recorded: Floats) -> Floats:
        """Tempo in bpm at recorded samples.  [any]"""
        return self.log[self.row_at(recorded), Noted.TEMPO]

    def changes(self, which: Noted) -> list[int]:
        """Recorded samples at which a column changes.  [any]"""
        rows = np.flatnonzero(np.diff(self.log[:, which]) != 0) + 1
        return [int(sample) for sample in self.log[rows, Noted.RECORDED]]

    def after_seconds(self, seconds: float) -> int:
        """The first recorded sample of the first block after a time on the monotonic clock.  [any]"""
        row = int(np.searchsorted(self.log[:, Noted.SECONDS], seconds))
        return int(self.log[min(row, len(self.log) - 1), Noted.RECORDED])

    def part(self, begin: int, end: int) -> Recording:
        """A part between two recorded samples, the log cut to whole blocks.  [any]"""
        keep = (self.log[:, Noted.RECORDED] + self.log[:, Noted.N_SAMPLES] > begin) & (
            self.log[:, Noted.RECORDED] < end
        )
        log = self.log[keep].copy()
        if not len(log):
            return Recording(self.audio[:0], log, self.rate_hz)
        first = int(log[0, Noted.RECORDED])
        log[:, Noted.RECORDED] -= first
        last = int(log[-1, Noted.RECORDED] + log[-1, Noted.N_SAMPLES])
        return Recording(self.audio[first : first + last], log, self.rate_hz)


class Recorder(Host):
    """A host without a clip: records up to `seconds` from when it first plays, later stops too, then is `finished`."""

    def __init__(self, processor: Processor, timeline: Timeline, seconds: float) -> None:
        super().__init__(processor, timeline)
        n_samples = int(seconds * processor.sample_rate_hz)
        self._audio: Audio = np.zeros((n_samples, processor.channels), np.float32)
        self._rows: Floats = np.zeros((4 * n_samples // BLOCK_SAMPLES + 64, len(Noted)))
        self._n_samples = self._n_rows = 0

    def render(self, out: Audio) -> None:
        """Fill all of `out` [n, channels] with the next samples of the timeline.  [audio]"""
        self.timeline.take_changes()
        done = 0
        while done < len(out):
            if self.finished:
                out[done:] = 0
                return
            room = min(len(out) - done, len(self._audio) - self._n_samples)
            transport, n_samples = self.timeline.block(room)
            part = out[done : done + n_samples]
            self.processor.process(part, transport)
            self._note(part, transport)
            self.timeline.advance(n_samples)
            done += n_samples

    def _note(self, part: Audio, transport: Transport) -> None:
        if not (transport.playing or self._n_rows):
            return
        row, processor = self._rows[self._n_rows], self.processor
        row[:] = (
            self._n_samples, len(part), transport.position_samples, transport.position_beats, transport.tempo_bpm,
            transport.playing, processor.state, processor.fill_samples, processor.seek_id, time.monotonic(),
        )  # fmt: skip
        self._audio[self._n_samples : self._n_samples + len(part)] = part
        self._n_rows += 1
        self._n_samples += len(part)
        self.finished = self._n_samples == len(self._audio) or self._n_rows == len(self._rows)

    @property
    def recorded_samples(self) -> int:
        """Samples recorded so far.  [any]"""
        return self._n_samples

    def recording(self) -> Recording:
        """The recording so far; views that later blocks do not change.  [any]"""
        return Recording(self._audio[: self._n_samples], self._rows[: self._n_rows], self.processor.sample_rate_hz)
