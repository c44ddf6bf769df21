"""The model's requests for each held-out piece, determined by index and group. All of it [main]."""

from dataclasses import dataclass

import torch

from engine.api.generate_arguments import harmony_of
from engine.conditions.frames import SAMPLE_RATE_HZ
from engine.model import Ask, FrameGrid, Reference
from engine.train.evaluation.pieces import HeldOut, held_out

GROUPS = ("melody", "tempo", "style", "genre", "instrument", "onward")
FIRST_SEED = {"melody": 1000, "tempo": 2000, "style": 3000, "genre": 4000, "instrument": 5000, "onward": 6000,
              "long": 9000}  # fmt: skip
PROMPT_SECONDS = 4.0
LONG_TEXTS = ("funk with bass and drums", "lofi, mellow piano", "house, four on the floor", "rock, electric guitar",
              "jazz with saxophone")  # fmt: skip
LONG_BPM = (105.0, 80.0, 124.0, 128.0, 140.0)


@dataclass(frozen=True)
class EvaluationPlan:
    """Sizes of an evaluation, and how the model is played; part of what the kept answers are filed under."""

    pieces: int = 50
    seconds: float = 10.0
    long_pieces: int = 20
    long_seconds: float = 600.0
    cfg: float = 2.5
    temperature: float = 0.9
    top_k: int = 250

    @property
    def render_seconds(self) -> float:
        """How much of each piece is rendered: prompt, what follows it, and a style excerpt elsewhere."""
        return max(14.0, PROMPT_SECONDS + self.seconds + 2.0)

    def count(self, group: str) -> int:
        """How many answers a group has."""
        return self.long_pieces if group == "long" else self.pieces

    def length_seconds(self, group: str) -> float:
        """How long an answer is, without its prompt."""
        return self.long_seconds if group == "long" else self.seconds


def other_tempo(held: HeldOut) -> float:
    """A tempo that is not the piece's own nor near a multiple of it."""
    return held.piece.bpm * (1.13 if held.piece.bpm < 130 else 0.87)


def chords_of(held: HeldOut) -> Reference:
    """A piece's beginning, to whose chords a continuation keeps."""
    return harmony_of(torch.from_numpy(held.mix(PROMPT_SECONDS))[None], SAMPLE_RATE_HZ, held.grid)


def ask_of(group: str, index: int, held: HeldOut | None) -> Ask:
    """The ask of a group for a piece; `long` needs none.  ValueError for a group that there is not.  [any]"""
    if group == "long":
        return Ask(
            text=LONG_TEXTS[index % len(LONG_TEXTS)], grid=FrameGrid(LONG_BPM[index % len(LONG_BPM)]), seed=index
        )
    assert held is not None
    asks = {
        "melody": Ask(melody=held.reference("melody"), grid=held.grid),
        "tempo": Ask(text=held.text, grid=FrameGrid(other_tempo(held), 0.0, float(held.piece.beats_per_bar))),
        "style": Ask(style=held.reference("mix"), grid=held.grid),
        "genre": Ask(text=f"{held.genre} music", grid=held.grid),
        "instrument": Ask(text=held.instrument, grid=held.grid),
        "onward": Ask(grid=held.grid, harmony=chords_of(held)),
    }
    if group not in asks:
        raise ValueError(f"there is no group '{group}' to ask; there is: {', '.join((*GROUPS, 'long'))}")
    return asks[group]


def pieces_of(plan: EvaluationPlan) -> list[HeldOut]:
    """The held-out pieces of a plan."""
    return held_out(plan.pieces, plan.render_seconds)
