"""File names: they keep their letters, are valid on every system, and never collide.

words      "Größe, café!"  ->  größe-café              of takes: prompt, tempo, key, seed
portable   "a/b: ド?.wav"   ->  a_b_ ド_.wav             of folders and notes, from their file's name
key        Loop, LOOP, NFC and NFD: one key            names that some file system treats as equal
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from plugin_host.console.output import OutputError

WORDS_MAX, WORDS_BYTES = 48, 120  # characters, and bytes of UTF-8: file systems allow 143 to 255 for a name
LABEL_MAX, LABEL_BYTES = 64, 160
_JOINERS = "\u200c\u200d"  # within words of Persian and Hindi
_FORBIDDEN = frozenset('<>:"/\\|?*')  # on Windows
_PORTS = tuple(f"{port}{n}" for port in ("com", "lpt") for n in "123456789¹²³")
_RESERVED = frozenset(("con", "prn", "aux", "nul", "conin$", "conout$", *_PORTS))
_SAME_MAX = 10_000


def words(text: str) -> str:
    """Text as lower-case words of its letters and digits, joined by hyphens; "take" if there are none.  [any]"""
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", text).lower())
    spaced = "".join(sign if unicodedata.category(sign)[0] in "LNM" or sign in _JOINERS else " " for sign in plain)
    joined = "-".join(word for word in spaced.split() if any(unicodedata.category(sign)[0] in "LN" for sign in word))
    short = cut(joined, WORDS_MAX, WORDS_BYTES)
    if short != joined:
        short = short.rpartition("-")[0] or short
    return f"{short}-take" if short in _RESERVED else short or "take"


def cut(text: str, characters: int, n_bytes: int) -> str:
    """The beginning of a text, at most `characters` and `n_bytes` of UTF-8.  [any]"""
    return text[:characters].encode("utf-8", "replace")[:n_bytes].decode("utf-8", "ignore")


def take_name(prompt: str, bpm: float, key: str, seed: int) -> str:
    """A name without its ending, like `warm-lofi-piano_92bpm_Am_seed7`.  [any]"""
    shown = re.sub(r"[^A-Za-z0-9]", "", key.replace("#", "sharp").replace(" minor", "m").replace(" major", ""))[:12]
    return "_".join(part for part in (words(prompt), f"{bpm:g}bpm", shown, f"seed{seed}") if part)


def portable(name: str) -> str:
    """The name with "_" for characters that some system forbids; not hidden, reserved or too long.  [any]"""
    kept = "".join("_" if _is_refused(sign) else sign for sign in name).lstrip(". ")
    kept = cut(kept, LABEL_MAX, LABEL_BYTES).rstrip(". ")
    stem = kept.partition(".")[0].rstrip(" ").casefold()
    return f"_{kept}" if stem in _RESERVED or not kept else kept


def _is_refused(sign: str) -> bool:
    """Control characters, surrogates (bytes that are not UTF-8), line ends, invisible formatting."""
    return sign in _FORBIDDEN or (sign not in _JOINERS and unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp"))


def marked(name: str) -> str:
    """`portable`, and eight unique letters.  [any]"""
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{cut(portable(name), LABEL_MAX - 9, LABEL_BYTES - 9).rstrip('. ')}-{mark}"


def key(name: str) -> str:
    """Equal for names that some file system treats as equal: upper and lower case, composed and decomposed.  [any]"""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def free_paths(folder: Path, name: str, ending: str) -> Iterator[Path]:
    """Paths in the folder with names that are free on any system: `name`, `name-2`, ...; OutputError.  [any]"""
    try:
        taken = {key(entry) for entry in os.listdir(folder)}
    except OSError as error:
        raise OutputError(f"{folder} cannot be read: {error.strerror or error}") from None
    for number in range(1, _SAME_MAX):
        path = folder / f"{name}{'' if number == 1 else f'-{number}'}.{ending}"
        if key(path.name) not in taken:
            yield path
    raise OutputError(f"{folder} has {_SAME_MAX} takes of one name; choose another folder")
