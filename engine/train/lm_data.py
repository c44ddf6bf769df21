"""Windows of pieces for training the language model, with every condition randomly present or absent.

All of it [main].
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.conditions.arrangement import (
    INSTRUMENTS,
    density_features,
    instrument_features,
    key_features,
    section_features,
)
from engine.conditions.frames import (
    DENSITY_COLUMNS,
    HARMONY_FRAMES,
    INSTRUMENT_COLUMNS,
    KEY_COLUMNS,
    MELODY_COLUMNS,
    N_FEATURES,
    SECTION_COLUMNS,
    TEMPO_COLUMNS,
    beats_of_frames,
    melody_features,
    tempo_features,
)
from engine.train.captions import caption
from engine.train.genres import SCALES
from engine.train.parts.arrange import instrument_of

STYLE_FRAMES = 150
KEEP = {"text": 0.7, "style": 0.55, "melody": 0.55, "tempo": 0.85, "instruments": 0.6, "density": 0.4, "section": 0.3,
        "key": 0.4, "context": 0.85}  # fmt: skip
NOTHING = 0.1
UNKNOWN = 255  # of a density; others are 0 to 250
SMOOTHED = 0.4  # of the melodies from a mix, as serving does with the chords of a prompt


@dataclass(frozen=True)
class TokenPiece:
    """One piece in memory: codes int16 [4, T], chroma uint8 [3, T, 12] (melody, harmony, mix), facts; and what a view
    in parts has beside them: the context's codes [4, T] (or [4, 0]), activity [8, T], density [T], section [T]."""

    codes: Tensor
    chroma: Tensor
    facts: dict[str, Any]
    context: Tensor
    activity: Tensor
    density: Tensor
    section: Tensor


@dataclass(frozen=True)
class Batch:
    """B windows: codes [B, 4, T], frame features [B, T, F] without the context's, captions, style excerpts' codes
    [B, 4, 150], codes of the context [B, 4, T], and which rows have a style and a context."""

    codes: Tensor
    frames: Tensor
    texts: list[str | None]
    style_codes: Tensor
    has_style: Tensor
    context_codes: Tensor
    has_context: Tensor

    def to(self, device: str) -> "Batch":
        """The same on a device."""
        return Batch(
            self.codes.to(device), self.frames.to(device), self.texts, self.style_codes.to(device),
            self.has_style.to(device), self.context_codes.to(device), self.has_context.to(device),
        )  # fmt: skip


@dataclass(frozen=True)
class Window:
    """One training example; style and context are codes, or None."""

    codes: Tensor
    frames: Tensor
    text: str | None
    style: Tensor | None
    context: Tensor | None


def load_piece(path: Path) -> TokenPiece:
    """A piece from a file of `tokenise` or `part_set`."""
    with np.load(path) as stored:
        return piece_of(stored)


def piece_of(stored: Mapping[str, Any]) -> TokenPiece:
    """A piece from what such a file holds, by name.  [any]"""
    codes, facts = torch.from_numpy(stored["codes"]), json.loads(str(stored["facts"]))
    chroma, count = torch.from_numpy(stored["chroma"]), codes.shape[1]
    if "activity" in stored:
        rest = (torch.from_numpy(stored[name]) for name in ("context", "activity", "density", "section"))
        return TokenPiece(codes, chroma, facts, *rest)
    playing = {instrument_of(stem, facts["programs"].get(stem, 0)) for stem in facts["stems"]}
    activity = torch.tensor([[name in playing] for name in INSTRUMENTS], dtype=torch.uint8).expand(-1, count)
    unknown = torch.full((count,), UNKNOWN, dtype=torch.uint8)
    return TokenPiece(codes, chroma, facts, codes[:, :0], activity, unknown, torch.full((count,), -1, dtype=torch.int8))


class TrainingPieces:
    """All pieces of some folders in memory; new files are taken up by `refresh`.

    `draw` picks pieces so that each folder has its share of them, however many it holds.
    """

    def __init__(self, folders: Sequence[Path], shares: Sequence[float] | None = None) -> None:
        self.folders = list(folders)
        self.shares = list(shares or [1.0] * len(self.folders))
        if len(self.shares) != len(self.folders):
            raise ValueError(f"{len(self.shares)} shares for {len(self.folders)} folders of tokens: give one for each")
        self.sets: list[list[TokenPiece]] = [[] for _ in self.folders]
        self.seen: set[Path] = set()

    @property
    def pieces(self) -> list[TokenPiece]:
        """All of them."""
        return [piece for each in self.sets for piece in each]

    def refresh(self) -> int:
        """Load new files; returns the number of pieces."""
        for folder, pieces in zip(self.folders, self.sets, strict=True):
            for path in sorted(folder.glob("*.npz")):
                if path not in self.seen:
                    self.seen.add(path)
                    pieces.append(load_piece(path))
        return sum(map(len, self.sets))

    def draw(self, count: int, rng: random.Random) -> list[TokenPiece]:
        """`count` pieces, drawn at random."""
        filled = [(pieces, share) for pieces, share in zip(self.sets, self.shares, strict=True) if pieces]
        sets = rng.choices([pieces for pieces, _ in filled], weights=[share for _, share in filled], k=count)
        return [rng.choice(pieces) for pieces in sets]


