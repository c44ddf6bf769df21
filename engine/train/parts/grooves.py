"""Drum grooves: a pattern of its own for each piece, with variants, ghost notes, fills and breaks.

A bar is a list of hits on a grid of sixteenths (or finer, for rolls). The pattern of a piece is drawn from a feel
(where kick and snare lie) and a way to fill the time between (hats, ride, shaker); a fifth of all grooves start from
the genre's own lines, and a tenth have hand percussion only.

All of it [main].
"""

import random
from dataclasses import dataclass

from engine.train.compose import DRUM_KEYS
from engine.train.genres import Genre

KICK, SIDE, SNARE, CLAP, CLOSED, PEDAL, OPEN, RIDE, CRASH = 36, 37, 38, 39, 42, 44, 46, 51, 49
TOMS = ((50, 48, 45, 41), (48, 47, 45, 43), (50, 47, 43, 41))
TIMES = (CLOSED, CLOSED, CLOSED, PEDAL, RIDE, RIDE, 53, 54, 70, 69)  # what plays the time between
HANDS = (60, 61, 62, 63, 64, 65, 66, 56, 75, 76, 77, 54, 70, 82)  # bongos, congas, timbales, bells, blocks, shakers
FEELS = {  # steps of kick and snare in sixteen, and how likely other kicks are
    "four": ((0, 4, 8, 12), (4, 12), 0.06),
    "back": ((0, 8), (4, 12), 0.18),
    "half": ((0,), (8,), 0.14),
    "break": ((0, 10), (4, 12), 0.1),
    "double": ((0, 8), (2, 6, 10, 14), 0.1),
    "drop": ((8,), (8,), 0.03),
    "train": ((0, 4, 8, 12), (2, 6, 10, 14), 0.02),
    "open": ((0, 6), (12,), 0.12),
}
SPACINGS = ((4, 0.1), (2, 0.5), (1, 0.3), (3, 0.1))


@dataclass(frozen=True)
class Hit:
    """One stroke: beat in the bar, General MIDI drum key, velocity."""

    beat: float
    key: int
    velocity: float


