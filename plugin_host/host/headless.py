"""A headless DAW: a timeline, one clip track, one lane or more; it renders block by block, to memory.

timeline --snapshot--> processor.process(out) --+--> out --> recording
clip --------------------------------------add--+
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from bridge.ring.form import Audio
from plugin_host.host.clip import Clip
from plugin_host.host.clock import BlockClock
from plugin_host.host.timeline import Timeline
from plugin_host.playback.processor import Processor

BLOCK_SAMPLES = 256
LARGEST_BLOCK = 8192


class Column(IntEnum):
    """Columns of the block log: counts of samples, `state` as in processor.State."""

    POSITION = 0
    N_SAMPLES = 1
    FILL = 2
    STATE = 3
    RECORDED = 4


@dataclass(frozen=True)
class HostRecording:
    """A host's recording: audio float32 [n, channels] and the block log int64 [blocks, len(Column)]."""

    audio: Audio
    blocks: NDArray[np.int64]


class Host:
    """One host; the owner of the clock calls `render`: `HeadlessHost` below, or a sound card.

    Records up to `record_samples` of its output while the timeline runs, then is `finished`; 0 records nothing
    and never ends. `more` are the processors of further lanes on the same timeline: `render` mixes all, `render_lanes`
    gives each an output of its own.
    """

    def __init__(
        self,
        processor: Processor,
        timeline: Timeline,
        clip: Clip | None = None,
        record_samples: int = 0,
        more: Sequence[Processor] = (),
    ) -> None:
        self.processor = processor
        self.processors = (processor, *more)
        self._apart: list[Audio] = [np.zeros((LARGEST_BLOCK, each.channels), np.float32) for each in more]
        self.timeline = timeline
        self.clip = clip
        self.finished = False
        self._record: Audio = np.zeros((record_samples, processor.channels), np.float32)
        self._recorded = 0
        log_blocks = 2 * record_samples // BLOCK_SAMPLES + 64
        self._log: NDArray[np.int64] = np.zeros((log_blocks, len(Column)), np.int64)
        self._logged = 0

    def render(self, out: Audio) -> None:
        """Fill all of `out` [n, channels] with the next samples of the timeline.  [audio]"""
        if not self._apart:
            self.render_lanes((out,))
            return
        for begin in range(0, len(out), LARGEST_BLOCK):
            part = out[begin : begin + LARGEST_BLOCK]
            others = [each[: len(part)] for each in self._apart]
            self.render_lanes((part, *others))
            for each in others:
                part += each

    def render_lanes(self, outs: Sequence[Audio]) -> None:
        """Fill an output [n, channels] for each processor; the clip and the recording are the first one's.  [audio]"""
        self.timeline.take_changes()
        done, length = 0, len(outs[0])
        while done < length:
            if self.finished:
                for out in outs:
                    out[done:] = 0
                return
            transport, n_samples = self.timeline.block(self._until_finished(length - done))
            for processor, out in zip(self.processors, outs, strict=True):
                processor.process(out[done : done + n_samples], transport)
            if transport.playing:
                part = outs[0][done : done + n_samples]
                if self.clip is not None:
                    self.clip.add_to(part, transport.position_samples)
                self._keep(part, transport.position_samples)
            self.timeline.advance(n_samples)
            done += n_samples

    def _until_finished(self, n_samples: int) -> int:
        left = len(self._record) - self._recorded
        return min(n_samples, left) if left else n_samples

    def _keep(self, part: Audio, position_samples: int) -> None:
        if self._logged < len(self._log):
            row = self._log[self._logged]
            row[Column.POSITION], row[Column.N_SAMPLES] = position_samples, len(part)
            row[Column.FILL], row[Column.STATE] = self.processor.fill_samples, self.processor.state
            row[Column.RECORDED] = self._recorded
            self._logged += 1
        if len(self._record):
            self._record[self._recorded : self._recorded + len(part)] = part
            self._recorded += len(part)
            self.finished = self._recorded == len(self._record)

    @property
    def recorded_samples(self) -> int:
        """Samples recorded so far.  [any]"""
        return self._recorded

    def take(self) -> HostRecording:
        """The recording so far; views that later blocks do not change.  [any]"""
        return HostRecording(self._record[: self._recorded], self._log[: self._logged])


class HeadlessHost:
    """Runs a host without a sound card, on its own thread, at the pace of a clock."""

    def __init__(self, host: Host, clock: BlockClock, block_samples: int = BLOCK_SAMPLES) -> None:
        self.host = host
        self.clock = clock
        self.fault: BaseException | None = None
        self._out: Audio = np.zeros((block_samples, host.processor.channels), np.float32)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="segue-audio", daemon=True)

    def start(self) -> None:
        """Start rendering.  [main]"""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the present block; raises the exception that ended the thread, if any.  [main]"""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        if self.fault is not None:
            raise self.fault

    @property
    def running(self) -> bool:
        """Whether it still renders.  [any]"""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not (self._stopping.is_set() or self.host.finished):
                self.clock.wait(len(self._out))
                self.host.render(self._out)
        except BaseException as fault:
            self.fault = fault