def melody_of(piece: TokenPiece, start: int, n_frames: int, rng: random.Random) -> Tensor:
    """Melody columns [T, 25] from the melody stem, the harmony or the mix; sometimes blurred, as real input is."""
    kind = rng.choices((0, 1, 2), weights=(5, 2.5, 2.5))[0]
    chroma = piece.chroma[kind, start : start + n_frames].float() / 255.0
    if kind == 2 and rng.random() < SMOOTHED:
        smooth = torch.nn.functional.avg_pool1d(chroma.T, HARMONY_FRAMES, 1, HARMONY_FRAMES // 2).T
        chroma = smooth / smooth.amax(dim=1, keepdim=True).clamp(min=1e-9)
    if rng.random() < 0.3:
        noise = torch.rand(chroma.shape, generator=torch.Generator().manual_seed(rng.randrange(2**31)))
        chroma = torch.maximum(chroma, noise * rng.uniform(0.1, 0.6)) * (chroma.amax(dim=1, keepdim=True) > 0)
    return melody_features(chroma)


def arrangement_of(piece: TokenPiece, frames: Tensor, start: int, given: dict[str, bool]) -> None:
    """Write instruments, density, section and key of a window into its frame features [T, F], as far as given."""
    at, facts = slice(start, start + len(frames)), piece.facts
    if given["instruments"] and facts.get("labelled", True):
        frames[:, INSTRUMENT_COLUMNS] = instrument_features(piece.activity[:, at].T)
    if given["density"]:
        dense = piece.density[at].float()
        frames[:, DENSITY_COLUMNS] = density_features(torch.where(dense == UNKNOWN, torch.nan, dense / 250.0))
    if given["section"]:
        frames[:, SECTION_COLUMNS] = section_features(piece.section[at])
    if given["key"] and facts["mode"]:
        frames[:, KEY_COLUMNS] = key_features(facts["tonic"], SCALES[facts["mode"]])


def window(piece: TokenPiece, n_frames: int, rng: random.Random) -> Window:
    """One training example of a piece."""
    start = rng.randrange(piece.codes.shape[1] - n_frames)
    facts = piece.facts
    frames = torch.zeros(n_frames, N_FEATURES)
    nothing = rng.random() < NOTHING
    given = {name: not nothing and rng.random() < share for name, share in KEEP.items()}
    if given["melody"]:
        frames[:, MELODY_COLUMNS] = melody_of(piece, start, n_frames, rng)
    if given["tempo"] and facts["bpm"]:
        beats = beats_of_frames(0.0, facts["bpm"], start, n_frames)
        frames[:, TEMPO_COLUMNS] = tempo_features(beats, facts["bpm"], facts["beats_per_bar"])
    arrangement_of(piece, frames, start, given)
    style = None
    if given["style"]:
        at = rng.randrange(piece.codes.shape[1] - STYLE_FRAMES)
        style = piece.codes[:, at : at + STYLE_FRAMES]
    heard = given["context"] and piece.context.shape[1] > 0
    return Window(
        piece.codes[:, start : start + n_frames],
        frames,
        caption(facts, rng) if given["text"] else None,
        style,
        piece.context[:, start : start + n_frames] if heard else None,
    )


def batch(pieces: TrainingPieces, size: int, n_frames: int, rng: random.Random) -> Batch:
    """A batch of windows from random pieces."""
    return batch_of(pieces.draw(size, rng), n_frames, rng)


def batch_of(pieces: Sequence[TokenPiece], n_frames: int, rng: random.Random) -> Batch:
    """A batch of a window of each piece.  [any]"""
    rows = [window(piece, n_frames, rng) for piece in pieces]
    no_style = torch.zeros(4, STYLE_FRAMES, dtype=torch.int16)
    no_context = torch.zeros(4, n_frames, dtype=torch.int16)
    return Batch(
        torch.stack([row.codes for row in rows]).long(),
        torch.stack([row.frames for row in rows]),
        [row.text for row in rows],
        torch.stack([no_style if row.style is None else row.style for row in rows]).long(),
        torch.tensor([row.style is not None for row in rows]),
        torch.stack([no_context if row.context is None else row.context for row in rows]).long(),
        torch.tensor([row.context is not None for row in rows]),
    )
