"""Shared by writer, reader and listeners of a ring: its form, its views, and the engine's plan.

blocks_read ----v         v---- blocks_written            number:  only counts up
[ .. ][ .. ][ 5 ][ 6 ][ 7 ][ .. ][ .. ][ .. ]              slot  =  number mod capacity
              ^ owner reads here    ^ writer fills here
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.errors import SegmentForeign, SegmentMissing
from bridge.ring import layout
from bridge.ring.fields import Words, i64, u32
from bridge.ring.layout import ENDLESS_SAMPLES, HEADER_BYTES, PLAN_SOUNDING
from bridge.ring.sequence_lock import SequenceLock
from bridge.ring.shared_memory import Segment

Audio = NDArray[np.float32]

PLAN_LOCK = SequenceLock("plan_sequence")
_PLAN_REVISION, _SEEK_ID, _FLAGS = u32("plan_generation"), u32("plan_timeline"), u32("plan_flags")
_FROM, _START, _END = i64("plan_from_samples"), i64("plan_start_samples"), i64("plan_end_samples")


@dataclass(frozen=True, slots=True)
class RingForm:
    """Sizes of a ring; ValueError for sizes outside the layout's limits."""

    sample_rate_hz: int
    channels: int = 2
    block_samples: int = 256
    capacity_blocks: int = 2048
    lane: int = 0

    def __post_init__(self) -> None:
        _within("sample_rate_hz", self.sample_rate_hz, layout.MIN_RATE_HZ, layout.MAX_RATE_HZ)
        _within("channels", self.channels, 1, layout.MAX_CHANNELS)
        _within("block_samples", self.block_samples, layout.MIN_BLOCK_SAMPLES, layout.MAX_BLOCK_SAMPLES)
        _within("capacity_blocks", self.capacity_blocks, layout.MIN_CAPACITY_BLOCKS, layout.MAX_CAPACITY_BLOCKS)
        if self.capacity_blocks & (self.capacity_blocks - 1):
            raise ValueError(f"capacity_blocks must be a power of two, got {self.capacity_blocks}")

    @property
    def capacity_samples(self) -> int:
        """Samples that the ring holds in whole blocks.  [any]"""
        return self.block_samples * self.capacity_blocks

    @property
    def n_bytes(self) -> int:
        """Size of the whole segment.  [any]"""
        return layout.segment_bytes(self.channels, self.block_samples, self.capacity_blocks)


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be {low}..{high}, got {value}")


@dataclass(frozen=True, slots=True)
class PlaybackPlan:
    """The engine's plan: sound is due in [start, end) of a timeline, of this generation from `from` on.

    Blocks of older generations stay valid before `from_samples`, so that a change of prompt takes over in the middle of
    the audio that is ready. Positions belong to `timeline`; a host that has jumped since ignores them until the engine
    publishes a new plan.
    """

    plan_revision: int = 0
    sounding: bool = False
    from_samples: int = 0
    start_samples: int = 0
    end_samples: int = ENDLESS_SAMPLES
    seek_id: int = 0


def write_plan(words: Words, plan: PlaybackPlan) -> None:
    """Publish a plan under its sequence lock; only the engine does.  [generate]"""
    begun = PLAN_LOCK.begin(words)
    words.u32[_PLAN_REVISION] = plan.plan_revision
    words.u32[_SEEK_ID] = plan.seek_id
    words.u32[_FLAGS] = PLAN_SOUNDING if plan.sounding else 0
    words.i64[_FROM] = plan.from_samples
    words.i64[_START] = plan.start_samples
    words.i64[_END] = plan.end_samples
    PLAN_LOCK.end(words, begun)


def read_plan(words: Words, known: PlaybackPlan, known_sequence: int) -> tuple[PlaybackPlan, int]:
    """The plan and its sequence; the known ones if nothing changed or it is being written.  [audio]"""
    return PLAN_LOCK.read(words, known_sequence, _copy_plan) or (known, known_sequence)


def _copy_plan(words: Words) -> PlaybackPlan:
    flags, plan_revision, seek_id = words.u32[_FLAGS], words.u32[_PLAN_REVISION], words.u32[_SEEK_ID]
    begin, start, end = words.i64[_FROM], words.i64[_START], words.i64[_END]
    return PlaybackPlan(plan_revision, bool(flags & PLAN_SOUNDING), begin, start, end, seek_id)


def publish_form(segment: Segment, words: Words, form: RingForm, engine_pid: int, now_ns: int) -> None:
    """Write the identity of a new segment, the magic last.  [any]"""
    for name, value in (
        ("version", layout.VERSION),
        ("segment_bytes", segment.n_bytes),
        ("sample_rate_hz", form.sample_rate_hz),
        ("channels", form.channels),
        ("block_samples", form.block_samples),
        ("capacity_blocks", form.capacity_blocks),
        ("slots_offset", HEADER_BYTES),
        ("payload_offset", layout.payload_offset(form.capacity_blocks)),
        ("lane", form.lane),
        ("engine_pid", engine_pid),
        ("created_ns", now_ns),
    ):
        words.put(name, value)
    words.fence()
    words.put("magic", layout.MAGIC)


def read_form(segment: Segment, words: Words) -> RingForm:
    """Check a segment's identity against its true size and return its form.

    Raises SegmentForeign, with the reason, for another version, another kind of segment, or sizes that do not fit: a
    reader never accesses memory outside.  [main]
    """
    magic, version = int(words.get("magic")), int(words.get("version"))
    if magic != layout.MAGIC:
        raise SegmentForeign(f"{segment.name} is not a Segue ring (magic {magic:#010x})")
    if version != layout.VERSION:
        raise SegmentForeign(f"{segment.name} has layout version {version}, this host reads {layout.VERSION}")
    names = ("sample_rate_hz", "channels", "block_samples", "capacity_blocks", "lane")
    try:
        form = RingForm(*(int(words.get(name)) for name in names))
    except ValueError as error:
        raise SegmentForeign(f"{segment.name}: {error}") from error
    wanted = {
        "segment_bytes": form.n_bytes,
        "slots_offset": HEADER_BYTES,
        "payload_offset": layout.payload_offset(form.capacity_blocks),
    }
    for name, value in wanted.items():
        if words.get(name) != value:
            raise SegmentForeign(f"{segment.name}: {name} is {words.get(name)} and should be {value}")
    if segment.n_bytes < form.n_bytes:
        raise SegmentMissing(f"{segment.name} has {segment.n_bytes} of {form.n_bytes} bytes")
    return form


def identity_of(name: str) -> tuple[int, int]:
    """The segment of a name: its engine's process and its time of creation; errors as `Segment.attach`.  [main]"""
    segment = Segment.attach(name)
    try:
        words = header_words(segment)
        try:
            return identity(words)
        finally:
            words.release()
    finally:
        segment.close()


def identity(words: Words) -> tuple[int, int]:
    """What distinguishes two segments of one name: the engine's process, and the time of creation.  [any]"""
    return int(words.get("engine_pid")), int(words.get("created_ns"))


def header_words(segment: Segment) -> Words:
    """Words of a segment; SegmentForeign if it is too small for a header.  [main]"""
    if segment.n_bytes < HEADER_BYTES:
        raise SegmentForeign(f"{segment.name} has {segment.n_bytes} bytes, less than a header")
    return Words(segment)
