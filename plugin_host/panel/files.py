"""Music that comes from the browser, and pictures of files: a file is named by what it holds.

The page gets names, never paths: uploads lie in a folder of the panel that ends with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from bridge.errors import RegionMissing, RegionNotAudio, RegionTooLong, RegionTooShort
from bridge.region.sound_file import SoundFault, opened

UPLOAD_BYTES_MAX = 200 * 2**20
FILES_MAX = 64
COLUMNS = 600  # of a picture
NAME_MAX = 80


@dataclass(frozen=True)
class Music:
    """An uploaded file: its name in the browser, and where it lies."""

    name: str
    path: Path


class Files:
    """The uploads of one run of the panel, in `folder`.  [any]"""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, Music] = {}

    async def take(self, name: str, body: AsyncIterator[bytes]) -> dict[str, Any]:
        """Store an upload, and describe it; RegionTooLong, RegionTooShort, RegionNotAudio.  [any]"""
        last = Path(name.replace("\\", "/")).name
        shown = "".join(sign for sign in last if sign.isprintable())[-NAME_MAX:] or "music"
        part = self._folder / f"{id(body)}.part"
        digest, size = hashlib.sha256(), 0
        try:
            with part.open("wb") as file:
                async for block in body:
                    size += len(block)
                    if size > UPLOAD_BYTES_MAX:
                        raise RegionTooLong(f"{shown} is larger than {UPLOAD_BYTES_MAX // 2**20} MB")
                    digest.update(block)
                    file.write(block)
            if not size:
                raise RegionTooShort(f"{shown} is empty")
            key = digest.hexdigest()[:16]
            path = self._folder / key / shown
            path.parent.mkdir(exist_ok=True)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        found = {"file": key, "name": shown, **picture(path)}
        while len(self._files) >= FILES_MAX:
            self._files.pop(next(iter(self._files))).path.unlink(missing_ok=True)
        self._files[key] = Music(shown, path)
        return found

    def path(self, key: str) -> Path:
        """The path of an upload; RegionMissing.  [any]"""
        found = self._files.get(key)
        if found is None:
            raise RegionMissing(f"there is no file {key[:32]!r}: drop it on the panel again")
        return found.path


def picture(path: Path) -> dict[str, Any]:
    """Length and form of a sound file, and the lowest and highest sample of each of its columns in 1/127.

    RegionNotAudio.  [any]
    """
    try:
        with path.open("rb") as file, opened(file) as sound:
            audio, rate_hz, channels = sound.read(), sound.rate_hz, sound.channels
    except (SoundFault, OSError) as fault:
        raise RegionNotAudio(f"{path.name} cannot be read: {fault}") from None
    edges = np.linspace(0, len(audio), min(COLUMNS, max(1, len(audio))) + 1).astype(int)
    parts = [np.nan_to_num(audio[begin:end]) for begin, end in pairwise(edges)]
    rows = {name: [int(127 * np.clip(edge(part) if part.size else 0.0, -1, 1)) for part in parts]
            for name, edge in (("low", np.min), ("high", np.max))}  # fmt: skip
    return {"seconds": len(audio) / rate_hz, "rate_hz": rate_hz, "channels": channels, **rows}
