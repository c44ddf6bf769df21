"""The engine's end of a ring that is copied to another machine: its blocks out, the host's words in.

Block n here is block n of the copy, and `blocks_read` here is the copy's, some milliseconds later. So the engine never
writes more than the copy has room for, a copy that was cut off knows from which number on to ask again, and the engine
makes music only as fast as the host plays it, whatever the two clocks do.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

from bridge.errors import SharedMemoryError
from bridge.far.frames import FrameError
from bridge.ring.fader_block import FADER_LOCK
from bridge.ring.fields import Words, i64, u32, u64
from bridge.ring.form import PLAN_LOCK
from bridge.ring.layout import ENGINE_CLOSED, HEADER_BYTES, OFFSETS, SLOT_BYTES
from bridge.ring.reader import RingReader
from bridge.ring.slots import Slots
from bridge.ring.transport_block import read_transport, write_transport
from bridge.time.transport import Transport

PLAN = slice(OFFSETS["plan_sequence"] + 4, OFFSETS["plan_sequence"] + 64)
FADER = slice(OFFSETS["fader_sequence"] + 4, OFFSETS["fader_sequence"] + 64)
TRANSPORT = slice(OFFSETS["transport_sequence"] + 4, OFFSETS["transport_sequence"] + 128)
PLANNED, FADED = 1, 2
RING_HEAD = struct.Struct("<BBIqQI")  # lane, PLANNED | FADED, engine_state, written_end, first block's number, blocks
HOST = struct.Struct("<BBQQQQQQqd")  # lane, hosted | transport, blocks_read, heartbeat, 4 counters, written, buffer
HOSTED, TRANSPORTED = 1, 2
COUNTERS = ("underruns", "underrun_samples", "late_blocks", "stale_blocks")
BLOCKS_MAX = 128  # of one frame

_BLOCKS_WRITTEN, _BLOCKS_READ = u64("blocks_written"), u64("blocks_read")
_HOST_HEARTBEAT, _HOST_PID = u64("host_heartbeat_ns"), u32("host_pid")
_WRITTEN_END, _STATE = i64("written_end_samples"), u32("engine_state")
Shift = Callable[[Transport, int, float], tuple[Transport, int]]  # written when, seconds of buffer: where, and when


@dataclass(frozen=True)
class HostWords:
    """The words of a host on the other machine; clocks are the engine's machine's."""

    lane: int
    hosted: bool
    blocks_read: int
    heartbeat_ns: int
    counters: tuple[int, ...]
    written_ns: int
    buffer_seconds: float
    transport: bytes

    @classmethod
    def of(cls, payload: bytes) -> HostWords:
        """From a frame; FrameError.  [any]"""
        if len(payload) < HOST.size:
            raise FrameError(f"a host's words have {HOST.size} bytes or more, got {len(payload)}")
        lane, flags, read, heartbeat, *counters, written, buffer = HOST.unpack_from(payload)
        transport = payload[HOST.size :] if flags & TRANSPORTED else b""
        if len(transport) not in (0, TRANSPORT.stop - TRANSPORT.start):
            raise FrameError(f"a transport of {len(transport)} bytes")
        return cls(lane, bool(flags & HOSTED), read, heartbeat, tuple(counters), written, buffer, transport)


class RingSource:
    """A lane's ring as its owning reader, for a host elsewhere. One thread calls all of it."""

    def __init__(self, name: str) -> None:
        """Attach; errors as `RingReader.attach`.  [main]"""
        self._reader = RingReader.attach(name)
        self.name, self.form, self.identity = name, self._reader.form, self._reader.identity
        self._words = Words(self._reader.segment)
        self._slots = Slots(self._reader.segment, self._words, self.form)
        self._memory = self._reader.segment.memory
        self._closed = False
        self._next = int(self._words.u64[_BLOCKS_READ])
        self._plan = self._fader = (b"", 0)
        self._plan_due: tuple[bytes, int] | None = None  # a plan, and the blocks that go before it
        self._told = (-1, -1)
        self._words.u32[_HOST_PID] = 0  # until a host is there

    def resume(self, blocks_written: int) -> None:
        """The copy has the blocks below this number, and nothing else is known of it.  [main]"""
        low, high = int(self._words.u64[_BLOCKS_READ]), int(self._words.u64[_BLOCKS_WRITTEN])
        self._next = min(max(blocks_written, low), high)
        self._plan = self._fader = (b"", 0)
        self._plan_due, self._told = None, (-1, -1)

    def update(self) -> bytes:
        """The payload of a RING frame with what is new, empty if nothing is.  [main]

        A plan goes behind the blocks that were written before it.
        """
        words = self._words
        if found := PLAN_LOCK.read(words, self._plan[1], lambda _: bytes(self._memory[PLAN])):
            self._plan = found
            self._plan_due = found[0], int(words.u64[_BLOCKS_WRITTEN])
        fader = FADER_LOCK.read(words, self._fader[1], lambda _: bytes(self._memory[FADER]))
        self._fader = fader or self._fader
        written = int(words.u64[_BLOCKS_WRITTEN])
        words.fence()
        told = int(words.i64[_WRITTEN_END]), int(words.u32[_STATE])
        first, count = self._next, min(written - self._next, BLOCKS_MAX)
        blocks = b"".join(map(self._block, range(first, first + count)))
        self._next += count
        plan = b""
        if self._plan_due is not None and self._next >= self._plan_due[1]:
            plan, self._plan_due = self._plan_due[0], None
        if not (blocks or plan or fader) and told == self._told:
            return b""
        self._told = told
        flags = (PLANNED if plan else 0) | (FADED if fader else 0)
        head = RING_HEAD.pack(self.form.lane, flags, told[1], told[0], first, count)
        return head + plan + (fader[0] if fader else b"") + blocks

    def _block(self, number: int) -> bytes:
        """Header and samples of a block; one that cannot be read is sent as it is, and dropped by its reader."""
        at = HEADER_BYTES + (number & (self.form.capacity_blocks - 1)) * SLOT_BYTES
        header = self._slots.header(number)
        n_samples = header[3] if header else 0
        return bytes(self._memory[at : at + SLOT_BYTES]) + self._slots.audio(number)[:n_samples].tobytes()

    def take(self, host: HostWords, shift: Shift) -> None:
        """Write the host's words into the ring; the transport as `shift` moves it on.  [main]"""
        words = self._words
        read = int(words.u64[_BLOCKS_READ])
        words.u32[_HOST_PID] = os.getpid() if host.hosted else 0
        words.fence()
        words.u64[_BLOCKS_READ] = min(max(host.blocks_read, read), int(words.u64[_BLOCKS_WRITTEN]))
        for name, value in zip(COUNTERS, host.counters, strict=True):
            words.put(name, value)
        words.u64[_HOST_HEARTBEAT] = host.heartbeat_ns
        if host.transport:
            self._take_transport(host, shift)

    def _take_transport(self, host: HostWords, shift: Shift) -> None:
        """Through a header of its own, so that the words are checked as those of a host here."""
        header = bytearray(HEADER_BYTES)
        header[TRANSPORT] = host.transport
        header[OFFSETS["transport_sequence"]] = 2
        found = read_transport(HeaderWords(header), self.form.sample_rate_hz)
        if found is not None:
            at = OFFSETS["host_block_samples"]
            block_samples = int.from_bytes(header[at : at + 4], "little")
            moved, written_ns = shift(found[0], host.written_ns, host.buffer_seconds)
            write_transport(self._words, moved, moved.seek_id, block_samples, written_ns)

    def still_played(self, now_ns: int) -> None:
        """The host is out of reach for a moment and goes on: the lane is not freed.  [main]"""
        if int(self._words.u32[_HOST_PID]):
            self._words.u64[_HOST_HEARTBEAT] = now_ns

    @property
    def closed(self) -> bool:
        """Whether the engine has closed the ring, or is gone.  [main]"""
        if int(self._words.u32[_STATE]) == ENGINE_CLOSED or self._reader.engine_ended():
            return True
        try:
            self._reader.check()
        except SharedMemoryError:
            return True
        return False

    def close(self) -> None:
        """Leave the ring. May be called twice.  [main]"""
        if not self._closed:
            self._closed = True
            self._words.release()
            self._slots.release()
            self._reader.close()


class HeaderWords(Words):
    """Words on a copy of a header."""

    def __init__(self, header: bytearray) -> None:
        super().__init__(SimpleNamespace(memory=memoryview(header), n_bytes=len(header)))  # type: ignore[arg-type]
