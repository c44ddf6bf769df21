"""A processor's state and counters: written by the audio thread, read by any thread."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class BlockState(IntEnum):
    """The source of the last block."""

    IDLE = 0
    PLAYING = 1
    HOLDING = 2
    MUTED = 3


@dataclass(slots=True)
class Counters:
    """Counters of the audio thread since the start; they only grow. Samples are per channel."""

    blocks: int = 0
    samples: int = 0
    played_samples: int = 0
    underruns: int = 0
    missed_samples: int = 0
    held_samples: int = 0
    muted_samples: int = 0
    skipped_samples: int = 0
    rejoins: int = 0
    jumps: int = 0
    tempo_changes: int = 0
