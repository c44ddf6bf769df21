"""Pictures of the lanes' sound: minimum and maximum of each block of a ring, with its place on the host's timeline.

    played | committed | still changeable |        a lane's ring, read without moving a counter
           ^ host      ^ host + COMMITTED_SECONDS  ^ written end

A block that the engine makes again comes again, with the same place: the browser draws the newest.
"""

from __future__ import annotations

import struct
import time
from contextlib import suppress

import numpy as np

from bridge.errors import SegueError
from bridge.ring import form as ring_form
from bridge.ring.form import PlaybackPlan, read_plan
from bridge.ring.listener import RingListener
from bridge.ring.shared_memory import Segment
from bridge.ring.transport_block import read_transport
from bridge.time.transport import Transport

COMMITTED_SECONDS = 0.45  # ahead of the host: the engine makes nothing again that sounds so soon
COLUMNS_MAX = 400  # in one message
HEAD = struct.Struct("<BBHIIIdddd")  # kind, lane, columns, rate, block, seek; host, committed, written end, playing
COLUMN = np.dtype([("place", "<i4"), ("low", "i1"), ("high", "i1")])
PICTURE = 1
STALE_SECONDS = 0.5  # a transport block older than this: its host has gone


class LanePicture:
    """Reads one ring; SegueError if it cannot be attached.  [any], one thread at a time"""

    def __init__(self, lane: int, name: str) -> None:
        self.lane, self.name = lane, name
        self._listener = RingListener.attach(name)
        try:
            self._segment = Segment.attach(name)
            self._words = ring_form.header_words(self._segment)
        except Exception:
            self._listener.close()
            raise
        self._plan, self._plan_sequence = PlaybackPlan(), 0
        form = self._listener.form
        self._block = np.empty((form.block_samples, form.channels), np.float32)

    def read(self) -> bytes | None:
        """The blocks since the last read, as a message; None if the ring is gone.  [any]"""
        with suppress(SegueError, ValueError):
            self._segment.check()
            return self._message(self._columns())
        return None

    def host(self) -> tuple[Transport, float, int] | None:
        """The host's transport, the age of its snapshot in seconds, and its block in samples.  [any]"""
        found = read_transport(self._words, self._listener.form.sample_rate_hz)
        if found is None:
            return None
        transport, written_ns = found
        return transport, (time.monotonic_ns() - written_ns) / 1e9, int(self._words.get("host_block_samples"))

    def _columns(self) -> np.ndarray:
        found: list[tuple[int, int, int]] = []
        size = self._listener.form.block_samples
        while len(found) < COLUMNS_MAX and (read := self._listener.read(self._block)) is not None:
            position, n_samples, _ = read
            block = self._block[:n_samples]
            low, high = (int(127 * max(-1.0, min(1.0, float(edge)))) for edge in (block.min(), block.max()))
            found.append((max(-(2**31), min(2**31 - 1, position // size)), low, high))
        return np.array(found, COLUMN)

    def _message(self, columns: np.ndarray) -> bytes:
        form = self._listener.form
        seen = self.host()
        host, playing, seek = -1.0, 0.0, 0
        if seen is not None:
            transport, age, _ = seen
            playing = float(transport.playing and age < STALE_SECONDS)
            host = transport.position_samples + playing * age * form.sample_rate_hz
            seek = transport.seek_id & 0xFFFFFFFF
        self._plan, self._plan_sequence = read_plan(self._words, self._plan, self._plan_sequence)
        end = float(self._words.get("written_end_samples")) if self._plan.sounding else host
        committed = min(end, host + COMMITTED_SECONDS * form.sample_rate_hz)
        head = HEAD.pack(
            PICTURE, self.lane, len(columns), form.sample_rate_hz, form.block_samples, seek,
            host, committed, end, playing,
        )  # fmt: skip
        return head + columns.tobytes()

    def close(self) -> None:
        """Unmap. May be called twice.  [any]"""
        self._words.release()
        self._segment.close()
        self._listener.close()
