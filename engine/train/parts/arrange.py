"""Writes pieces with sections: an intro, verses, choruses, breaks, builds, fills and an end, each as dense and as loud
as it is called, and six stems that all play throughout; which of them are heard is decided afterwards (`views`).

All of it [main].
"""

import random
from dataclasses import dataclass, replace

from engine.train.compose import Composer, Note, Piece
from engine.train.genres import GENRES, PROGRAM_NAMES, Genre
from engine.train.parts.grooves import Groove

STEMS = ("drums", "bass", "chords", "pad", "riff", "melody")
FORMS = (
    (("intro", 4), ("verse", 8), ("chorus", 8), ("break", 4), ("build", 4), ("chorus", 8), ("out", 4)),
    (("verse", 4), ("chorus", 4), ("verse", 4), ("break", 2), ("chorus", 4)),
    (("verse", 8), ("fill", 1), ("chorus", 8), ("fill", 1)),
    (("build", 4), ("chorus", 8), ("break", 4), ("verse", 8)),
    (("verse", 7), ("fill", 1)),
    (("intro", 2), ("verse", 4), ("chorus", 4), ("out", 2)),
)
INTENSITY = {"intro": (0.35, 0.7), "verse": (0.6, 0.85), "chorus": (0.9, 1.0), "break": (0.3, 0.65),
             "build": (0.6, 0.95), "fill": (0.8, 1.0), "out": (0.35, 0.7)}  # fmt: skip
LOWER, UPPER = 0.55, 1.04  # velocity at intensity 0 and 1
BASS_STYLES = ("offbeat", "octave", "pulse", "eighths", "root", "walk", "funk", "bossa", "reggae", "alternate")
CHORD_STYLES = ("stab", "offbeat", "skank", "pulse", "eighths", "hold", "comp", "funk", "strum", "broken", "arp")
LEADS = (0, 4, 11, 12, 13, 21, 22, 24, 25, 26, 27, 28, 29, 30, 40, 41, 42, 46, 56, 57, 59, 60, 64, 65, 66, 68, 70, 71,
         72, 73, 75, 78, 80, 81, 82, 84, 87, 104, 105, 107)  # fmt: skip
CHORDS = (0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 21, 24, 25, 26, 27, 28, 29, 30, 46, 48, 61, 62, 81, 90, 104, 105)
PADS = (48, 49, 50, 51, 52, 88, 89, 90, 91, 92, 93, 94, 95, 19)
BASSES = (32, 33, 34, 35, 36, 37, 38, 39, 43, 58, 87)
RIFFS = (0, 4, 6, 7, 8, 9, 11, 12, 24, 25, 27, 28, 45, 46, 80, 81, 84, 87, 108)
FREE = 0.5  # how often a stem's instrument is not one of the genre's


@dataclass(frozen=True)
class Section:
    """A stretch of bars with a name and an intensity from 0 to 1."""

    name: str
    first_bar: int
    n_bars: int
    intensity: float


@dataclass(frozen=True)
class Arrangement:
    """A composed piece, its sections in order, and whether it has a stem for each name in `STEMS`."""

    piece: Piece
    sections: tuple[Section, ...]


