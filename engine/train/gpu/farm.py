"""Processes that compose, render and cut training examples, and hand them to one that trains.

    each process:  piece -> views -> (tokens) -> its pool of the last ones -> batches -> queue -> what trains

While enough batches wait, a process renders new music; otherwise it cuts batches from its pool: training never waits
for a renderer, and no processor idles. Process n of N makes the pieces of seeds first + n, first + n + N, ...

All of it [main].
"""

import contextlib
import multiprocessing
import os
import queue
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from engine.codec.spectral import SpectralCodec
from engine.conditions.frames import CONTEXT_COLUMNS, N_FEATURES, STYLE_COLUMNS, TEXT_COLUMNS
from engine.train import lm_data
from engine.train.codec_train import SEGMENT_SAMPLES
from engine.train.lm_data import Batch, TokenPiece
from engine.train.parts import part_set
from engine.train.parts.corpus import freedoom_songs
from engine.train.render import soundfonts, synth

POOL_VIEWS = 600
LEAST_VIEWS = 3
WAITING_BATCHES = 3  # for each process
PATIENCE_SECONDS = 90.0
PIECE_SECONDS, VIEWS = 36.0, 3
FILLED_IN = (TEXT_COLUMNS, STYLE_COLUMNS, CONTEXT_COLUMNS)  # by the model: they do not travel
SENT = [n for n in range(N_FEATURES) if not any(s.start <= n < s.stop for s in FILLED_IN)]


class Cutter(Protocol):
    """What a process keeps of the pieces that it renders, and the batches that it cuts from them."""

    def keep(self, seed: int) -> list[Any]:
        """The views of a seed's piece, as kept in memory."""

    def cut(self, pool: list[Any], rng: random.Random) -> Any:
        """A batch of numpy arrays (tensors would travel as open files)."""


def seconds_of(seed: int) -> float:
    """Length of a seed's piece."""
    return random.Random(seed).uniform(0.7, 1.3) * PIECE_SECONDS


@dataclass(frozen=True)
class SoundCutter:
    """For the codec: batches int16 [rows, SEGMENT_SAMPLES] of views at many levels."""

    rows: int

    def keep(self, seed: int) -> list[Any]:
        """Sounds, int16."""
        sounds = [mix for _, _, _, mix, _ in part_set.views_of(seed, seconds_of(seed), VIEWS)]
        return [np.round(np.clip(mix, -1, 1) * 32767).astype(np.int16) for mix in sounds if len(mix) > SEGMENT_SAMPLES]

    def cut(self, pool: list[Any], rng: random.Random) -> Any:
        """Segments of random views."""
        out = []
        for piece in rng.choices(pool, k=self.rows):
            start = rng.randrange(len(piece) - SEGMENT_SAMPLES)
            out.append((piece[start : start + SEGMENT_SAMPLES] * 10 ** (rng.uniform(-9, 0) / 20)).astype(np.int16))
        return np.stack(out)


@dataclass(frozen=True)
class WindowCutter:
    """For the language model: windows of tokens and conditions, in the shapes that `shape` draws."""

    codec: SpectralCodec
    shape: Callable[[random.Random], tuple[int, int]]
    longest_frames: int

    def keep(self, seed: int) -> list[Any]:
        """Tokens and labels of views that are longer than a window."""
        made = part_set.views_of(seed, seconds_of(seed), VIEWS)
        pieces = [
            lm_data.piece_of(part_set.tokens_of(piece, view, mix, beside, self.codec))
            for _, piece, view, mix, beside in made
        ]
        return [piece for piece in pieces if piece.codes.shape[1] > self.longest_frames]

    def cut(self, pool: list[TokenPiece], rng: random.Random) -> Any:
        """A batch, packed."""
        rows, n_frames = self.shape(rng)
        return packed(lm_data.batch_of(rng.choices(pool, k=rows), n_frames, rng))


def packed(rows: Batch) -> dict[str, Any]:
    """A batch as small arrays: codes in 16 bits, features in half precision and only those that are not filled in."""
    return {"codes": rows.codes.to(torch.int16).numpy(), "frames": rows.frames[..., SENT].half().numpy(),
            "texts": rows.texts, "style": rows.style_codes.to(torch.int16).numpy(), "styled": rows.has_style.numpy(),
            "context": rows.context_codes.to(torch.int16).numpy(), "beside": rows.has_context.numpy()}  # fmt: skip


def unpacked(sent: dict[str, Any], device: str) -> Batch:
    """A packed batch on a device."""

    def there(name: str) -> Tensor:
        return torch.from_numpy(sent[name]).to(device)

    few = there("frames").float()
    frames = few.new_zeros(*few.shape[:2], N_FEATURES)
    frames[..., SENT] = few
    return Batch(there("codes").long(), frames, sent["texts"], there("style").long(), there("styled"),
                 there("context").long(), there("beside"))  # fmt: skip


def work(cutter: Cutter, first: int, step: int, batches: Any, made: Any) -> None:
    """A process's life: it ends after the process that started it has ended, killed or not."""
    torch.set_num_threads(1)
    batches.cancel_join_thread()
    parent, rng = os.getppid(), random.Random(first)
    pool: list[Any] = []
    for seed in count(first, step):
        pool = (pool + cutter.keep(seed))[-POOL_VIEWS:]
        with made.get_lock():
            made.value += 1
        while len(pool) >= LEAST_VIEWS and not batches.full():
            with contextlib.suppress(queue.Full):
                batches.put(cutter.cut(pool, rng), timeout=1.0)
            if os.getppid() != parent:
                return
        if os.getppid() != parent:
            return


def load_sounds() -> None:
    """Load once what all processes play."""
    for font in soundfonts():
        synth(font)
    freedoom_songs()


class Farm:
    """Processes at work, stopped at the end of the block.

    They are forked, so it must be entered before a GPU is used; soundfonts are loaded once, before.
    """

    def __init__(
        self, cutter: Cutter, processes: int, first_seed: int, prepare: Callable[[], object] = load_sounds
    ) -> None:
        if processes < 1:
            raise ValueError(f"{processes} processes: at least 1 is needed")
        self.prepare = prepare
        context = multiprocessing.get_context("fork")
        self.batches, self.made = context.Queue(WAITING_BATCHES * processes), context.Value("i", 0)
        args = [(cutter, first_seed + n, processes, self.batches, self.made) for n in range(processes)]
        self.processes = [context.Process(target=work, args=each, daemon=True) for each in args]

    def __enter__(self) -> "Farm":
        self.prepare()
        for process in self.processes:
            process.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.join()

    @property
    def pieces(self) -> int:
        """Pieces rendered so far."""
        return int(self.made.value)

    def next(self) -> Any:
        """The next batch.  RuntimeError when a process has ended or none comes for a long time."""
        try:
            return self.batches.get(timeout=PATIENCE_SECONDS)
        except queue.Empty:
            ended = [process.exitcode for process in self.processes if process.exitcode is not None]
            raise RuntimeError(f"no batch for {PATIENCE_SECONDS:g} s; {len(ended)} of {len(self.processes)} "
                               f"processes ended, with {ended}") from None  # fmt: skip
