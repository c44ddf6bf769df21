"""File names for takes: what, tempo, key, seed; safe on every system, and never one that is there already."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from plugin_host.plot import OutputError

WORDS_MAX = 48  # characters
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
_SAME_MAX = 10_000


def words(text: str) -> str:
    """Text as lower-case ASCII words joined by hyphens; "take" where nothing is left of it.  [any]"""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    joined = "-".join(re.findall(r"[a-z0-9]+", plain))
    if len(joined) > WORDS_MAX:
        joined = joined[:WORDS_MAX].rpartition("-")[0] or joined[:WORDS_MAX]
    return "take" if joined in _RESERVED or not joined else joined


def take_name(prompt: str, bpm: float, key: str, seed: int) -> str:
    """A name without its ending, like `warm-lofi-piano_92bpm_Am_seed7`.  [any]"""
    shown = re.sub(r"[^A-Za-z0-9]", "", key.replace("#", "sharp").replace(" minor", "m").replace(" major", ""))[:12]
    return "_".join(part for part in (words(prompt), f"{bpm:g}bpm", shown, f"seed{seed}") if part)


def free_path(folder: Path, name: str, ending: str) -> Path:
    """A path in the folder that nobody has, now taken by an empty file: `name`, `name-2`, ...; OutputError.  [any]"""
    for number in range(1, _SAME_MAX):
        path = folder / f"{name}{'' if number == 1 else f'-{number}'}.{ending}"
        try:
            path.open("xb").close()
        except FileExistsError:
            continue
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror or error}") from None
        return path
    raise OutputError(f"{folder} has {_SAME_MAX} takes of one name; choose another folder")
