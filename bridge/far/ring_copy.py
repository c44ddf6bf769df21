"""The musician's end: a ring of this machine that is filled with the blocks of one elsewhere.

Hosts see a ring like any other. It lives on while the connection is down: its engine counts as alive and late, so a
host repeats its bar in phase, and plays on at a bar line once there is music again.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from bridge.far.frames import FrameError
from bridge.far.ring_source import (
    COUNTERS,
    FADED,
    FADER,
    HOST,
    HOSTED,
    PLAN,
    PLANNED,
    RING_HEAD,
    TRANSPORT,
    TRANSPORTED,
)
from bridge.ring.fader_block import FADER_LOCK
from bridge.ring.fields import Words, i64, u32, u64
from bridge.ring.form import PLAN_LOCK, RingForm
from bridge.ring.layout import ENGINE_CLOSED, ENGINE_READY, OFFSETS, SLOT, SLOT_BYTES
from bridge.ring.sequence_lock import SequenceLock
from bridge.ring.shared_memory import Segment, segment_name
from bridge.ring.slots import Slots
from bridge.ring.transport_block import read_transport
from bridge.ring.writer import RingWriter
from bridge.time.transport import Transport

_BLOCKS_WRITTEN, _BLOCKS_READ = u64("blocks_written"), u64("blocks_read")
_HOST_HEARTBEAT, _HOST_PID = u64("host_heartbeat_ns"), u32("host_pid")
_WRITTEN_END, _STATE = i64("written_end_samples"), u32("engine_state")
_SEEK_ID, _WRITTEN = u32("transport_timeline"), u64("transport_written_ns")
_TRANSPORT_LOCK = SequenceLock("transport_sequence", gives_way=True)
_COPIES = itertools.count()  # names: lanes of two engines, or of one after another, may have one number
_SLOT_DTYPE = np.dtype(
    {
        "names": [field.name for field in SLOT.fields],
        "formats": [{"Q": "<u8", "q": "<i8", "I": "<u4"}[field.code] for field in SLOT.fields],
        "offsets": [field.offset for field in SLOT.fields],
        "itemsize": SLOT_BYTES,
    }
)
_PLAN_SEEK_ID = OFFSETS["plan_timeline"] - PLAN.start


@dataclass(frozen=True)
class Update:
    """A RING frame's payload, in parts."""

    flags: int
    state: int
    written_end: int
    first: int
    count: int
    plan: bytes
    fader: bytes
    blocks: bytes

    @classmethod
    def of(cls, payload: bytes) -> Update:
        """From a frame; FrameError if it is too short.  [any]"""
        if len(payload) < RING_HEAD.size:
            raise FrameError(f"a ring's words have {RING_HEAD.size} bytes or more, got {len(payload)}")
        _, flags, state, end, first, count = RING_HEAD.unpack_from(payload)
        at = RING_HEAD.size
        plan_end = at + (PLAN.stop - PLAN.start if flags & PLANNED else 0)
        fader_end = plan_end + (FADER.stop - FADER.start if flags & FADED else 0)
        if len(payload) < fader_end:
            raise FrameError("a ring's words are cut short")
        plan, fader = payload[at:plan_end], payload[plan_end:fader_end]
        return cls(flags, state, end, first, count, plan, fader, payload[fader_end:])


