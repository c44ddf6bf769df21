"""The transport block of a segment: the host's audio thread writes it, the engine reads it, neither waits."""

from __future__ import annotations

import math

from bridge.ring.fields import Words, f64, i64, u32, u64
from bridge.ring.layout import TRANSPORT_LOOPING, TRANSPORT_PLAYING
from bridge.ring.sequence_lock import SequenceLock
from bridge.time.transport import Grid, Transport
from bridge.time.units import Signature, quick_beats

_LOCK, _NEVER = SequenceLock("transport_sequence", gives_way=True), 0
_FLAGS, _SEEK_ID, _BLOCK = u32("transport_flags"), u32("transport_timeline"), u32("host_block_samples")
_POSITION, _WRITTEN = i64("position_samples"), u64("transport_written_ns")
_BPM, _BEATS = f64("tempo_bpm"), f64("position_beats")
_ANCHOR_SAMPLES, _ANCHOR_BEATS = i64("anchor_samples"), f64("anchor_beats")
_NUMERATOR, _DENOMINATOR = u32("signature_numerator"), u32("signature_denominator")
_ORIGIN, _LOOP_START, _LOOP_END = f64("bar_origin_beats"), f64("loop_start_beats"), f64("loop_end_beats")


def write_transport(words: Words, transport: Transport, seek_id: int, block_samples: int, now_ns: int) -> None:
    """Publish a snapshot for the block of `block_samples` that begins at its position.

    `timeline` is the number that counts; the snapshot's may be older.  [audio]
    """
    u32_, f64_ = words.u32, words.f64
    begun = _LOCK.begin(words)
    grid = transport.grid
    loop = transport.loop_beats
    u32_[_FLAGS] = (TRANSPORT_PLAYING if transport.playing else 0) | (TRANSPORT_LOOPING if loop else 0)
    u32_[_SEEK_ID] = seek_id & 0xFFFFFFFF
    u32_[_BLOCK] = block_samples
    words.i64[_POSITION] = transport.position_samples
    words.u64[_WRITTEN] = now_ns
    f64_[_BPM] = grid.tempo_bpm
    passed = transport.position_samples - grid.anchor_samples
    f64_[_BEATS] = grid.anchor_beats + quick_beats(passed, grid.tempo_bpm, grid.sample_rate_hz)
    words.i64[_ANCHOR_SAMPLES] = grid.anchor_samples
    f64_[_ANCHOR_BEATS] = grid.anchor_beats
    u32_[_NUMERATOR] = grid.signature.numerator
    u32_[_DENOMINATOR] = grid.signature.denominator
    f64_[_ORIGIN] = grid.bar_origin_beats
    f64_[_LOOP_START], f64_[_LOOP_END] = loop if loop else (0.0, 0.0)
    _LOCK.end(words, begun)


def read_transport(words: Words, sample_rate_hz: int) -> tuple[Transport, int] | None:
    """The newest complete snapshot and the monotonic ns at which it was written; None if there is none yet.

    None as well if the host was writing at each of a few tries, or if the words are invalid (a tempo that is no
    number, a signature out of range): the caller keeps its snapshot.  [any]
    """
    found = _LOCK.read(words, _NEVER, _copy)
    return None if found is None else _checked(found[0], sample_rate_hz)


_Copied = tuple[int, int, int, int, float, int, float, int, int, float, float, float]


def _copy(words: Words) -> _Copied:
    u32_, i64_, f64_ = words.u32, words.i64, words.f64
    return (
        u32_[_FLAGS],
        u32_[_SEEK_ID],
        i64_[_POSITION],
        words.u64[_WRITTEN],
        f64_[_BPM],
        i64_[_ANCHOR_SAMPLES],
        f64_[_ANCHOR_BEATS],
        u32_[_NUMERATOR],
        u32_[_DENOMINATOR],
        f64_[_ORIGIN],
        f64_[_LOOP_START],
        f64_[_LOOP_END],
    )


def _checked(copied: _Copied, sample_rate_hz: int) -> tuple[Transport, int] | None:
    flags, seek_id, position, written_ns, bpm, anchor, anchor_beats, num, den, origin, start, end = copied
    if not all(map(math.isfinite, (bpm, anchor_beats, origin, start, end))):
        return None
    try:
        grid = Grid(sample_rate_hz, bpm, Signature(num, den), anchor, anchor_beats, origin)
        loop = (start, end) if flags & TRANSPORT_LOOPING else None
        return Transport(bool(flags & TRANSPORT_PLAYING), position, grid, loop, seek_id), written_ns
    except ValueError:
        return None
