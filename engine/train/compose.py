"""Composes a piece: notes on a grid of beats, from a genre and a seed. No corpus, no network, no audio.

A piece is form (sections), harmony (one chord a bar), a two-bar motif varied as A A' B A, accompaniment patterns,
drums with a fill every fourth or eighth bar. It has no ending and can be cut anywhere.

All of it [main].
"""

import random
from dataclasses import dataclass

from engine.train.genres import GENRES, SCALES, Genre

DRUM_KEYS = {"K": 36, "S": 38, "H": 42, "O": 46, "R": 51, "C": 39, "T": 37}
STEMS = ("drums", "bass", "chords", "pad", "melody")


@dataclass(frozen=True)
class Note:
    """One note: stem name, start and length in beats from the piece's origin, MIDI key and velocity."""

    stem: str
    start_beats: float
    length_beats: float
    key: int
    velocity: int


@dataclass(frozen=True)
class Piece:
    """A composed piece; `programs` maps a pitched stem to its General MIDI program."""

    genre: Genre
    bpm: float
    tonic: int
    mode: str
    n_bars: int
    notes: tuple[Note, ...]
    programs: dict[str, int]

    @property
    def beats_per_bar(self) -> int:
        """Quarter notes a bar."""
        return self.genre.beats_per_bar

    @property
    def seconds(self) -> float:
        """Length of the whole piece."""
        return self.n_bars * self.beats_per_bar * 60.0 / self.bpm


