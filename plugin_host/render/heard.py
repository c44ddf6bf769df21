"""A host that plays wherever another one played: the same processor, the same places, without a clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bridge.errors import SegueError
from bridge.ring.form import Audio
from bridge.ring.reader import RingReader
from bridge.time.transport import Grid, Transport
from bridge.time.units import Signature
from plugin_host.playback.processor import Processor

BLOCK_SAMPLES = 256
SEEKS_MAX = 100_000
HOURS_MAX = 24  # of music in one recording


class RenderError(SegueError):
    """A journal that cannot be made again; the message says why."""

    code = "render"


class HeardHost:
    """Plays a ring as another host did; its output while it plays is `audio`.  All [main].

    With `waits` it plays no block before its music is there: what was late is in its place.
    """

    def __init__(self, reader: RingReader, waits: bool = False) -> None:
        self.processor = Processor(reader.form.sample_rate_hz, reader.form.channels)
        self.processor.offer(reader)
        self._waits = waits
        self._parts: list[Audio] = []
        self._host: Transport | None = None
        self._position = 0  # of the other host
        self._played = 0  # of this one
        self._due = 0  # samples of all stretches
        self._ahead: list[tuple[Transport, int]] = []  # stretches to play, and where they end

    @property
    def audio(self) -> Audio:
        """All that was heard so far, float32 [n, channels]."""
        none = np.zeros((0, self.processor.channels), np.float32)
        return np.concatenate([none, *self._parts])

    def play(self, host: Transport, sample: int) -> None:
        """Play to where the other host was: `host`, in the block that begins at `sample`.

        A host tells its position as it begins a block, and reads the ring then.
        """
        before = self._host
        if before is None:
            self._begin(host)
        elif before.playing:
            self._play_on(before, host, sample)
        if host.playing:
            goes_on = before is not None and host.seek_id == before.seek_id
            self._position = self._position if goes_on else max(self._position, sample) if before else sample
            self._stretch(host, self._block_end(host, sample))
        else:
            self._ahead.append((replace(host, playing=False, position_samples=sample), sample + 1))
            self._position = sample
        self._host = host
        self._go(self._waits)

    def end(self) -> None:
        """Play what is left, whatever is there."""
        self._go(False)

    def _begin(self, host: Transport) -> None:
        """The other host may have jumped before the journal began: count its jumps."""
        if not 0 <= host.seek_id <= SEEKS_MAX:
            raise RenderError(f"the host's seek id is {host.seek_id}, it may be 0 to {SEEKS_MAX}")
        place = replace(host, playing=False, loop_beats=None)
        for seek in range(host.seek_id, -1, -1):
            self._block(replace(place, position_samples=host.position_samples + seek % 2), 1)

    def _play_on(self, before: Transport, host: Transport, sample: int) -> None:
        """Play on the stretch of `before`, through its loop, to where `host` is."""
        if not 0 <= host.seek_id - before.seek_id <= SEEKS_MAX:
            raise RenderError(f"the host's seek id is {host.seek_id} after {before.seek_id}")
        for _ in range(host.seek_id - before.seek_id):
            if before.loop_beats is None:
                break
            start, end = (before.grid.sample_at(beats) for beats in before.loop_beats)
            if self._position > end:
                break
            self._stretch(before, end)
            self._position = start
        if host.seek_id != before.seek_id:
            # a jump: between the last place known and this one nothing is known
            self._position = self._position if host.loop_beats and self._position <= sample else sample
        changes = host.grid.anchor_samples
        if host.grid != before.grid and self._position <= changes <= sample:
            self._stretch(before, changes)
        self._stretch(host if host.playing else before, sample)

    def _block_end(self, host: Transport, sample: int) -> int:
        """Where the block that begins at a sample ends: at the loop's end at the latest."""
        end = sample + BLOCK_SAMPLES
        if host.loop_beats is None or sample >= (loop_end := host.grid.sample_at(host.loop_beats[1])):
            return end
        return min(end, loop_end)

    def _stretch(self, host: Transport, end: int) -> None:
        """Play from the other host's position up to a sample, once the stretches before are played."""
        if self._position < end:
            self._due += end - self._position
            if self._due > HOURS_MAX * 3600 * self.processor.sample_rate_hz:
                raise RenderError(f"the journal has more than {HOURS_MAX} hours of music without an end")
            self._ahead.append((replace(host, playing=True, position_samples=self._position), end))
            self._position = end

    def _go(self, waits: bool) -> None:
        while self._ahead:
            host, end = self._ahead[0]
            n_samples = min(BLOCK_SAMPLES, end - host.position_samples)
            due = waits and host.playing and host.position_samples == self._played
            if due and not self.processor.ready(n_samples):
                return
            out = self._block(host, n_samples)
            self._played = host.position_samples + (n_samples if host.playing else 0)
            if host.playing:
                self._parts.append(out)
            self._ahead[0] = (replace(host, position_samples=host.position_samples + n_samples), end)
            if host.position_samples + n_samples >= end:
                self._ahead.pop(0)

    def _block(self, host: Transport, n_samples: int) -> Audio:
        out = np.zeros((n_samples, self.processor.channels), np.float32)
        self.processor.process(out, host)
        return out


def transport_of(said: dict[str, Any]) -> Transport:
    """A transport from JSON; RenderError if it is none.  [main]"""
    try:
        grid, loop = said["grid"], said["loop_beats"]
        meter = Signature(int(grid["signature"]["numerator"]), int(grid["signature"]["denominator"]))
        names = ("anchor_samples", "anchor_beats", "bar_origin_beats")
        line = Grid(int(grid["sample_rate_hz"]), float(grid["tempo_bpm"]), meter, *(grid[name] for name in names))
        beats = None if loop is None else (float(loop[0]), float(loop[1]))
        return Transport(bool(said["playing"]), int(said["position_samples"]), line, beats, int(said["seek_id"]))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise RenderError(f"the journal holds a transport that is none: {error}") from None
