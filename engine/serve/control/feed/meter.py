"""The level of a lane as it is heard: from the blocks of its ring, at the host's position.

A further reader of the ring, on [feed]: nothing is measured where the music is made, and nothing at all while nobody
has subscribed. Each block is read once, when it is written; its peak and energy wait in a table for the host.
"""

from __future__ import annotations

import math

import numpy as np

from bridge.control.state_rows import SILENCE_DB
from bridge.ring.form import PlaybackPlan
from bridge.ring.listener import RingListener
from bridge.time.transport import Transport

WINDOW_SECONDS = 0.1
BLOCKS_MAX = 8192  # in the table
SILENT = (SILENCE_DB, SILENCE_DB)
_Block = tuple[int, int, float, float]  # position, plan revision, peak, mean square
_LEAST = 10.0 ** (SILENCE_DB / 20.0)


class Meter:
    """The level meter of one lane's ring; errors of a ring that is gone as `RingListener.attach`.  [feed]"""

    def __init__(self, ring: str) -> None:
        self._listener = RingListener.attach(ring, past=True)
        form = self._listener.form
        self._block_samples, self._rate_hz = form.block_samples, form.sample_rate_hz
        self._out = np.zeros((form.block_samples, form.channels), np.float32)
        self._blocks: dict[tuple[int, int], _Block] = {}  # by seek id and position in blocks; the newest counts

    def read(self) -> None:
        """Read the blocks that were written since the last time."""
        while (block := self._listener.read(self._out)) is not None:
            position, n_samples, plan_revision = block
            flat = self._out[:n_samples].reshape(-1)
            peak, energy = float(np.abs(flat).max()), float(np.dot(flat, flat)) / len(flat)
            if math.isfinite(energy):
                key = self._listener.seek_id, position // self._block_samples
                self._blocks[key] = position, plan_revision, peak, energy
        if len(self._blocks) > BLOCKS_MAX:
            self._blocks = dict(list(self._blocks.items())[BLOCKS_MAX // 2 :])

    def level_db(self, transport: Transport, plan: PlaybackPlan) -> tuple[float, float]:
        """Peak and RMS in dB of the last WINDOW_SECONDS before a host that plays; SILENCE_DB where there is nothing."""
        if not transport.playing:
            return SILENT
        size, end = self._block_samples, transport.position_samples
        first = (end - int(WINDOW_SECONDS * self._rate_hz)) // size
        peak = total = 0.0
        for number in range(first, end // size + 1):
            block = self._blocks.get((transport.seek_id, number))
            if block is not None and _counts(block, plan, transport.seek_id):
                peak, total = max(peak, block[2]), total + block[3]
        return _db(peak), _db(math.sqrt(total / (end // size + 1 - first)))

    def close(self) -> None:
        """Unmap the ring."""
        self._listener.close()


def _counts(block: _Block, plan: PlaybackPlan, seek_id: int) -> bool:
    """Whether the host plays a block, as `RingReader` decides."""
    position, plan_revision = block[:2]
    if plan.seek_id != seek_id:
        return True
    return (plan_revision >= plan.plan_revision or position < plan.from_samples) and position < plan.end_samples


def _db(value: float) -> float:
    return 20.0 * math.log10(max(value, _LEAST))
