"""A host that plays wherever another one played: the same processor, the same places, without a clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bridge.ring.form import Audio
from bridge.ring.reader import RingReader
from bridge.time.transport import Grid, Transport
from bridge.time.units import Signature
from plugin_host.playback.processor import Processor
from plugin_host.render.places import BLOCK_SAMPLES, HostPlaces, RenderError


class HeardHost(HostPlaces):
    """Plays a ring as another host did; its output while it plays is `audio`.  All [main].

    With `waits` it plays no block before its music is there: what was late is in its place.
    """

    def __init__(self, reader: RingReader, waits: bool = False) -> None:
        super().__init__(reader.form.sample_rate_hz)
        self.processor = Processor(reader.form.sample_rate_hz, reader.form.channels)
        self.processor.offer(reader)
        self._waits = waits
        self._parts: list[Audio] = []
        self._played = 0  # position of this host
        self._made = 0  # samples of `audio`
        self._ahead: list[tuple[Transport, int]] = []  # stretches to play, and where they end

    @property
    def made_samples(self) -> int:
        """The length of `audio`."""
        return self._made

    @property
    def audio(self) -> Audio:
        """All that was heard so far, float32 [n, channels]."""
        none = np.zeros((0, self.processor.channels), np.float32)
        return np.concatenate([none, *self._parts])

    def play(self, host: Transport, sample: int) -> None:
        """See `HostPlaces`."""
        super().play(host, sample)
        self._go(self._waits)

    def end(self) -> None:
        """Play what is left, whatever is there."""
        self._go(False)

    def _begin(self, host: Transport) -> None:
        """The other host may have jumped before the journal began: count its jumps."""
        super()._begin(host)
        place = replace(host, playing=False, loop_beats=None)
        for seek in range(host.seek_id, -1, -1):
            self._block(replace(place, position_samples=host.position_samples + seek % 2), 1)

    def _stand(self, host: Transport) -> None:
        self._ahead.append((host, host.position_samples + 1))

    def _roll(self, host: Transport, end: int) -> None:
        """It plays once the stretches before are played."""
        self._ahead.append((host, end))

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
                self._made += n_samples
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
