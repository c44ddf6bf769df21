"""The fader block of a segment: the lane's gain, for the bar that the host repeats without the engine.

    gain   1 ------\\                /------     changes: (position, gain from there on)
           0        \\______________/

Blocks in the ring have this gain already. A sequence lock like the plan's; the engine writes, the host reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bridge.ring.fields import Words, f64, i64, u32
from bridge.ring.layout import ENDLESS_SAMPLES, FADER_CHANGES, MAX_GAIN
from bridge.ring.sequence_lock import SequenceLock

FADER_LOCK = SequenceLock("fader_sequence")
_SEEK_ID, _GAIN = u32("fader_timeline"), f64("fader_gain")
_POSITIONS = tuple(i64(f"fader_{number}_samples") for number in range(1, FADER_CHANGES + 1))
_GAINS = tuple(f64(f"fader_{number}_gain") for number in range(1, FADER_CHANGES + 1))


@dataclass(frozen=True, slots=True)
class Fader:
    """A lane's gain, and its next changes: (position on `timeline`, gain from there on), in order.

    ValueError for a gain that is not 0..8, and for more than three changes.
    """

    gain: float = 1.0
    changes: tuple[tuple[int, float], ...] = ()
    seek_id: int = 0

    def __post_init__(self) -> None:
        if len(self.changes) > FADER_CHANGES:
            raise ValueError(f"a fader tells up to {FADER_CHANGES} changes, got {len(self.changes)}")
        for gain in self._gains():
            if not 0.0 <= gain <= MAX_GAIN:
                raise ValueError(f"a gain must be 0..{MAX_GAIN:.0f}, got {gain}")

    def _gains(self) -> Iterator[float]:
        yield self.gain
        yield from (gain for _, gain in self.changes)

    def gain_at(self, position_samples: int) -> float:
        """The gain at a position of its timeline.  [audio]"""
        gain = self.gain
        for position, other in self.changes:
            if position <= position_samples:
                gain = other
        return gain

    def next_change(self, position_samples: int) -> int:
        """The first position after the given one where it changes; 2^63-1 for none.  [audio]"""
        for position, _ in self.changes:
            if position > position_samples:
                return position
        return ENDLESS_SAMPLES


def write_fader(words: Words, fader: Fader) -> None:
    """Publish a fader under its sequence lock; only the engine does.  [generate]"""
    begun = FADER_LOCK.begin(words)
    words.u32[_SEEK_ID] = fader.seek_id & 0xFFFFFFFF
    words.f64[_GAIN] = fader.gain
    for number in range(FADER_CHANGES):
        known = number < len(fader.changes)
        position, gain = fader.changes[number] if known else (ENDLESS_SAMPLES, 1.0)
        words.i64[_POSITIONS[number]], words.f64[_GAINS[number]] = position, gain
    FADER_LOCK.end(words, begun)


def read_fader(words: Words, known: Fader | None, known_sequence: int) -> tuple[Fader | None, int]:
    """The fader and its sequence; the known ones if nothing changed, if it is being written, or if it is invalid.

    None if nothing was written yet.  [audio]
    """
    found = FADER_LOCK.read(words, known_sequence, _copy)
    if found is None:
        return known, known_sequence
    (gain, changes, seek_id), sequence = found
    try:
        return Fader(gain, tuple(each for each in changes if each[0] != ENDLESS_SAMPLES), seek_id), sequence
    except ValueError:
        return known, sequence


def _copy(words: Words) -> tuple[float, list[tuple[int, float]], int]:
    changes = [(words.i64[at], words.f64[of]) for at, of in zip(_POSITIONS, _GAINS, strict=True)]
    return words.f64[_GAIN], changes, words.u32[_SEEK_ID]
