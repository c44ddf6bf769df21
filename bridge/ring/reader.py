"""The host's side of a ring: the owning reader, addressed by position."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np

from bridge.errors import SharedMemoryError
from bridge.ring import form as ring_form
from bridge.ring.fader_block import FADER_LOCK, Fader, read_fader
from bridge.ring.fields import Words, i64, u32, u64
from bridge.ring.form import PLAN_LOCK, Audio, PlaybackPlan, RingForm
from bridge.ring.layout import ENGINE_CLOSED
from bridge.ring.shared_memory import Segment, pid_alive
from bridge.ring.slots import Header, Slots
from bridge.ring.transport_block import write_transport
from bridge.time.transport import Transport

HEARTBEAT_LIMIT_SECONDS = 0.5
MAX_DROPS_PER_READ = 1024  # about 2 ms; after a change of prompt all blocks of the lead may be stale
MAX_SEEKS_AHEAD = 1024  # more than the loop passes that a ring can hold
LOUDEST = 8.0  # limit of a sample; only a broken writer writes larger ones
_LOUDEST_ENERGY = 1e30

_BLOCKS_WRITTEN, _BLOCKS_READ = u64("blocks_written"), u64("blocks_read")
_HEARTBEAT, _HOST_HEARTBEAT = u64("engine_heartbeat_ns"), u64("host_heartbeat_ns")
_WRITTEN_END, _STATE, _HOST_PID = i64("written_end_samples"), u32("engine_state"), u32("host_pid")
_LATE, _STALE = u64("late_blocks"), u64("stale_blocks")
_UNDERRUNS, _UNDERRUN_SAMPLES = u64("underruns"), u64("underrun_samples")


@dataclass(slots=True)
class RingCounters:
    """Dropped blocks: late (position passed), stale (older generation), broken (invalid, NaN)."""

    blocks: int = 0
    late_blocks: int = 0
    stale_blocks: int = 0
    broken_blocks: int = 0


class RingReader:
    """Owner of the read side. `look`, `take`, `ahead_samples` and `publish` belong to one thread, the audio thread.

    A block is played at exactly its own position and timeline number, or not at all.
    """

    def __init__(self, segment: Segment, words: Words, form: RingForm) -> None:
        self.form = form
        self.segment = segment
        self.counters = RingCounters()
        self.plan = PlaybackPlan()
        self.fader: Fader | None = None  # None: the engine has not written it
        self._plan_sequence = self._fader_sequence = 0
        self._words = words
        self._slots = Slots(segment, words, form)
        self._next = int(words.u64[_BLOCKS_READ])
        self.identity = ring_form.identity(words)
        self._engine_seen = pid_alive(self.identity[0])  # not that of an engine in another container
        self._begun = False  # part of the block `_next` was read
        self._closed = False

    @classmethod
    def attach(cls, name: str) -> RingReader:
        """Map a lane's ring and become its owning reader.

        Raises SegmentMissing (no such ring), SegmentForeign (another version, sizes that do not fit) or
        SharedMemoryError (another user's, or another living host reads it).  [main]
        """
        segment = Segment.attach(name)
        words: Words | None = None
        try:
            words = ring_form.header_words(segment)
            form = ring_form.read_form(segment, words)
            owner = int(words.u32[_HOST_PID])
            if owner not in (0, os.getpid()) and pid_alive(owner):
                raise SharedMemoryError(f"{name} is read by process {owner} already")
            words.u32[_HOST_PID] = os.getpid()
            return cls(segment, words, form)
        except Exception:
            if words is not None:
                words.release()
            segment.close()
            raise

    def read(self, position_samples: int, out: Audio, seek_id: int = 0) -> tuple[int, int]:
        """`look`, then `take`: for readers that look at no plan themselves.  [audio]"""
        self.look()
        return self.take(position_samples, out, seek_id)

    def take(self, position_samples: int, out: Audio, seek_id: int = 0) -> tuple[int, int]:
        """Copy the audio for host samples [position, position + len(out)) into `out` [n, channels], by `plan`.

        Returns (begin, end): `out[begin:end]` is audio, the first stretch without a gap; the rest of `out` is
        unchanged. After a gap read again from `end`. Late, stale and broken blocks are dropped and counted; later
        blocks stay. Never waits.  [audio]
        """
        last = position_samples + len(out)
        written = self._written()
        begin, cursor, drops = -1, position_samples, 0
        number = self._next
        while number < written and drops < MAX_DROPS_PER_READ:
            header = self._slots.header(number)
            start, usable = (0, 0) if header is None else (header[0], self._usable(header, seek_id))
            self.counters.broken_blocks += header is None
            if usable < 0:
                if not self._out_of_order(header, seek_id, written):
                    break
                self.counters.broken_blocks += 1
                usable = 0
            if usable == 0 or start + usable <= cursor:
                if usable and not self._begun:
                    self.counters.late_blocks += 1
                drops += 1
            else:
                first, end = max(start, cursor), min(start + usable, last)
                if start >= last or (begin >= 0 and first > cursor):
                    break
                block = self._slots.audio(number)[first - start : end - start]
                if _copied(block, out[first - position_samples : end - position_samples]):
                    begin = first if begin < 0 else begin
                    cursor = end
                else:
                    self.counters.broken_blocks += 1
                if start + usable > last:
                    self._begun = True
                    break
                self.counters.blocks += 1
            number += 1
            self._begun = False
        self._give_back(number)
        return (begin - position_samples, cursor - position_samples) if begin >= 0 else (0, 0)

    def _usable(self, header: Header, seek_id: int) -> int:
        """Samples of a block to use: 0 drops it, -1 leaves it for a later timeline."""
        start, plan_revision, of_seek_id, n_samples = header
        plan = self.plan
        overtaken = plan_revision < plan.plan_revision and plan.seek_id == seek_id
        if of_seek_id > seek_id and not overtaken:
            return -1
        if overtaken:  # a plan for this timeline replaces the music for later ones too
            here = of_seek_id == seek_id
            n_samples = min(n_samples, max(plan.from_samples - start, 0)) if here else 0
        if of_seek_id < seek_id or n_samples == 0:
            self.counters.stale_blocks += 1
            return 0
        return n_samples

    def _out_of_order(self, header: Header | None, seek_id: int, written: int) -> bool:
        """Whether a block for a later timeline can never be played: too far ahead, or present music follows it.

        An engine writes the timelines of one generation in order.
        """
        if header is None or header[2] - seek_id > MAX_SEEKS_AHEAD:
            return True
        newest = self._slots.header(written - 1)
        return newest is not None and newest[1] == header[1] and newest[2] <= seek_id

    def _written(self) -> int:
        written: int = self._words.u64[_BLOCKS_WRITTEN]
        self._words.fence()
        if 0 <= written - self._next <= self.form.capacity_blocks:
            return written
        self.counters.broken_blocks += 1
        self._next = written
        self._give_back(written)
        return written

    def _give_back(self, number: int) -> None:
        words = self._words
        if number != words.u64[_BLOCKS_READ]:
            self._next = number
            words.fence()
            words.u64[_BLOCKS_READ] = number

    def ahead_samples(self, position_samples: int) -> int:
        """How far the ring reaches beyond a position: its fill, 0 if it is empty.  [audio]"""
        if self._next >= self._words.u64[_BLOCKS_WRITTEN]:
            return 0
        return min(max(self._words.i64[_WRITTEN_END] - position_samples, 0), self.form.capacity_samples)

    def fill_samples(self, position_samples: int, seek_id: int) -> int:
        """Samples ready from a position on, or from where the music begins if that is later.  [audio]"""
        plan = self.plan
        begins = plan.sounding and plan.seek_id == seek_id and plan.start_samples > position_samples
        return self.ahead_samples(plan.start_samples if begins else position_samples)

    def lasts(self, position_samples: int, n_samples: int) -> bool:
        """Whether `n_samples` are ready from a position on, or all up to the plan's end.  [audio]"""
        return self.ahead_samples(position_samples) >= min(n_samples, self.plan.end_samples - position_samples)

    def look(self) -> PlaybackPlan:
        """Read the engine's newest plan and fader, if it has written them: once a block.  [audio]"""
        words = self._words
        if PLAN_LOCK.changed(words, self._plan_sequence):
            self.plan, self._plan_sequence = ring_form.read_plan(words, self.plan, self._plan_sequence)
        if FADER_LOCK.changed(words, self._fader_sequence):
            self.fader, self._fader_sequence = read_fader(words, self.fader, self._fader_sequence)
        return self.plan

    @property
    def planned(self) -> bool:
        """Whether a plan of the engine was read.  [audio]"""
        return self._plan_sequence != 0

    def publish(
        self,
        transport: Transport,
        seek_id: int,
        block_samples: int,
        underruns: int = 0,
        missed_samples: int = 0,
    ) -> None:
        """Publish the host's position, sign of life and counters for the engine.

        `timeline` numbers the host's timelines, see `Transport`.  [audio]
        """
        words, now_ns = self._words, time.monotonic_ns()
        write_transport(words, transport, seek_id, block_samples, now_ns)
        words.u64[_HOST_HEARTBEAT] = now_ns
        words.u64[_UNDERRUNS], words.u64[_UNDERRUN_SAMPLES] = underruns, missed_samples
        words.u64[_LATE], words.u64[_STALE] = self.counters.late_blocks, self.counters.stale_blocks

    @property
    def engine_pid(self) -> int:
        """The process that writes this ring.  [any]"""
        return int(self._words.get("engine_pid"))

    def is_ring(self, name: str) -> bool:
        """Whether the ring of this name is the one mapped here: names are reused, segments are not.  [main]"""
        try:
            return name == self.segment.name and ring_form.identity_of(name) == self.identity
        except SharedMemoryError:
            return False

    def engine_ended(self) -> bool:
        """Whether the engine's process was seen and has ended.  [main]"""
        return self._engine_seen and not pid_alive(self.identity[0])

    def engine_silent_seconds(self) -> float:
        """Seconds since the engine's last sign of life.  [any]"""
        return max(time.monotonic_ns() - int(self._words.u64[_HEARTBEAT]), 0) / 1e9

    def engine_alive(self) -> bool:
        """Whether the engine gave a sign of life in the last half second and has not closed the ring.  [any]"""
        closed = int(self._words.u32[_STATE]) == ENGINE_CLOSED
        return not closed and self.engine_silent_seconds() <= HEARTBEAT_LIMIT_SECONDS

    def check(self) -> None:
        """Raise SegmentMissing if the segment was truncated, removed or replaced.  [main]"""
        self.segment.check()

    def close(self) -> None:
        """Release the reader's slot and unmap; the audio thread must have stopped. May be called twice.  [main]"""
        if not self._closed:
            self._closed = True
            if int(self._words.u32[_HOST_PID]) == os.getpid():
                self._words.u32[_HOST_PID] = 0
            self._words.release()
            self._slots.release()
            self.segment.close()


def _copied(block: Audio, out: Audio) -> bool:
    """Copy a block, limited to +-LOUDEST; False, and nothing copied, if a sample is not finite."""
    flat = block.reshape(-1)
    energy = np.dot(flat, flat)
    if not energy < _LOUDEST_ENERGY:
        return False
    if energy > LOUDEST * LOUDEST:  # otherwise no sample is louder
        np.clip(block, -LOUDEST, LOUDEST, out=out)
    else:
        out[:] = block
    return True