class Composer:
    """Writes one piece; all choices come from one `random.Random`."""

    def __init__(self, rng: random.Random, genre: Genre, bpm: float, n_bars: int) -> None:
        self.rng, self.genre, self.bpm, self.n_bars = rng, genre, bpm, n_bars
        self.bar_beats = genre.beats_per_bar
        self.steps = self.bar_beats * 4
        self.tonic = rng.randrange(12)
        self.mode = rng.choice(genre.modes)
        self.scale = SCALES[self.mode]
        self.notes: list[Note] = []
        self.drum_lines = rng.choice(genre.drums)
        self.bass_style = rng.choice(genre.bass)
        self.chord_style = rng.choice(genre.chords)
        self.programs = self._choose_programs()

    def _choose_programs(self) -> dict[str, int]:
        choose, genre = self.rng.choice, self.genre
        programs = {"melody": choose(genre.melody_programs), "chords": choose(genre.chord_programs)}
        programs["bass"] = choose(genre.bass_programs)
        if genre.pad_programs and self.rng.random() < 0.5:
            programs["pad"] = choose(genre.pad_programs)
        return programs

    def compose(self) -> Piece:
        """All bars, section by section."""
        verse, chorus = (self.rng.choice(self.genre.progressions) for _ in range(2))
        motifs = [self._motif() for _ in range(2)]
        drums_from = 0 if self.rng.random() < 0.9 else 4
        melody_rest = self.rng.choice((None, None, 1, 3))
        section_bars = self.rng.choice((4, 8))
        for bar in range(self.n_bars):
            section = (bar // section_bars) % 4
            progression = chorus if section == 2 else verse
            degree = progression[bar % len(progression)]
            energy = (0.85, 0.92, 1.0, 0.95)[section]
            if bar >= drums_from:
                self._drums(bar, energy, fill=bar % 8 == 7 or (bar % 4 == 3 and self.rng.random() < 0.3))
            self._bass(bar, degree, progression[(bar + 1) % len(progression)], energy)
            self._chords(bar, degree, energy)
            if "pad" in self.programs:
                self._block(bar, self._chord(degree, 60), 0.0, self.bar_beats, int(58 * energy), "pad")
            if section != melody_rest:
                self._melody(bar, degree, motifs[1 if section == 2 else 0], energy)
        return Piece(self.genre, self.bpm, self.tonic, self.mode, self.n_bars, tuple(self.notes), self.programs)

    # harmony ------------------------------------------------------------------------------------------------

    def pitch(self, degree: int, octave_key: int) -> int:
        """MIDI key of a scale degree (any integer) near the octave that starts at `octave_key`."""
        octave, step = divmod(degree, 7)
        return octave_key + (self.tonic - octave_key) % 12 + 12 * octave + self.scale[step]

    def _chord(self, degree: int, low: int) -> list[int]:
        """Keys of the chord on `degree`, folded into an octave and a half above `low`."""
        steps = (0, 2, 4, 6) if self.genre.sevenths else (0, 2, 4)
        keys = []
        for step in steps:
            key = self.pitch(degree + step, low - 12)
            while key < low:
                key += 12
            while key >= low + 15:
                key -= 12
            keys.append(key)
        return sorted(keys)

    # placing notes ------------------------------------------------------------------------------------------

    def _swung(self, beat: float) -> float:
        """Delay the second eighth of each beat by the genre's swing."""
        inside = beat % 1.0
        return beat + self.genre.swing * 0.5 if abs(inside - 0.5) < 1e-6 else beat

    def add(self, stem: str, bar: int, beat: float, length: float, key: int, velocity: float) -> None:
        """One note, humanised by a few milliseconds and velocity steps."""
        jitter = self.rng.gauss(0.0, 0.004) * self.bpm / 60.0
        start = max(0.0, bar * self.bar_beats + self._swung(beat) + jitter)
        loudness = int(max(20, min(124, velocity + self.rng.gauss(0, 5))))
        self.notes.append(Note(stem, start, max(0.05, length), max(24, min(103, key)), loudness))

    def _block(self, bar: int, keys: list[int], beat: float, length: float, velocity: int, stem: str) -> None:
        for key in keys:
            self.add(stem, bar, beat, length * 0.96, key, velocity)

    # parts --------------------------------------------------------------------------------------------------

    def _drums(self, bar: int, energy: float, fill: bool) -> None:
        for line in self.drum_lines:
            for step in range(self.steps):
                mark = line[step % len(line)]
                if mark == "." or (fill and step >= self.steps - 4 and mark in "HSR"):
                    continue
                accent = 104 if mark in "KSC" else (82 if step % 4 == 0 else 66)
                if self.rng.random() > 0.03:
                    self.add("drums", bar, step / 4, 0.2, DRUM_KEYS[mark], accent * energy)
        if fill and any(mark != "." for line in self.drum_lines for mark in line):
            toms = self.rng.choice(((38, 38, 45, 43), (48, 47, 45, 43), (38, 40, 38, 38)))
            for index, key in enumerate(toms):
                self.add("drums", bar, self.bar_beats - 1 + index / 4, 0.2, key, 92 + 4 * index)
        elif bar % 8 == 0 and bar and any("K" in line for line in self.drum_lines):
            self.add("drums", bar, 0.0, 1.0, 49, 88)

    def _bass(self, bar: int, degree: int, following: int, energy: float) -> None:
        root, target = self.pitch(degree, 36), self.pitch(following, 36)
        root, target = (key - 12 if key > 47 else key for key in (root, target))
        for beat, length, key in self._bass_line(root, target, degree):
            if beat < self.bar_beats:
                self.add("bass", bar, beat, length * 0.92, key, 96 * energy)

    def _bass_line(self, root: int, target: int, degree: int) -> list[tuple[float, float, int]]:
        """(beat, length, key) of one bar in the piece's bass style."""
        beats, fifth = range(self.bar_beats), self.pitch(degree + 4, 36) - 12
        fifth = fifth + 12 if fifth < 31 else fifth
        style = self.bass_style
        if style == "none":
            return []
        if style == "offbeat":
            return [(b + 0.5, 0.45, root) for b in beats]
        if style == "octave":
            return [(b / 2, 0.45, root + 12 * (b % 2)) for b in range(2 * self.bar_beats)]
        if style == "pulse":
            return [(b / 4, 0.22, root) for b in range(4 * self.bar_beats) if b % 4]
        if style == "eighths":
            return [(b / 2, 0.45, root) for b in range(2 * self.bar_beats)]
        if style in ("walk", "walk_slow"):
            third = self.pitch(degree + 2, 36) - 12
            line = [root, third if third > 30 else third + 12, fifth, target + self.rng.choice((-1, 1, 2))]
            if style == "walk_slow":
                return [(0.0, 1.8, root), (2.0, 1.8, line[self.rng.randrange(1, 3)])]
            return [(float(b), 0.9, line[b % 4]) for b in beats]
        if style == "funk":
            return [
                (0.0, 0.4, root),
                (0.75, 0.2, root),
                (1.5, 0.3, root + 12),
                (2.25, 0.2, fifth),
                (2.5, 0.4, root),
                (3.5, 0.3, root - 2 if root > 30 else root),
            ]
        if style == "bossa":
            return [(0.0, 1.4, root), (1.5, 0.45, fifth), (2.0, 1.4, fifth), (3.5, 0.45, root)]
        if style == "reggae":
            return [(0.0, 0.7, root), (1.5, 0.4, fifth), (2.0, 0.8, root), (3.0, 0.4, fifth)]
        if style == "alternate":
            return [(float(b), 0.9, root if b % 2 == 0 else fifth) for b in beats if b % 2 == 0 or b == 2]
        return [(0.0, min(self.bar_beats, 2.8), root)] + ([(3.0, 0.9, fifth)] if self.bar_beats == 4 else [])

    def _chords(self, bar: int, degree: int, energy: float) -> None:
        keys = self._chord(degree, 55)
        velocity = int(76 * energy)
        patterns: dict[str, list[tuple[float, float]]] = {
            "stab": [(0.0, 0.3), (1.5, 0.3), (2.75, 0.3)],
            "offbeat": [(b + 0.5, 0.3) for b in range(self.bar_beats)],
            "skank": [(b + 0.5, 0.18) for b in range(self.bar_beats)],
            "pulse": [(b / 2, 0.2) for b in range(2 * self.bar_beats)],
            "eighths": [(b / 2, 0.42) for b in range(2 * self.bar_beats)],
            "hold": [(0.0, float(self.bar_beats))],
            "comp": [(0.0, 0.5), (1.5, 0.9)] if self.rng.random() < 0.5 else [(0.5, 0.4), (2.5, 0.8)],
            "bossa": [(0.0, 0.4), (1.0, 0.4), (2.5, 0.4), (3.5, 0.4)],
            "funk": [(0.25, 0.12), (0.75, 0.12), (1.5, 0.15), (2.25, 0.12), (2.75, 0.12), (3.5, 0.15)],
            "strum": [(0.0, 0.9), (1.0, 0.45), (1.5, 0.45), (2.5, 0.45), (3.0, 0.9)],
            "waltz": [(1.0, 0.7), (2.0, 0.7)],
        }
        if self.chord_style in ("broken", "arp"):
            division = 4 if self.chord_style == "arp" else 2
            order = keys + keys[-2:0:-1]
            for step in range(self.bar_beats * division):
                key = order[step % len(order)]
                self.add("chords", bar, step / division, 0.9 / division, key, velocity)
            return
        for beat, length in patterns[self.chord_style]:
            if beat < self.bar_beats:
                self._block(bar, keys, beat, length, velocity, "chords")

    # melody -------------------------------------------------------------------------------------------------

    def _motif(self) -> list[tuple[float, float, int]]:
        """Two bars of (beat, length, scale step from the chord's root)."""
        motif: list[tuple[float, float, int]] = []
        beat, step = 0.0, self.rng.choice((0, 2, 4))
        while beat < 2 * self.bar_beats - 0.25:
            length = self.rng.choices((0.25, 0.5, 1.0, 1.5, 2.0), weights=(1, 6, 5, 2, 1.5))[0]
            length = min(length, 2 * self.bar_beats - beat)
            if beat == 0.0 or self.rng.random() < 0.45 + 0.5 * self.genre.melody_density:
                motif.append((beat, length, step))
            step = max(-3, min(9, step + self.rng.choice((-2, -1, -1, 0, 1, 1, 2, 3, -3))))
            beat += length
        return motif

    def _melody(self, bar: int, degree: int, motif: list[tuple[float, float, int]], energy: float) -> None:
        low = 60 if self.programs["melody"] not in (42, 66, 26, 30) else 55
        shift = (0, 0, 1, 0)[(bar // 2) % 4]
        first = (bar % 2) * self.bar_beats
        for beat, length, step in motif:
            if not first <= beat < first + self.bar_beats:
                continue
            if self.rng.random() < 0.06:
                continue
            strong = (beat - first) % 1.0 == 0.0 and (beat - first) % 2.0 == 0.0
            target = step + shift
            if strong and target % 7 not in (0, 2, 4):
                target += 1
            key = self.pitch(degree + target, low)
            while key > low + 21:
                key -= 12
            self.add("melody", bar, beat - first, length * 0.94, key, 98 * energy)


def compose(seed: int, genre: Genre | None = None, bpm: float | None = None, seconds: float = 40.0) -> Piece:
    """A piece of at least `seconds`, all of it decided by `seed` unless given.  [any]"""
    rng = random.Random(seed)
    genre = genre or rng.choice(GENRES)
    if bpm is None:
        low, high = genre.tempo_bpm
        bpm = rng.uniform(low, high) if rng.random() < 0.8 else rng.uniform(60.0, 180.0)
    n_bars = int(-(-seconds * bpm // (60.0 * genre.beats_per_bar)))
    return Composer(rng, genre, bpm, n_bars).compose()