class Groove:
    """The drums of one piece; `bar` yields the hits of one bar."""

    def __init__(self, rng: random.Random, genre: Genre) -> None:
        self.rng, self.steps = rng, genre.beats_per_bar * 4
        self.time_key = rng.choice(TIMES)
        self.accents = [rng.uniform(0.55, 1.0) for _ in range(4)]
        kind = rng.random()
        if kind < 0.2 and any(mark != "." for line in rng.choice(genre.drums) for mark in line):
            self.core, self.time = self._of_genre(genre)
        elif kind < 0.3:
            self.core, self.time = self._hands()
        else:
            self.core, self.time = self._of_feel(), self._times()
        self.core = self.core or self._of_feel()
        self.variant = self._varied(self.core)
        self.ghosts = rng.random() < 0.35

    def _of_genre(self, genre: Genre) -> tuple[list[Hit], list[Hit]]:
        core: list[Hit] = []
        times: list[Hit] = []
        for line in self.rng.choice(genre.drums):
            for step in range(self.steps):
                mark = line[step % len(line)]
                if mark != ".":
                    loud = 104 if mark in "KSC" else (82 if step % 4 == 0 else 66)
                    (core if mark in "KSCT" else times).append(Hit(step / 4, DRUM_KEYS[mark], loud))
        return core, times

    def _hands(self) -> tuple[list[Hit], list[Hit]]:
        """Hand percussion: two or three voices, each with a cycle of its own length."""
        voices = self.rng.sample(HANDS, self.rng.randint(2, 4))
        hits: list[list[Hit]] = [[], []]
        for index, key in enumerate(voices):
            cycle = self.rng.choice((self.steps, self.steps, self.steps // 2, 3))
            marks = [self.rng.random() < (0.45 if index else 0.35) for _ in range(cycle)]
            marks[0] = marks[0] or not index
            for step in range(self.steps):
                if marks[step % cycle]:
                    hits[index > 1].append(Hit(step / 4, key, self.rng.uniform(62, 108)))
        return hits[0], hits[1]

    def _of_feel(self) -> list[Hit]:
        kicks, snares, more = FEELS[self.rng.choice(tuple(FEELS))]
        snare = self.rng.choice((SNARE, SNARE, SNARE, 40, CLAP, SIDE))
        hits = [Hit(step / 4, snare, 104.0) for step in snares if step < self.steps]
        for step in range(self.steps):
            if step in kicks or self.rng.random() < more * (1.0 if step % 2 == 0 else 0.5):
                hits.append(Hit(step / 4, KICK, 108.0 if step in kicks else 90.0))
        return hits

    def _times(self) -> list[Hit]:
        spacing = self.rng.choices([s for s, _ in SPACINGS], weights=[w for _, w in SPACINGS])[0]
        offset = 2 if spacing == 4 and self.rng.random() < 0.6 else 0
        hits = []
        for step in range(offset, self.steps, spacing):
            opens = self.time_key == CLOSED and step % 4 == 2 and self.rng.random() < 0.12
            loud = 96 * self.accents[step % 4] * self.rng.uniform(0.9, 1.05)
            hits.append(Hit(step / 4, OPEN if opens else self.time_key, loud))
            if spacing == 1 and self.rng.random() < 0.04:  # a roll in thirty-seconds
                hits.append(Hit(step / 4 + 0.125, self.time_key, loud * 0.8))
        return hits

    def _varied(self, hits: list[Hit]) -> list[Hit]:
        """The same bar with one or two hits moved, left out or doubled."""
        varied = list(hits)
        for _ in range(self.rng.randint(1, 2)):
            at = self.rng.randrange(len(varied))
            hit = varied[at]
            moved = (hit.beat + self.rng.choice((-0.5, -0.25, 0.25, 0.5))) % (self.steps / 4)
            if self.rng.random() < 0.5:
                varied.append(Hit(moved, hit.key, hit.velocity * 0.85))
            elif hit.beat > 0:
                varied[at] = Hit(moved, hit.key, hit.velocity)
        return varied

    def bar(self, index: int, section: str, intensity: float, last: bool) -> list[Hit]:
        """Hits of one bar of a section; `last`: of that section."""
        rng, hits = self.rng, list(self.variant if index % 4 == 3 or index % 8 == 5 else self.core)
        with_time = section not in ("break", "intro") or index % 2 == 1 or intensity > 0.7
        if section == "break" and intensity < 0.6:
            hits = [hit for hit in hits if hit.key != KICK] or hits[:1]
        if section == "intro" and intensity < 0.6:
            hits, with_time = ([], True) if self.time else (hits, False)
        if with_time:
            hits += self.time
        if section == "build":
            hits += self._rising(index)
        if self.ghosts:
            hits += [Hit(rng.randrange(self.steps) / 4, SNARE, rng.uniform(26, 42)) for _ in range(2)]
        if section == "fill" or (last and rng.random() < 0.7):
            hits = self._filled(hits)
        if index == 0 and section in ("chorus", "verse") and rng.random() < 0.6:
            hits.append(Hit(0.0, rng.choice((CRASH, 57, 55)), 92))
        return [hit for hit in hits if rng.random() > 0.02]

    def _rising(self, index: int) -> list[Hit]:
        """A snare roll that grows louder and denser through a build."""
        spacing = (4, 2, 1, 1)[index % 4]
        return [Hit(step / 4, SNARE, 50 + 12 * (index % 4) + step) for step in range(0, self.steps, spacing)]

    def _filled(self, hits: list[Hit]) -> list[Hit]:
        """The last beat, or the last two, replaced by a fill or by nothing."""
        beats = self.rng.choice((1, 1, 2))
        start = self.steps / 4 - beats
        kept = [hit for hit in hits if hit.beat < start]
        kind = self.rng.random()
        if kind < 0.2:
            return [*kept, Hit(start, KICK, 100)]  # a stop
        keys = self.rng.choice(TOMS) if kind < 0.65 else (SNARE, SNARE, 40, SNARE)
        spacing = self.rng.choice((0.25, 0.25, 0.5, 1 / 3))
        count = int(beats / spacing)
        fill = [Hit(start + n * spacing, keys[n * len(keys) // count], 84 + 30 * n / count) for n in range(count)]
        return kept + [hit for hit in fill if self.rng.random() > 0.12]
