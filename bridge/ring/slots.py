"""The slots of a ring: headers and audio of numbered blocks, for writer, reader and listeners."""

from __future__ import annotations

import numpy as np

from bridge.ring import layout
from bridge.ring.fields import Words
from bridge.ring.form import Audio, RingForm
from bridge.ring.shared_memory import Segment

_WORDS_64 = layout.SLOT_BYTES // 8
_BASE_64 = layout.HEADER_BYTES // 8
_WORDS_32 = layout.SLOT_BYTES // 4
_BASE_32 = layout.HEADER_BYTES // 4
_PLACES = {field.name: field.offset // layout.SIZES[field.code] for field in layout.SLOT.fields}
_NUMBER_64, _POSITION_64 = _PLACES["slot_number"], _PLACES["slot_position_samples"]
_PLAN_REVISION_32, _SEEK_ID_32 = _PLACES["slot_generation"], _PLACES["slot_timeline"]
_N_SAMPLES_32 = _PLACES["slot_n_samples"]

Header = tuple[int, int, int, int]


class Slots:
    """Views on slot headers and payload; block `number` lies in slot number mod capacity."""

    def __init__(self, segment: Segment, words: Words, form: RingForm) -> None:
        self._words = words
        self._mask = form.capacity_blocks - 1
        self._block_samples = form.block_samples
        begin = layout.payload_offset(form.capacity_blocks)
        flat = np.frombuffer(segment.memory[begin : form.n_bytes], dtype="<f4")
        self._payload: Audio = flat.reshape(form.capacity_blocks, form.block_samples, form.channels)

    def put(self, number: int, position_samples: int, plan_revision: int, seek_id: int, block: Audio) -> None:
        """Fill a slot with at most block_samples; the counter publishes it afterwards.  [generate]"""
        slot, words = number & self._mask, self._words
        base32, base64 = _BASE_32 + slot * _WORDS_32, _BASE_64 + slot * _WORDS_64
        self._payload[slot, : len(block)] = block
        words.i64[base64 + _POSITION_64] = position_samples
        words.u32[base32 + _PLAN_REVISION_32] = plan_revision
        words.u32[base32 + _SEEK_ID_32] = seek_id
        words.u32[base32 + _N_SAMPLES_32] = len(block)
        words.u64[base64 + _NUMBER_64] = number

    def header(self, number: int) -> Header | None:
        """(position_samples, plan_revision, seek_id, n_samples); None if the slot is invalid.  [audio]"""
        slot, words = number & self._mask, self._words
        base32, base64 = _BASE_32 + slot * _WORDS_32, _BASE_64 + slot * _WORDS_64
        n_samples: int = words.u32[base32 + _N_SAMPLES_32]
        if words.u64[base64 + _NUMBER_64] != number or not 0 < n_samples <= self._block_samples:
            return None
        return (
            words.i64[base64 + _POSITION_64],
            words.u32[base32 + _PLAN_REVISION_32],
            words.u32[base32 + _SEEK_ID_32],
            n_samples,
        )

    def audio(self, number: int) -> Audio:
        """Samples [block_samples, channels] of a block, shared with the writer.  [audio]"""
        return self._payload[number & self._mask]

    def release(self) -> None:
        """Release the memory, so that it can be unmapped.  [any]"""
        self._payload = self._payload[:0].copy()
