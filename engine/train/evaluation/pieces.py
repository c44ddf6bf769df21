"""Held-out music: composed from seeds outside the training set, rendered like it. All of it [main]."""

import random
from dataclasses import dataclass

import torch

from engine.model import FrameGrid, Reference
from engine.train.captions import caption
from engine.train.compose import Piece
from engine.train.genres import PROGRAM_NAMES
from engine.train.metrics import Array
from engine.train.render import Rendered
from engine.train.render_set import HELD_OUT, facts, make

OTHERS = HELD_OUT + 100_000  # real music that classifiers learn from, and that outputs are held against
FAMILIES = (
    (0, 7, "piano"), (8, 15, "mallets"), (16, 23, "organ"), (24, 31, "guitar"), (32, 39, "bass"), (40, 51, "strings"),
    (52, 55, "choir"), (56, 63, "brass"), (64, 71, "reed"), (72, 79, "flute"), (80, 87, "lead"), (88, 95, "pad"),
    (96, 127, "folk"),
)  # fmt: skip


@dataclass(frozen=True)
class HeldOut:
    """One piece that training never saw, from its beginning."""

    piece: Piece
    audio: Rendered
    text: str

    @property
    def grid(self) -> FrameGrid:
        """Its tempo and meter, from beat 0."""
        return FrameGrid(self.piece.bpm, 0.0, float(self.piece.beats_per_bar))

    def reference(self, part: str) -> Reference:
        """A part of it as a reference."""
        return Reference(torch.from_numpy(getattr(self.audio, part))[None])

    def mix(self, seconds: float, start_seconds: float = 0.0) -> Array:
        """A part of the mix."""
        start = int(start_seconds * 32000)
        return self.audio.mix[start : start + int(seconds * 32000)]

    @property
    def genre(self) -> str:
        """Name of its genre."""
        return self.piece.genre.name

    @property
    def has_drums(self) -> bool:
        """Whether drums play from the first bar on (some pieces bring them in later)."""
        early = 2 * self.piece.beats_per_bar
        return sum(note.stem == "drums" and note.start_beats < early for note in self.piece.notes) >= 4

    @property
    def family(self) -> str:
        """Kind of the instrument that plays the melody."""
        return family_of(self.piece.programs["melody"])

    @property
    def instrument(self) -> str:
        """What a musician calls that instrument."""
        return PROGRAM_NAMES.get(self.piece.programs["melody"], self.family)


def family_of(program: int) -> str:
    """Kind of instrument of a General MIDI program.  [any]"""
    return next(name for low, high, name in FAMILIES if low <= program <= high)


def held_out(count: int, seconds: float, first: int = HELD_OUT) -> list[HeldOut]:
    """Compose and render `count` pieces of at least `seconds`; needs the soundfonts of `engine.train.render`.  [any]"""
    pieces = []
    for seed in range(first, first + count):
        piece, audio = make(seed, seconds)
        pieces.append(HeldOut(piece, audio, caption(facts(piece, seed), random.Random(seed))))
    return pieces


def shuffled(count: int) -> list[int]:
    """For each index another one.  [any]"""
    return [(index + count // 2 + 1) % count if count > 2 else 1 - index for index in range(count)]
