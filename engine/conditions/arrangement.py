"""What a stream is asked to play beside words and melody: instruments, density, section, key.

All of them are features of single frames, so that each can change within a stream. A missing condition is all zeros.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

INSTRUMENTS = ("drums", "bass", "keys", "guitar", "strings", "winds", "lead", "pads")
SECTIONS = ("intro", "verse", "chorus", "break", "build", "fill", "out")
KEYS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
MODES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
MAX_ONSETS = 32.0  # a second: density 1

INSTRUMENT_WIDTH = len(INSTRUMENTS) + 1
DENSITY_WIDTH = 2
SECTION_WIDTH = len(SECTIONS)
KEY_WIDTH = 24
WIDTH = INSTRUMENT_WIDTH + DENSITY_WIDTH + SECTION_WIDTH + KEY_WIDTH


def instrument_features(sounding: Tensor) -> Tensor:
    """Which instruments sound [T, 8] (0 or 1, in the order of INSTRUMENTS) to their columns [T, 9].  [any]"""
    return torch.cat([sounding.float(), torch.ones(sounding.shape[0], 1)], dim=1)


def instruments_asked(names: Iterable[str], count: int) -> Tensor:
    """The same instruments in `count` frames, to their columns [count, 9].

    Raises ValueError for a name that is not in INSTRUMENTS, and for no name at all.  [any]
    """
    asked = set(names)
    if not asked or asked - set(INSTRUMENTS):
        raise ValueError(f"instruments are {sorted(map(str, asked))}, must be one or more of {', '.join(INSTRUMENTS)}")
    return instrument_features(torch.tensor([float(name in asked) for name in INSTRUMENTS]).expand(count, -1))


def density_features(density: Tensor) -> Tensor:
    """Density [T], 0 to 1, NaN where it is not known, to its columns [T, 2].  [any]"""
    known = ~density.isnan()
    return torch.stack([density.nan_to_num() * known, known.float()], dim=1)


def density_asked(density: float, count: int) -> Tensor:
    """One density in `count` frames, to their columns [count, 2].  Raises ValueError outside 0 to 1.  [any]"""
    if not 0.0 <= density <= 1.0:
        raise ValueError(f"density is {density}, must be from 0 (no attacks) to 1 ({MAX_ONSETS:.0f} a second)")
    return density_features(torch.full((count,), float(density)))


def density_of(onsets_per_second: Tensor) -> Tensor:
    """Attacks a second to a density from 0 to 1: 0 without an attack, 1 from 32 a second on.  [any]"""
    return (torch.log2(1.0 + onsets_per_second) / torch.log2(torch.tensor(1.0 + MAX_ONSETS))).clamp(0.0, 1.0)


def section_features(section: Tensor) -> Tensor:
    """Index of the section [T] in SECTIONS, -1 where it is not known, to its columns [T, 7].  [any]"""
    known = (section >= 0).unsqueeze(1)
    return F.one_hot(section.long().clamp(min=0), SECTION_WIDTH).float() * known


def section_asked(name: str, count: int) -> Tensor:
    """One section in `count` frames, to its columns [count, 7].  Raises ValueError for an unknown name.  [any]"""
    if name not in SECTIONS:
        raise ValueError(f"section is '{name}', must be one of {', '.join(SECTIONS)}")
    return section_features(torch.full((count,), SECTIONS.index(name)))


def key_features(tonic: int, scale: Iterable[int]) -> Tensor:
    """A tonic (0 = C) and the steps of its scale in semitones to the key's columns [24]: scale, then tonic.  [any]"""
    columns = torch.zeros(KEY_WIDTH)
    columns[[(tonic + step) % 12 for step in scale]] = 1.0
    columns[12 + tonic % 12] = 1.0
    return columns


def key_asked(name: str) -> Tensor:
    """A key's name ("A minor", "Eb major", "F#m") to its columns [24].  Raises ValueError for other names.  [any]"""
    tonic, mode = parse_key(name)
    return key_features(tonic, MODES[mode])


def parse_key(name: str) -> tuple[int, str]:
    """A key's name to its tonic (0 = C) and its mode.  Raises ValueError for what is no key.  [any]"""
    text = name.strip().replace("♯", "#").replace("♭", "b")
    letter, rest = text[:1].upper(), text[1:]
    shift = {"#": 1, "b": -1}.get(rest[:1], 0)
    mode = rest[1 if shift else 0 :].strip()
    modes = {"": "major", "major": "major", "maj": "major", "m": "minor", "min": "minor", "minor": "minor"}
    mode = mode if mode == "m" else mode.lower()
    if letter not in "CDEFGAB" or not letter or mode not in modes:
        raise ValueError(f"key is '{name}', must be a tone and a mode, as 'A minor', 'Eb major', 'F#m'")
    return (KEYS.index(letter) + shift) % 12, modes[mode]
