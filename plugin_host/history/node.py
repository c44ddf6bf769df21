"""A node of the history: one stretch of music, as it was generated.

parent  |--- bars 5 to 12 ---------|
node            |--- bars 8 to 15 ----------|      begins on a bar line of its parent, and replaces it from there
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.time.units import Signature

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
RATING_MAX = 5
BARS_MAX = 1_000_000


@dataclass(frozen=True)
class Reference:
    """Music that a node was made from: `sha256` names its file in the session, hexadecimal."""

    role: str
    sha256: str
    bpm: float
    start_beats: float
    name: str = ""


@dataclass(frozen=True)
class Node:
    """A stretch of music; `number` and `parent` 0 mean none. Bars count from 0, `made_at` is in seconds since 1970.

    `file` is a path inside the session, empty if only the recipe is left; its first sample is that of bar
    `file_start_bar`. `source` is the node whose music it is, if not its own (see `head.switch`).
    """

    start_bar: int
    bars: int
    bpm: float
    numerator: int = 4
    denominator: int = 4
    rate_hz: int = 48_000
    number: int = 0
    parent: int = 0
    source: int = 0
    made_at: float = 0.0
    batch: int = 0  # takes of one order have the same
    variation: int = 1  # its place among them, from 1
    lane: str = ""
    seed: int = 0
    prompt: str = ""
    model: str = ""
    precision: str = ""
    model_sha256: str = ""
    file: str = ""
    file_sha256: str = ""
    file_start_bar: int = 0
    rating: int = 0  # 1 to 5; 0: not rated
    kept: bool = False
    discarded: bool = False
    references: tuple[Reference, ...] = ()
    recipe: Mapping[str, object] = field(default_factory=dict)  # what is needed to make it again
    tokens: bytes = b""  # see tokens.py

    def __post_init__(self) -> None:
        limits = {
            "start_bar": (0, BARS_MAX), "bars": (1, BARS_MAX), "file_start_bar": (0, BARS_MAX), "bpm": (1, 999),
            "rate_hz": (8000, 192_000), "rating": (0, RATING_MAX), "variation": (1, BARS_MAX),
        }  # fmt: skip
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)}, must be {low} to {high}")
        Signature(self.numerator, self.denominator)

    @property
    def end_bar(self) -> int:
        """The first bar after it.  [any]"""
        return self.start_bar + self.bars

    @property
    def letter(self) -> str:
        """A, B, C, ... among the takes of its order.  [any]"""
        return LETTERS[self.variation - 1] if self.variation <= len(LETTERS) else str(self.variation)

    @property
    def grid(self) -> tuple[float, int, int, int]:
        """Tempo, signature and rate: equal for nodes that can follow each other.  [any]"""
        return self.bpm, self.numerator, self.denominator, self.rate_hz
