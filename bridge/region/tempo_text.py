"""Tempos in text: in a file's name, or in a text inside it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

TEMPO_LEAST, TEMPO_MOST = 20.0, 999.0  # bpm, of any tempo
_USUAL = (40.0, 250.0)  # of a number beside the word, preferred to other numbers
_BARE = (50.0, 220.0)  # of a number without the word
NUMBER = r"\d{2,3}(?:[.,]\d{1,4})?"
_BEFORE = re.compile(rf"(?<!\d)(?<!\d[.,])({NUMBER})([ _=:-]*)bpm", re.IGNORECASE)
_AFTER = re.compile(rf"(?<![a-z])(?:bpm|tempo)([ _=:-]*)({NUMBER})(?!\d)", re.IGNORECASE)
_ALONE = re.compile(rf"(?<![\w.,])({NUMBER})(?![\w.,])")
_SCALE = r"(?:m|M|(?i:min|maj|minor|major))"
_KEY = re.compile(rf"(?<![A-Za-z])[A-G](?:(?:#|b|sharp|flat) ?{_SCALE}?| ?{_SCALE})(?![A-Za-z#])")


def number_of(text: str) -> float:
    """The tempo of a number, a comma counts as a point; 0 if it is no tempo.  [any]"""
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        return 0.0
    return value if TEMPO_LEAST <= value <= TEMPO_MOST else 0.0


def tagged_tempo(text: str) -> float:
    """The number beside the word, as in `128bpm`, `BPM 92,5`, `tempo=90`; 0 if there is none.

    Of several: a usual tempo, then the one nearest to its word, then the first.  [any]
    """
    plain = unicodedata.normalize("NFKC", text)
    found = [(number_of(match[1]), len(match[2]), match.start()) for match in _BEFORE.finditer(plain)]
    found += [(number_of(match[2]), len(match[1]), match.start()) for match in _AFTER.finditer(plain)]
    ranked = sorted((not _USUAL[0] <= bpm <= _USUAL[1], away, place, bpm) for bpm, away, place in found if bpm)
    return ranked[0][3] if ranked else 0.0


def bare_tempo(text: str, fits: Callable[[float], bool]) -> tuple[float, bool]:
    """The one number between separators that may be a tempo, as in `Drums_128_Am`, and whether there is a key too.

    A number alone may mean anything: without a key beside it, it must be one that `fits` the file. 0 for none or
    several.  [any]
    """
    plain = unicodedata.normalize("NFKC", text).replace("_", " ").replace("-", " ")
    found = {number_of(match[1]) for match in _ALONE.finditer(plain)}
    likely = {bpm for bpm in found if _BARE[0] <= bpm <= _BARE[1]}
    keyed = _KEY.search(plain) is not None
    good = likely if keyed and len(likely) == 1 else {bpm for bpm in likely if fits(bpm)}
    return (good.pop(), keyed) if len(good) == 1 else (0.0, keyed)
