"""Tempi in words: what the name of a file, or a text inside it, says of its tempo."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

TEMPO_LEAST, TEMPO_MOST = 20.0, 999.0  # bpm, that are a tempo at all
_USUAL = (40.0, 250.0)  # what a number beside the word is rather than another number
_BARE = (50.0, 220.0)  # what a number without the word may be
NUMBER = r"\d{2,3}(?:[.,]\d{1,4})?"
_BEFORE = re.compile(rf"(?<!\d)(?<!\d[.,])({NUMBER})([ _=:-]*)bpm", re.IGNORECASE)
_AFTER = re.compile(rf"(?<![a-z])(?:bpm|tempo)([ _=:-]*)({NUMBER})(?!\d)", re.IGNORECASE)
_ALONE = re.compile(rf"(?<![\w.,])({NUMBER})(?![\w.,])")
_SCALE = r"(?:m|M|(?i:min|maj|minor|major))"
_KEY = re.compile(rf"(?<![A-Za-z])[A-G](?:(?:#|b|sharp|flat) ?{_SCALE}?| ?{_SCALE})(?![A-Za-z#])")


def number_of(text: str) -> float:
    """The tempo that a number stands for, a comma being a point; 0 where it is none.  [any]"""
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        return 0.0
    return value if TEMPO_LEAST <= value <= TEMPO_MOST else 0.0


def tagged_tempo(text: str) -> float:
    """The number that stands beside the word, as in `128bpm`, `BPM 92,5`, `tempo=90`; 0 where there is none.

    Of several the one that is a usual tempo, then the one nearest to its word, then the first.  [any]
    """
    plain = unicodedata.normalize("NFKC", text)
    found = [(number_of(match[1]), len(match[2]), match.start()) for match in _BEFORE.finditer(plain)]
    found += [(number_of(match[2]), len(match[1]), match.start()) for match in _AFTER.finditer(plain)]
    ranked = sorted((not _USUAL[0] <= bpm <= _USUAL[1], away, place, bpm) for bpm, away, place in found if bpm)
    return ranked[0][3] if ranked else 0.0


def bare_tempo(text: str, fits: Callable[[float], bool]) -> tuple[float, bool]:
    """The one number between separators that may be a tempo, as in `Drums_128_Am`, and whether a key stands there too.

    A number alone may count anything: without a key beside it, it must be one that `fits` the file. 0 for none, and
    where there is more than one.  [any]
    """
    plain = unicodedata.normalize("NFKC", text).replace("_", " ").replace("-", " ")
    found = {number_of(match[1]) for match in _ALONE.finditer(plain)}
    likely = {bpm for bpm in found if _BARE[0] <= bpm <= _BARE[1]}
    keyed = _KEY.search(plain) is not None
    good = likely if keyed and len(likely) == 1 else {bpm for bpm in likely if fits(bpm)}
    return (good.pop(), keyed) if len(good) == 1 else (0.0, keyed)