class Arranger(Composer):
    """Writes an arrangement; all choices come from one `random.Random`."""

    def __init__(self, rng: random.Random, genre: Genre, bpm: float, n_bars: int) -> None:
        swing = rng.choice((genre.swing, genre.swing, 0.0, rng.uniform(0.1, 0.33)))
        super().__init__(rng, replace(genre, swing=swing), bpm, n_bars)
        self.jitter_seconds = rng.choice((0.0, 0.002, 0.004, 0.008))
        self.programs = self._any_programs()
        self.groove = Groove(rng, self.genre)
        self.riff_steps = self._riff_rhythm()

    def _any_programs(self) -> dict[str, int]:
        """The genre's instruments, or any others that suit the stem."""
        rng, programs = self.rng, dict(self.programs)
        for stem, others in (("melody", LEADS), ("chords", CHORDS), ("bass", BASSES), ("pad", PADS), ("riff", RIFFS)):
            if stem not in programs or rng.random() < FREE:
                programs[stem] = rng.choice(others)
        return programs

    def add(self, stem: str, bar: int, beat: float, length: float, key: int, velocity: float) -> None:
        """One note, as late or early as this piece's players are."""
        late = self.rng.gauss(0.0, self.jitter_seconds) * self.bpm / 60.0
        start = max(0.0, bar * self.bar_beats + self._swung(beat) + late)
        loudness = int(max(12, min(124, velocity + self.rng.gauss(0, 5))))
        self.notes.append(Note(stem, start, max(0.05, length), max(24, min(103, key)), loudness))

    def form(self) -> tuple[Section, ...]:
        """Sections that fill all bars, from somewhere in a form on."""
        form, at = self.rng.choice(FORMS), 0
        start, sections, index = self.rng.randrange(len(form)), [], 0
        while at < self.n_bars:
            name, bars = form[(start + index) % len(form)]
            bars = min(bars, self.n_bars - at)
            sections.append(Section(name, at, bars, self.rng.uniform(*INTENSITY[name])))
            at, index = at + bars, index + 1
        return tuple(sections)

    def arrange(self) -> Arrangement:
        """All bars, section by section."""
        rng = self.rng
        sections, (verse, chorus) = self.form(), (rng.choice(self.genre.progressions) for _ in range(2))
        motifs, bass, chords = [self._motif() for _ in range(2)], self.bass_style, self.chord_style
        bass = rng.choice(BASS_STYLES) if bass == "none" or rng.random() < 0.3 else bass
        chords = rng.choice(CHORD_STYLES) if chords == "waltz" or rng.random() < 0.3 else chords
        for section in sections:
            quiet = section.name in ("break", "intro", "out") and rng.random() < 0.5
            self.bass_style = "root" if quiet else bass
            self.chord_style = rng.choice(("hold", "broken")) if quiet else chords
            progression = chorus if section.name == "chorus" else verse
            for bar in range(section.n_bars):
                degree, following = (progression[(bar + n) % len(progression)] for n in (0, 1))
                self._bar(section, bar, degree, following, motifs[section.name == "chorus"])
        piece = Piece(self.genre, self.bpm, self.tonic, self.mode, self.n_bars, tuple(self.notes), self.programs)
        return Arrangement(piece, sections)

    def _bar(
        self, section: Section, bar: int, degree: int, following: int, motif: list[tuple[float, float, int]]
    ) -> None:
        """One bar of every stem."""
        at, rising = section.first_bar + bar, bar / max(1, section.n_bars) if section.name == "build" else 0.0
        intensity = min(1.0, section.intensity + 0.3 * rising)
        energy = LOWER + (UPPER - LOWER) * intensity
        for hit in self.groove.bar(bar, section.name, intensity, bar == section.n_bars - 1):
            self.add("drums", at, hit.beat, 0.2, hit.key, hit.velocity * energy)
        self._bass(at, degree, following, energy)
        self._chords(at, degree, energy)
        self._block(at, self._chord(degree, 60), 0.0, self.bar_beats, int(62 * energy), "pad")
        self._riff(at, degree, energy)
        self._melody(at, degree, motif, energy)

    def _riff_rhythm(self) -> list[tuple[float, int]]:
        """(beat, tone of the chord) of one bar that repeats: an ostinato or an arpeggio."""
        spacing = self.rng.choice((1, 1, 2, 2, 3))
        steps = [step for step in range(0, self.steps, spacing) if step == 0 or self.rng.random() < 0.8]
        return [(step / 4, self.rng.randrange(6)) for step in steps]

    def _riff(self, bar: int, degree: int, energy: float) -> None:
        keys = self._chord(degree, 60)
        keys = [*keys, *(key + 12 for key in keys)]
        for beat, tone in self.riff_steps:
            self.add("riff", bar, beat, 0.22, keys[tone % len(keys)], 84 * energy)


def arrange(seed: int, seconds: float = 40.0) -> Arrangement:
    """An arrangement of at least `seconds`, all of it decided by `seed`.  [any]"""
    rng = random.Random(seed)
    genre = rng.choice(GENRES)
    low, high = genre.tempo_bpm
    bpm = rng.uniform(low, high) if rng.random() < 0.7 else rng.uniform(60.0, 180.0)
    n_bars = int(-(-seconds * bpm // (60.0 * genre.beats_per_bar)))
    return Arranger(rng, genre, bpm, n_bars).arrange()


def instrument_of(stem: str, program: int) -> str:
    """The class of `engine.conditions.arrangement.INSTRUMENTS` of a stem that a General MIDI program plays.  [any]"""
    if stem == "drums":
        return "drums"
    if stem == "bass" or 32 <= program <= 39 or program == 43:
        return "bass"
    for last, name in ((23, "keys"), (31, "guitar"), (39, "bass"), (45, "strings"), (46, "keys"), (51, "strings"),
                       (55, "pads"), (79, "winds"), (87, "lead"), (103, "pads"), (107, "guitar"), (108, "keys"),
                       (110, "strings"), (111, "winds")):  # fmt: skip
        if program <= last:
            return "strings" if program == 47 else name
    return "keys"


def word_for(program: int) -> str:
    """What a musician calls a program; its class where captions have no word of their own.  [any]"""
    kind = instrument_of("", program)
    return PROGRAM_NAMES.get(program) or {"lead": "synth lead", "pads": "pad"}.get(kind, kind)
