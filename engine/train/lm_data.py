"""Windows of pieces for training the language model, with every condition randomly present or absent.

All of it [main].
"""

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.conditions.frames import (
    MELODY_COLUMNS,
    N_FEATURES,
    TEMPO_COLUMNS,
    beats_of_frames,
    melody_features,
    tempo_features,
)
from engine.train.captions import caption

STYLE_FRAMES = 150
KEEP = {"text": 0.7, "style": 0.55, "melody": 0.55, "tempo": 0.85}
NOTHING = 0.1


@dataclass(frozen=True)
class TokenPiece:
    """One piece in memory: codes int16 [4, T], chroma uint8 [3, T, 12] (melody, harmony, mix), facts."""

    codes: Tensor
    chroma: Tensor
    facts: dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """B windows: codes [B, 4, T], frame features [B, T, F], captions, style excerpts' codes [B, 4, 150], and
    which rows have a style."""

    codes: Tensor
    frames: Tensor
    texts: list[str | None]
    style_codes: Tensor
    has_style: Tensor

    def to(self, device: str) -> "Batch":
        """The same on a device."""
        codes, frames = self.codes.to(device), self.frames.to(device)
        return Batch(codes, frames, self.texts, self.style_codes.to(device), self.has_style.to(device))


def load_piece(path: Path) -> TokenPiece:
    """Read what `tokenise` wrote."""
    stored = np.load(path)
    return TokenPiece(
        torch.from_numpy(stored["codes"]), torch.from_numpy(stored["chroma"]), json.loads(str(stored["facts"]))
    )


class TrainingPieces:
    """All pieces of a folder in memory; new files are taken up by `refresh`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pieces: list[TokenPiece] = []
        self.seen: set[str] = set()

    def refresh(self) -> int:
        """Load what is new; how many pieces there are."""
        for path in sorted(self.folder.glob("*.npz")):
            if path.name not in self.seen:
                self.seen.add(path.name)
                self.pieces.append(load_piece(path))
        return len(self.pieces)


def melody_of(piece: TokenPiece, start: int, n_frames: int, rng: random.Random) -> Tensor:
    """Melody columns [T, 25] from the melody stem, the harmony or the mix; sometimes blurred, as real input is."""
    kind = rng.choices((0, 1, 2), weights=(5, 2.5, 2.5))[0]
    chroma = piece.chroma[kind, start : start + n_frames].float() / 255.0
    if rng.random() < 0.3:
        noise = torch.rand(chroma.shape, generator=torch.Generator().manual_seed(rng.randrange(2**31)))
        chroma = torch.maximum(chroma, noise * rng.uniform(0.1, 0.6)) * (chroma.amax(dim=1, keepdim=True) > 0)
    return melody_features(chroma)


def window(piece: TokenPiece, n_frames: int, rng: random.Random) -> tuple[Tensor, Tensor, str | None, Tensor | None]:
    """One training example: codes, frame features, caption or None, style codes or None."""
    start = rng.randrange(piece.codes.shape[1] - n_frames)
    facts = piece.facts
    frames = torch.zeros(n_frames, N_FEATURES)
    nothing = rng.random() < NOTHING
    given = {name: not nothing and rng.random() < share for name, share in KEEP.items()}
    if given["melody"]:
        frames[:, MELODY_COLUMNS] = melody_of(piece, start, n_frames, rng)
    if given["tempo"]:
        beats = beats_of_frames(0.0, facts["bpm"], start, n_frames)
        frames[:, TEMPO_COLUMNS] = tempo_features(beats, facts["bpm"], facts["beats_per_bar"])
    style = None
    if given["style"]:
        at = rng.randrange(piece.codes.shape[1] - STYLE_FRAMES)
        style = piece.codes[:, at : at + STYLE_FRAMES]
    text = caption(facts, rng) if given["text"] else None
    return piece.codes[:, start : start + n_frames], frames, text, style


def batch(pieces: list[TokenPiece], size: int, n_frames: int, rng: random.Random) -> Batch:
    """A batch of windows from random pieces."""
    rows = [window(piece, n_frames, rng) for piece in rng.choices(pieces, k=size)]
    blank = torch.zeros(4, STYLE_FRAMES, dtype=torch.int16)
    return Batch(
        torch.stack([row[0] for row in rows]).long(),
        torch.stack([row[1] for row in rows]),
        [row[2] for row in rows],
        torch.stack([blank if row[3] is None else row[3] for row in rows]).long(),
        torch.tensor([row[3] is not None for row in rows]),
    )
