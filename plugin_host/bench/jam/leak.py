"""How far a jam takes its own sound out of what the player's microphone hears: input.wav against heard.wav."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bridge.ring.form import Audio
from plugin_host.bench.jam.figures import Recording

ALIGN_SECONDS = 0.05


@dataclass(frozen=True)
class Leak:
    """Levels in dB: of the leak over Segue, of the leak over what is left, of the player over what is left."""

    level_db: float
    first_db: float
    later_db: float
    player_db: float


def leak_of(jam: Recording, heard_file: Path, loop: Audio, first_seconds: float) -> Leak:
    """Of a player who plays `loop` again and again from bar 0 on, while Segue plays.

    `first_seconds` of Segue's music, in which a path is learned, have a figure of their own.  [any]
    """
    import soundfile

    heard = soundfile.read(heard_file, dtype="float32", always_2d=True)[0][:, 0]
    n = min(len(heard), len(jam.input), len(jam.own))
    player = np.zeros(n, np.float32)
    begins = jam.begins + _late(jam, loop)
    player[begins:] = np.resize(loop[:, 0], n - begins)
    leak, left = jam.input[:n, 0] - player, heard[:n] - player
    first = int(np.flatnonzero(jam.own[:n].any(axis=1))[0])
    turn = first + int(first_seconds * jam.rate_hz)
    early, later = slice(first, turn), slice(turn, n)
    own = jam.own[:n].mean(axis=1)
    return Leak(
        _db(leak[later], own[later]), _db(leak[early], left[early]), _db(leak[later], left[later]),
        _db(player[later], left[later]),
    )  # fmt: skip


def _late(jam: Recording, loop: Audio) -> int:
    """Samples by which the player's first loop lies behind bar 0 in the recording; before Segue plays."""
    reach = int(ALIGN_SECONDS * jam.rate_hz)
    begin, n = jam.begins, len(loop) // 2
    part = jam.input[begin - reach : begin + n + reach, 0].astype(np.float64)
    size = 1 << (len(part) + n).bit_length()
    match = np.fft.irfft(np.fft.rfft(part, size) * np.conj(np.fft.rfft(loop[:n, 0].astype(np.float64), size)), size)
    return int(np.argmax(match[: 2 * reach + 1])) - reach


def _db(of: Audio, over: Audio) -> float:
    return float(10 * np.log10(np.mean(np.square(of, dtype=np.float64)) / np.mean(np.square(over, dtype=np.float64))))
