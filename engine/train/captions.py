"""Captions of a piece, as a musician would type them: templates over its facts, with synonyms.

Every phrase is optional and the order varies, so that the model follows single words as well as sentences.

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


def caption_facts(piece: Piece) -> dict[str, object]:
    """What captions are made of, beyond the piece's plain facts."""
    stems = sorted({note.stem for note in piece.notes})
    return {"stems": stems, "instruments": {stem: PROGRAM_NAMES.get(p, "") for stem, p in piece.programs.items()}}


def caption(facts: dict[str, Any], rng: random.Random) -> str:
    """One caption of a piece's facts; different every time, sometimes only a genre word.  [any]"""
    genre = BY_NAME[facts["genre"]]
    parts = []
    if rng.random() < 0.85:
        parts.append(rng.choice(TEMPLATES).format(rng.choice((genre.name, *genre.words))))
    present = [name for stem, name in facts["instruments"].items() if name and stem in facts["stems"]]
    if present and rng.random() < 0.6:
        chosen = rng.sample(present, rng.randint(1, min(3, len(present))))
        parts.append(rng.choice(("with {}", "{}", "featuring {}", "played on {}")).format(" and ".join(chosen)))
    if rng.random() < 0.35:
        drums = "drums" in facts["stems"]
        parts.append(rng.choice(("drums", "with drums", "beat") if drums else ("no drums", "without drums")))
    if rng.random() < 0.4:
        parts.append(rng.choice(MOODS[facts["mode"]]))
    if rng.random() < 0.35:
        bpm = facts["bpm"]
        parts.append(rng.choice(SLOW if bpm < 90 else MEDIUM if bpm < 120 else FAST))
    if rng.random() < 0.15:
        parts.append(f"{round(facts['bpm'])} bpm")
    if rng.random() < 0.2:
        quality = "minor" if facts["mode"] in ("minor", "dorian") else "major"
        parts.append(f"{'in ' if rng.random() < 0.5 else ''}{KEY_NAMES[facts['tonic']]} {quality}")
    if not parts:
        parts.append(genre.name)
    rng.shuffle(parts)
    return ", ".join(parts)