class RingCopy:
    """One lane's copied ring. One thread calls all of it."""

    def __init__(self, form: RingForm) -> None:
        """Create the segment; SharedMemoryError.  [main]"""
        self.form = form
        self._writer = RingWriter(Segment.create(segment_name(next(_COPIES)), form.n_bytes), form)
        self._segment = self._writer.segment
        self._words = Words(self._segment)
        self._slots = Slots(self._segment, self._words, form)
        self._plan_waits = b""
        self._closed = False

    @property
    def name(self) -> str:
        """By which a host attaches.  [any]"""
        return self._segment.name

    @property
    def blocks_written(self) -> int:
        """The number of the first block that is not here.  [any]"""
        return int(self._words.u64[_BLOCKS_WRITTEN])

    def take(self, payload: bytes) -> None:
        """Take a RING frame: blocks, then fader and plan. FrameError for what does not fit.  [main]"""
        update, words = Update.of(payload), self._words
        self._take_blocks(update)
        words.i64[_WRITTEN_END] = update.written_end
        if update.fader:
            begun = FADER_LOCK.begin(words)
            self._segment.memory[FADER] = update.fader
            FADER_LOCK.end(words, begun)
        if update.plan:
            self._plan_waits = update.plan
        self.look()
        words.u32[_STATE] = ENGINE_CLOSED if update.state == ENGINE_CLOSED else ENGINE_READY

    def _take_blocks(self, update: Update) -> None:
        words, at, width = self._words, 0, 4 * self.form.channels
        written = self.blocks_written
        for number in range(update.first, update.first + update.count):
            if len(update.blocks) < at + SLOT_BYTES:
                raise FrameError("a block is cut short")
            header = np.frombuffer(update.blocks, _SLOT_DTYPE, 1, at)[0]
            at += SLOT_BYTES
            n_samples = int(header["slot_n_samples"]) if int(header["slot_number"]) == number else 0
            end = at + n_samples * width
            if n_samples > self.form.block_samples or end > len(update.blocks):
                raise FrameError(f"a block of {n_samples} samples")
            if number == written and written - int(words.u64[_BLOCKS_READ]) < self.form.capacity_blocks:
                audio = np.frombuffer(update.blocks, "<f4", n_samples * self.form.channels, at)
                self._slots.put(
                    number,
                    int(header["slot_position_samples"]),
                    int(header["slot_generation"]),
                    int(header["slot_timeline"]),
                    audio.reshape(n_samples, self.form.channels),
                )
                written += 1
            at = end
        words.fence()
        words.u64[_BLOCKS_WRITTEN] = written
        words.fence()

    def look(self) -> None:
        """Publish a plan that waits for its timeline: the engine sees the host ahead, in the loop's next pass too.

        [main]
        """
        plan, words = self._plan_waits, self._words
        if not plan:
            return
        seek_id = int.from_bytes(plan[_PLAN_SEEK_ID : _PLAN_SEEK_ID + 4], "little")
        if self.transport() is not None and seek_id > int(words.u32[_SEEK_ID]):
            return
        self._plan_waits = b""
        begun = PLAN_LOCK.begin(words)
        self._segment.memory[PLAN] = plan
        PLAN_LOCK.end(words, begun)

    def host(self, clock_ahead_ns: int, buffer_seconds: float) -> bytes:
        """The payload of a HOST frame; `clock_ahead_ns` is the engine's clock less this one.  [main]"""
        words = self._words
        hosted = HOSTED if int(words.u32[_HOST_PID]) and not self._writer.host_gone() else 0
        found = _TRANSPORT_LOCK.read(words, 0, self._copy_transport)
        transport, written_ns = found[0] if found else (b"", 0)
        heartbeat = int(words.u64[_HOST_HEARTBEAT])
        head = HOST.pack(
            self.form.lane,
            hosted | (TRANSPORTED if transport else 0),
            int(words.u64[_BLOCKS_READ]),
            heartbeat + clock_ahead_ns if heartbeat else 0,
            *(int(words.get(name)) for name in COUNTERS),
            written_ns + clock_ahead_ns if transport else 0,
            buffer_seconds,
        )
        return head + transport

    def _copy_transport(self, words: Words) -> tuple[bytes, int]:
        return bytes(self._segment.memory[TRANSPORT]), int(words.u64[_WRITTEN])

    def transport(self) -> Transport | None:
        """The host's newest transport, None before the first.  [any]"""
        found = read_transport(self._words, self.form.sample_rate_hz)
        return None if found is None else found[0]

    def fill_seconds(self) -> float:
        """Music ahead of the host, roughly: blocks that it has not given back.  [any]"""
        blocks = self.blocks_written - int(self._words.u64[_BLOCKS_READ])
        return blocks * self.form.block_samples / self.form.sample_rate_hz

    def late_blocks(self) -> int:
        """Blocks that came too late to be heard.  [any]"""
        return int(self._words.get("late_blocks"))

    def beat(self) -> None:
        """The sign of life for the host; every 100 ms.  [any]"""
        self._writer.beat()

    def close(self) -> None:
        """Mark the ring as closed, unlink and unmap. May be called twice.  [any]"""
        if not self._closed:
            self._closed = True
            self._words.u32[_STATE] = ENGINE_CLOSED
            self._words.release()
            self._slots.release()
            self._writer.close()
