"""Held-out parts: pieces that training never saw, of which some stems are given, asked for, or played beside.

    drums     drums alone go on                      kept     one or two other instruments go on
    one       one instrument asked for, no prompt    beside   a bass asked for beside the rest of a piece
    sparse, dense   the same piece asked for at two densities

All of it [main].
"""

import random
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from engine.api.generate_arguments import harmony_of
from engine.conditions.arrangement import INSTRUMENTS
from engine.conditions.frames import FRAME_SAMPLES, SAMPLE_RATE_HZ
from engine.model import ARRANGEMENT, Ask, FrameGrid, OnGrid, Reference
from engine.train.metrics import Array
from engine.train.parts.part_set import Material, composed
from engine.train.parts.stems import Stem
from engine.train.parts.views import View, context_sound, sound_of
from engine.train.render_set import HELD_OUT

PART_GROUPS = ("drums", "kept", "one", "beside", "sparse", "dense")
PROMPTED = ("drums", "kept")
PROMPT_SECONDS = 4.0
SPARSE, DENSE = 0.35, 0.75
WORDS = {"keys": "piano", "winds": "saxophone", "lead": "synth lead", "pads": "synth pad"}  # what a musician would type


@dataclass(frozen=True)
class HeldPart:
    """Some stems of a piece, and the others beside it."""

    made: Material
    view: View
    seed: int

    @cached_property
    def sound(self) -> Array:
        """The part, as it is in training."""
        return sound_of(self.view, random.Random(self.seed))

    @cached_property
    def beside(self) -> Array:
        """The other stems together; silence without any."""
        found = context_sound(self.view, random.Random(self.seed))
        return np.zeros_like(self.sound) if found is None else found

    @property
    def grid(self) -> FrameGrid:
        """Its tempo and meter, from beat 0."""
        return FrameGrid(self.made.facts["bpm"], 0.0, float(self.made.facts["beats_per_bar"]))

    def mix(self, seconds: float, start_seconds: float = 0.0) -> Array:
        """A stretch of the part."""
        start = int(start_seconds * SAMPLE_RATE_HZ)
        return self.sound[start : start + int(seconds * SAMPLE_RATE_HZ)]


def view_of(stems: list[Stem], targets: list[Stem]) -> View:
    """All of some stems, all the time, beside all others."""
    rest = tuple(stem for stem in stems if all(stem is not target for target in targets))
    return View(tuple(targets), rest, np.ones((len(targets), len(stems[0].audio) // FRAME_SAMPLES), bool))


def targets_of(group: str, stems: list[Stem], rng: random.Random) -> list[Stem]:
    """The stems that a group's part consists of; the drums or the bass where a group is about them."""
    if group == "drums":
        return [stem for stem in stems if stem.name == "drums"] or stems[:1]
    if group == "beside":
        return [stem for stem in stems if stem.name == "bass"] or stems[:1]
    tonal = [stem for stem in stems if stem.name != "drums"]
    return rng.sample(tonal, min(len(tonal), 1 + rng.randrange(2)))


def held_parts(group: str, count: int, seconds: float, first: int = HELD_OUT) -> list[HeldPart]:
    """`count` held-out parts of a group, of `seconds` or more; needs the soundfonts of `engine.train.render`.  [any]"""
    parts = []
    for seed in range(first, first + count):
        rng = random.Random(seed)
        made = composed(seed, rng, seconds, looped=False)
        parts.append(HeldPart(made, view_of(made.stems, targets_of(group, made.stems, rng)), seed))
    return parts


def asked(index: int) -> str:
    """The instrument that `one` asks for."""
    return INSTRUMENTS[index % len(INSTRUMENTS)]


def part_ask(group: str, index: int, part: HeldPart, takes: frozenset[str]) -> Ask:
    """The ask of a group; what a model does not take is asked in words or left out.  ValueError for no group.  [any]"""
    grid, prompt = part.grid, torch.from_numpy(part.mix(PROMPT_SECONDS))[None]
    name = "bass" if group == "beside" else asked(index)
    words = f"{WORDS.get(name, name)} only"
    if group in PROMPTED:
        return Ask(grid=grid, harmony=harmony_of(prompt, SAMPLE_RATE_HZ, grid))
    if group == "one":
        ask = Ask(text=words, grid=grid, instruments=(name,))
    elif group == "beside":
        audio = torch.from_numpy(part.beside)[None]
        on_grid = OnGrid(0.0, audio.shape[1] / SAMPLE_RATE_HZ * grid.bpm / 60.0, grid.bpm)
        ask = Ask(text=words, grid=grid, instruments=(name,), context=Reference(audio, on_grid=on_grid))
    elif group in ("sparse", "dense"):
        ask = Ask(text=f"{part.made.facts['genre']} music", grid=grid, density=SPARSE if group == "sparse" else DENSE)
    else:
        raise ValueError(f"there is no group '{group}' of parts; there is: {', '.join(PART_GROUPS)}")
    return ask if takes >= ARRANGEMENT else replace(ask, instruments=None, context=None, density=None)
