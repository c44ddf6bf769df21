"""Captions of a piece, as a musician would type them: templates over its facts, with synonyms.

Every phrase is optional and the order varies, so that the model follows single words as well as sentences. A piece in
parts (`engine.train.parts`) is described by the parts that are heard.

All of it [main].
"""

import random
from typing import Any

from engine.train.compose import Piece
from engine.train.genres import BY_NAME, PROGRAM_NAMES

KEY_NAMES = ("c", "c sharp", "d", "e flat", "e", "f", "f sharp", "g", "a flat", "a", "b flat", "b")
SLOW = ("slow", "slow tempo", "relaxed tempo", "downtempo")
MEDIUM = ("medium tempo", "mid tempo", "moderate")
FAST = ("fast", "fast tempo", "uptempo", "quick")
MOODS = {
    "major": ("happy", "bright", "uplifting", "cheerful", "warm"),
    "minor": ("sad", "dark", "moody", "melancholic", "serious"),
    "dorian": ("cool", "moody", "soulful"),
    "mixolydian": ("bright", "bluesy", "open"),
}
TEMPLATES = ("{}", "{} music", "a {} track", "{} song", "a piece of {}", "{} loop", "{} groove", "{} style")
ALONE = ("{} only", "only {}", "solo {}", "{} alone", "{} solo", "just {}", "{}", "{} part", "{} stem", "isolated {}")
WITHOUT = ("no {}", "without {}", "minus {}", "{} left out")
PLAIN = {"keys": ("keys", "keyboard"), "lead": ("lead", "synth lead"), "pads": ("pad", "pads"),
         "winds": ("winds", "horn"), "drums": ("drums", "drum beat", "percussion", "beat", "drum kit")}  # fmt: skip


def caption_facts(piece: Piece) -> dict[str, object]:
    """The facts of a caption that the piece's plain facts lack."""
    stems = sorted({note.stem for note in piece.notes})
    return {"stems": stems, "instruments": {stem: PROGRAM_NAMES.get(p, "") for stem, p in piece.programs.items()}}


def caption(facts: dict[str, Any], rng: random.Random) -> str:
    """One caption of a piece's facts; different every time, sometimes only a genre word.  [any]"""
    if "words" in facts:
        return _part_caption(facts, rng)
    genre = BY_NAME[facts["genre"]]
    parts = []
    if rng.random() < 0.85:
        parts.append(rng.choice(TEMPLATES).format(rng.choice((genre.name, *genre.words))))
    present = [name for stem, name in facts["instruments"].items() if name and stem in facts["stems"]]
    if present and rng.random() < 0.6:
        parts.append(_played_on(present, rng))
    if rng.random() < 0.35:
        drums = "drums" in facts["stems"]
        parts.append(rng.choice(("drums", "with drums", "beat") if drums else ("no drums", "without drums")))
    parts += _mood_tempo_key(facts, rng)
    if not parts:
        parts.append(genre.name)
    rng.shuffle(parts)
    return ", ".join(parts)


def _played_on(names: list[str], rng: random.Random) -> str:
    """One to three of the instruments, in one phrase."""
    chosen = rng.sample(names, rng.randint(1, min(3, len(names))))
    return rng.choice(("with {}", "{}", "featuring {}", "played on {}")).format(" and ".join(chosen))


def _mood_tempo_key(facts: dict[str, Any], rng: random.Random) -> list[str]:
    """What can be said about mode, tempo and key, as far as they are known."""
    parts, mode, bpm = [], facts["mode"], facts["bpm"]
    if mode and rng.random() < 0.4:
        parts.append(rng.choice(MOODS[mode]))
    if bpm and rng.random() < 0.35:
        parts.append(rng.choice(SLOW if bpm < 90 else MEDIUM if bpm < 120 else FAST))
    if bpm and rng.random() < 0.15:
        parts.append(f"{round(bpm)} bpm")
    if mode and rng.random() < 0.2:
        quality = "minor" if mode in ("minor", "dorian") else "major"
        parts.append(f"{'in ' if rng.random() < 0.5 else ''}{KEY_NAMES[facts['tonic']]} {quality}")
    return parts


def _part_caption(facts: dict[str, Any], rng: random.Random) -> str:
    """A caption of a view: the parts that are heard, those that are missing, and what is known of the piece."""
    parts, names = [], list(facts["words"])
    plain = [rng.choice(PLAIN.get(kind, (kind,))) for kind in facts["instruments"]]
    if facts["genre"] and rng.random() < 0.6:
        genre = BY_NAME[facts["genre"]]
        parts.append(rng.choice(TEMPLATES).format(rng.choice((genre.name, *genre.words))))
    if len(facts["instruments"]) == 1 and rng.random() < 0.85:
        parts.append(rng.choice(ALONE).format(rng.choice(names if rng.random() < 0.5 else plain)))
    elif rng.random() < 0.75:
        parts.append(_played_on(names if rng.random() < 0.6 else plain, rng))
    if facts["missing"] and rng.random() < 0.3:
        parts.append(rng.choice(WITHOUT).format(rng.choice(facts["missing"])))
    parts += _mood_tempo_key(facts, rng)
    rng.shuffle(parts)
    return ", ".join(parts or plain)
