"""The audio of each part of a piece: a soundfont, a synthesised patch, or drum samples, through effects of its own.

    Stem: name, class of instrument, audio [N] at 32 kHz, and when its notes begin

All of it [main].
"""

import random
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.train.compose import Note
from engine.train.parts.arrange import Arrangement, instrument_of, word_for
from engine.train.parts.effects import process
from engine.train.parts.hits import play_hits
from engine.train.parts.synth import draw_patch, play_patch
from engine.train.render import SAMPLE_RATE_HZ, Audio, play, soundfonts

KITS = (0, 0, 8, 16, 24, 25, 32, 40, 48)
SYNTHESISED = {"bass": 0.35, "pad": 0.4, "melody": 0.25, "riff": 0.35, "chords": 0.2}
ELECTRONIC = ("house", "techno", "synthwave", "chiptune", "ambient", "hiphop")
OWN_DRUMS = 0.45
LAYERED = 0.15
SYNTH_CLASS = {"bass": "bass", "pad": "pads", "melody": "lead", "riff": "lead", "chords": "keys"}
SYNTH_WORD = {"bass": "synth bass", "pad": "synth pad", "melody": "synth lead", "riff": "synth", "chords": "synth"}
LEVEL = 0.05
GAINS = {"drums": 0.9, "bass": 0.85, "chords": 0.6, "pad": 0.45, "riff": 0.5, "melody": 0.9}


@dataclass(frozen=True)
class Stem:
    """One part of a piece, as loud as it is in the mix; `onsets_seconds` are the starts of its notes."""

    name: str
    instrument: str
    word: str
    audio: Audio
    onsets_seconds: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


def pitched(rng: random.Random, stem: str, notes: list[Note], bpm: float, program: int, n: int) -> tuple[Audio, bool]:
    """A pitched stem's audio, and whether it is synthesised."""
    share = SYNTHESISED[stem]
    if rng.random() < share:
        return play_patch(notes, bpm, draw_patch(rng, stem), n), True
    fonts = soundfonts()
    audio = play(notes, bpm, rng.choice(fonts), program, False, n)
    if rng.random() < LAYERED:  # the same notes once more: another font, or a little out of tune
        again = play(notes, bpm, rng.choice(fonts), program, False, n)
        at = np.arange(n, dtype=np.float64)
        wobble = 12.0 * np.sin(2 * np.pi * rng.uniform(0.1, 0.6) * at / SAMPLE_RATE_HZ)
        audio = audio + np.interp(at + wobble, at, again).astype(np.float32)
    return audio, False


def drums(rng: random.Random, notes: list[Note], bpm: float, font: Path, n: int) -> Audio:
    """The drums' audio: a kit of a soundfont, or one of samples and synthesised sounds."""
    if rng.random() < OWN_DRUMS:
        return play_hits(notes, bpm, rng, n)
    return play(notes, bpm, font, rng.choice(KITS), True, n)


def finish(rng: random.Random, stem: str, audio: Audio, bpm: float) -> Audio:
    """A stem through its effects, at its place in the mix; silence stays silent."""
    level = float(np.sqrt(np.mean(audio**2)))
    if level < 1e-6:
        return audio
    gain = GAINS.get(stem, 0.6) * 10 ** (rng.uniform(-4, 4) / 20) * LEVEL / level
    return process(rng, audio * np.float32(gain), stem, bpm)


def pumped(rng: random.Random, stems: list[Stem], bpm: float) -> list[Stem]:
    """Other stems ducked by the kick's beats, as in dance music, for some pieces."""
    depth = rng.uniform(0.3, 0.85)
    beat = (np.arange(len(stems[0].audio)) * (bpm / 60.0 / SAMPLE_RATE_HZ)) % 1.0
    duck = (1.0 - depth * np.exp(-beat / 0.18)).astype(np.float32)
    return [stem if stem.name == "drums" else replace(stem, audio=stem.audio * duck) for stem in stems]


def render_stems(made: Arrangement, rng: random.Random) -> list[Stem]:
    """All stems of an arrangement.  [any]"""
    piece, stems = made.piece, []
    n = int(piece.seconds * SAMPLE_RATE_HZ)
    font = rng.choice(soundfonts())
    by_stem: dict[str, list[Note]] = {}
    for note in piece.notes:
        by_stem.setdefault(note.stem, []).append(note)
    for name, notes in by_stem.items():
        program, synthesised = piece.programs.get(name, 0), False
        if name == "drums":
            audio = drums(rng, notes, piece.bpm, font, n)
        else:
            audio, synthesised = pitched(rng, name, notes, piece.bpm, program, n)
        onsets = np.array(sorted(note.start_beats for note in notes)) * (60.0 / piece.bpm)
        word = "drums" if name == "drums" else SYNTH_WORD[name] if synthesised else word_for(program)
        kind = SYNTH_CLASS[name] if synthesised else instrument_of(name, program)
        stems.append(Stem(name, kind, word, finish(rng, name, audio, piece.bpm), onsets))
    return pumped(rng, stems, piece.bpm) if piece.genre.name in ELECTRONIC and rng.random() < 0.4 else stems
