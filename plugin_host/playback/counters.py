"""What a processor is doing and what happened to it: read by any thread, written by the audio thread."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class BlockState(IntEnum):
    """What the last block was made of."""

    IDLE = 0
    PLAYING = 1
    HOLDING = 2
    MUTED = 3


@dataclass(slots=True)
class Counters:
    """What happened on the audio thread since the start; only grows. Samples are per channel."""

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
