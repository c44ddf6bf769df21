"""The engine's side of a ring: create it, write blocks, publish the plan, read the host's transport."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

from bridge.ring import form as ring_form
from bridge.ring import layout
from bridge.ring.fader_block import Fader, write_fader
from bridge.ring.fields import Words, i64, u32, u64
from bridge.ring.form import Audio, PlaybackPlan, RingForm
from bridge.ring.layout import ENGINE_CLOSED, ENGINE_READY
from bridge.ring.shared_memory import Segment, pid_alive, segment_name
from bridge.ring.slots import Slots
from bridge.ring.transport_block import read_transport
from bridge.time.transport import Transport
from bridge.time.units import nearest, seconds_to_samples

_BLOCKS_WRITTEN, _BLOCKS_READ = u64("blocks_written"), u64("blocks_read")
_HEARTBEAT, _HOST_HEARTBEAT = u64("engine_heartbeat_ns"), u64("host_heartbeat_ns")
_WRITTEN_END, _STATE, _HOST_PID = i64("written_end_samples"), u32("engine_state"), u32("host_pid")

Found = TypeVar("Found")


def capacity_for(seconds: float, sample_rate_hz: int, block_samples: int = 256) -> int:
    """Blocks, a power of two, that hold at least `seconds`.  [any]"""
    blocks = -(-nearest(seconds_to_samples(seconds, sample_rate_hz)) // block_samples)
    return max(layout.MIN_CAPACITY_BLOCKS, 1 << (blocks - 1).bit_length())


class RingWriter:
    """One lane's ring, created and written by the engine. One thread calls `write` and `set_plan`.

    The host gets the segment's name in the reply to "open lane"; `close` removes it.
    """

    def __init__(self, segment: Segment, form: RingForm) -> None:
        self.form = form
        self.segment = segment
        self.plan = PlaybackPlan()
        self.fader: Fader | None = None  # last published
        self._words = Words(segment)
        self._slots = Slots(segment, self._words, form)
        self._written = 0
        ring_form.publish_form(segment, self._words, form, os.getpid(), time.monotonic_ns())
        self.beat()
        self._words.u32[_STATE] = ENGINE_READY

    @classmethod
    def create(
        cls, lane: int, sample_rate_hz: int, channels: int = 2, seconds: float = 8.0, block_samples: int = 256
    ) -> RingWriter:
        """Create the segment of a lane with room for at least `seconds`.

        Raises ValueError for sizes out of range and SharedMemoryError if the system gives no memory.  [control]
        """
        capacity_blocks = capacity_for(seconds, sample_rate_hz, block_samples)
        form = RingForm(sample_rate_hz, channels, block_samples, capacity_blocks, lane)
        return cls(Segment.create(segment_name(lane), form.n_bytes), form)

    @property
    def name(self) -> str:
        """The name by which a host attaches.  [any]"""
        return self.segment.name

    @property
    def space_samples(self) -> int:
        """Samples that `write` accepts now in whole blocks.  [generate]"""
        return self._space_blocks() * self.form.block_samples

    @property
    def written_end_samples(self) -> int:
        """Host position right after the last sample written.  [generate]"""
        return int(self._words.i64[_WRITTEN_END])

    def write(
        self, position_samples: int, audio: Audio, plan_revision: int, seek_id: int = 0, shift_samples: int = 0
    ) -> int:
        """Publish `audio` float32 [n, channels], whose first sample belongs at `position_samples`.

        For audio of a later pass of the host's loop, `shift_samples` is how much later that is than in the present
        pass; it counts for `written_end_samples` only. Returns how many samples were written: fewer than n if
        the ring is full (an overrun of the caller; write the rest later, at its own position). A last part
        shorter than a block takes a slot too. ValueError for another shape or dtype.  [generate]
        """
        if audio.ndim != 2 or audio.shape[1] != self.form.channels or audio.dtype.str != "<f4":
            raise ValueError(f"audio must be float32 [n, {self.form.channels}], got {audio.dtype} {audio.shape}")
        block_samples = self.form.block_samples
        n_blocks = min(-(-len(audio) // block_samples), self._space_blocks())
        taken = min(len(audio), n_blocks * block_samples)
        for begin in range(0, taken, block_samples):
            end = min(begin + block_samples, taken)
            self._slots.put(self._written, position_samples + begin, plan_revision, seek_id, audio[begin:end])
            self._written += 1
        if taken:
            words = self._words
            words.fence()
            words.u64[_BLOCKS_WRITTEN] = self._written
            words.fence()  # a host that reads the new end must find the blocks
            words.i64[_WRITTEN_END] = position_samples + taken + shift_samples
        return taken

    def set_reach(self, end_samples: int) -> None:
        """Publish again up to where the valid audio reaches, counted from the host's present pass.

        Call it after the host has passed its loop's end, and after a newer plan replaces written audio.  [generate]
        """
        self._words.i64[_WRITTEN_END] = end_samples

    def _space_blocks(self) -> int:
        unread = self._written - int(self._words.u64[_BLOCKS_READ])
        return min(max(self.form.capacity_blocks - unread, 0), self.form.capacity_blocks)

    def set_plan(self, plan: PlaybackPlan) -> None:
        """Publish when sound is due, and from where on older blocks are invalid.  [generate]"""
        self.plan = plan
        ring_form.write_plan(self._words, plan)

    def set_fader(self, fader: Fader) -> None:
        """Publish the lane's gain and its next changes, which a repeated bar follows.  [generate]"""
        if fader != self.fader:
            self.fader = fader
            write_fader(self._words, fader)

    def beat(self) -> None:
        """Give a sign of life; call it at least every 100 ms, also while nothing plays.  [any]"""
        self._words.u64[_HEARTBEAT] = time.monotonic_ns()

    def transport(self) -> Transport | None:
        """The host's newest snapshot, None if it has not written one (or is writing now).  [generate]"""
        found = self._while_open(lambda: read_transport(self._words, self.form.sample_rate_hz), None)
        return None if found is None else found[0]

    def transport_said(self) -> tuple[Transport, float] | None:
        """The host's newest snapshot, and its time on the monotonic clock; None as above.  [generate]"""
        found = self._while_open(lambda: read_transport(self._words, self.form.sample_rate_hz), None)
        return None if found is None else (found[0], found[1] / 1e9)

    @property
    def host_pid(self) -> int:
        """The process that reads this ring; 0 for none, and after `close`.  [any]"""
        return self._while_open(lambda: int(self._words.u32[_HOST_PID]), 0)

    def _while_open(self, look: Callable[[], Found], closed: Found) -> Found:
        """The result of reading the words; `closed` if another thread has released them meanwhile."""
        try:
            return look()
        except ValueError:
            if not self._closed:
                raise
            return closed

    def host_gone(self) -> bool:
        """Whether a host was attached and its process has ended: the lane can be freed.  [control]"""
        pid = self.host_pid
        return pid != 0 and not pid_alive(pid)

    def host_silent_seconds(self) -> float:
        """Seconds since the host last played a block; infinity if it never has.  [any]"""
        last_ns = self._while_open(lambda: int(self._words.u64[_HOST_HEARTBEAT]), 0)
        return (time.monotonic_ns() - last_ns) / 1e9 if last_ns else float("inf")

    def host_counters(self) -> dict[str, int]:
        """The host's counters: underruns, underrun_samples, late_blocks, stale_blocks.  [any]"""
        names = ("underruns", "underrun_samples", "late_blocks", "stale_blocks")
        return self._while_open(lambda: {name: int(self._words.get(name)) for name in names}, dict.fromkeys(names, 0))

    def close(self) -> None:
        """Mark the ring as closed, unlink and unmap. May be called twice.  [any]"""
        if self.segment.n_bytes and not self._closed:
            self._closed = True
            self._words.u32[_STATE] = ENGINE_CLOSED
            self.segment.unlink()
            self._words.release()
            self._slots.release()
            self.segment.close()

    _closed = False
