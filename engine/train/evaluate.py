"""Measure what the embedded model can do, on held-out pieces, against controls; prints a table, writes JSON.

    python -m engine.train.evaluate [--pieces 20] [--seconds 10] [--long 120] [--out evaluation.json]

Held-out pieces are composed from seeds that training never sees and rendered like the training set, so the two
soundfonts of `engine.train.render` must be installed. Every figure comes with a control that must be worse.
"""

import argparse
import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine.guidance import Guidance
from engine.load import load_model
from engine.model import Ask, Grid, LoadedModel, Reference
from engine.offline import run_together
from engine.sampling import Sampling
from engine.stream import StreamSettings, WindowSize
from engine.train import metrics
from engine.train.captions import caption
from engine.train.compose import Piece
from engine.train.render import Rendered
from engine.train.render_set import HELD_OUT, facts, make

WRONG_TEMPI = (0.83, 0.89, 1.13, 1.21, 1.37)
CLASSIFIER_PIECES = 160
Audio = NDArray[np.float32]


@dataclass
class Report:
    """Figures by name, with 95 % intervals, in the order they were measured."""

    rows: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def add(self, name: str, values: list[float]) -> None:
        """Mean and interval of values; printed at once."""
        low, high = metrics.bootstrap_interval(values)
        self.rows[name] = (float(np.mean(values)), low, high)
        print(f"{name:<58} {np.mean(values):7.3f}   [{low:.3f}, {high:.3f}]  n={len(values)}", flush=True)


@dataclass(frozen=True)
class HeldOut:
    """One piece that training never saw."""

    piece: Piece
    audio: Rendered
    text: str

    @property
    def grid(self) -> Grid:
        """Its tempo and meter, from beat 0."""
        return Grid(self.piece.bpm, 0.0, float(self.piece.beats_per_bar))

    def reference(self, part: str) -> Reference:
        """A part of it as a reference."""
        return Reference(torch.from_numpy(getattr(self.audio, part))[None])


def held_out(count: int, seconds: float, first: int = HELD_OUT) -> list[HeldOut]:
    """Compose and render `count` pieces."""
    pieces = []
    for seed in range(first, first + count):
        piece, audio = make(seed, seconds)
        pieces.append(HeldOut(piece, audio, caption(facts(piece, seed), random.Random(seed))))
    return pieces


class Player:
    """Generates for many asks with one set of parameters."""

    def __init__(self, model: LoadedModel, seconds: float, cfg: float, temperature: float, top_k: int) -> None:
        self.model, self.seconds = model, seconds
        self.settings = StreamSettings(
            Sampling(True, temperature, top_k, 0.0), Guidance(cfg), WindowSize(model.window_frames, model.stride_frames)
        )

    def play(self, asks: list[Ask], seed: int, seconds: float | None = None) -> list[Audio]:
        """Mono audio at 32 kHz for each ask."""
        frames = int((seconds or self.seconds) * 50)
        settings = StreamSettings(self.settings.sampling, self.settings.guidance, self.settings.size, frames)
        codes = run_together(self.model, asks, None, settings, seed)
        return [audio[0].numpy() for audio in self.model.codec.decode(codes)]


def shuffled(count: int) -> list[int]:
    """For each index another one."""
    return [(index + count // 2 + 1) % count if count > 2 else 1 - index for index in range(count)]


def codec_figures(report: Report, model: LoadedModel, pieces: list[HeldOut], samples: int) -> None:
    """What the codec alone keeps: the ceiling of everything below."""
    cosine, score, level = [], [], []
    for held in pieces:
        audio = held.audio.mix[:samples]
        coded = model.codec.decode(model.codec.encode(torch.from_numpy(audio)[None, None]))[0, 0].numpy()
        cosine.append(metrics.chroma_cosine(metrics.chroma_of(audio), metrics.chroma_of(coded)))
        score.append(metrics.beat_score(coded, held.piece.bpm))
        level.append(float(np.abs(metrics.band_levels(audio) - metrics.band_levels(coded)).mean()))
    report.add("codec: chroma cosine with the original", cosine)
    report.add("codec: band level error, dB", level)
    report.add("codec: beat score", score)


def melody_and_beat(report: Report, player: Player, pieces: list[HeldOut]) -> None:
    """Melody and tempo together, as the demo uses them."""
    outs = player.play([Ask(melody=held.reference("melody"), grid=held.grid) for held in pieces], seed=1)
    chroma = [metrics.chroma_of(held.audio.melody[: len(out)]) for held, out in zip(pieces, outs, strict=True)]
    heard = [metrics.chroma_of(out) for out in outs]
    other = shuffled(len(pieces))
    matched = [metrics.chroma_cosine(h, c) for h, c in zip(heard, chroma, strict=True)]
    crossed = [metrics.chroma_cosine(h, chroma[other[i]]) for i, h in enumerate(heard)]
    report.add("melody: chroma cosine, own reference", matched)
    report.add("melody: chroma cosine, shuffled reference", crossed)
    report.add("melody: own minus shuffled (at least 0.15)", [a - b for a, b in zip(matched, crossed, strict=True)])
    original = [metrics.beat_score(held.audio.mix[: len(outs[0])], held.piece.bpm) for held in pieces]
    asked = [metrics.beat_score(out, held.piece.bpm) for held, out in zip(pieces, outs, strict=True)]
    wrong = [
        float(np.mean([metrics.beat_score(out, held.piece.bpm * factor) for factor in WRONG_TEMPI]))
        for held, out in zip(pieces, outs, strict=True)
    ]
    report.add("beat: score of the originals", original)
    report.add("beat: score at the asked tempo and phase", asked)
    report.add("beat: score at a wrong tempo (under 0.05)", wrong)
    report.rows["beat: share of the originals' score (at least 0.8)"] = (float(np.mean(asked) / np.mean(original)),) * 3
    print(f"beat: share of the originals' score (at least 0.8): {np.mean(asked) / np.mean(original):.2f}")


def tempo_is_obeyed(report: Report, player: Player, pieces: list[HeldOut]) -> None:
    """The same pieces asked for at another tempo: the new tempo must win over the piece's own."""
    asks, tempi = [], []
    for held in pieces:
        tempo = held.piece.bpm * (1.13 if held.piece.bpm < 130 else 0.87)
        tempi.append(tempo)
        asks.append(Ask(text=held.text, grid=Grid(tempo, 0.0, float(held.piece.beats_per_bar))))
    outs = player.play(asks, seed=2)
    pairs = list(zip(outs, tempi, pieces, strict=True))
    report.add("tempo change: score at the new tempo", [metrics.beat_score(out, bpm) for out, bpm, _ in pairs])
    report.add("tempo change: score at the old tempo", [metrics.beat_score(out, h.piece.bpm) for out, _, h in pairs])


class Timbres:
    """Genre from timbre: a linear classifier trained on real renders, never on what the model made."""

    def __init__(self) -> None:
        pieces = held_out(CLASSIFIER_PIECES, 12.0, first=HELD_OUT + 100_000)
        features = np.stack([metrics.timbre(held.audio.mix) for held in pieces])
        self.mean, self.std = features.mean(0), features.std(0) + 1e-6
        self.names = sorted({held.piece.genre.name for held in pieces})
        labels = torch.tensor([self.names.index(held.piece.genre.name) for held in pieces])
        x = torch.from_numpy(self.scaled(features)).float()
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(x.shape[1], len(self.names))
        optimiser = torch.optim.AdamW(self.linear.parameters(), lr=0.01, weight_decay=0.3)
        for _ in range(300):
            loss = torch.nn.functional.cross_entropy(self.linear(x), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    def scaled(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features in standard deviations of real renders."""
        return (features - self.mean) / self.std

    def log_probability(self, audio: Audio, genre: str) -> float:
        """Log-probability of a genre for audio."""
        with torch.no_grad():
            logits = self.linear(torch.from_numpy(self.scaled(metrics.timbre(audio)[None])).float())
        if genre not in self.names:
            return float("nan")
        return float(torch.log_softmax(logits, dim=1)[0, self.names.index(genre)])

    def right(self, audio: Audio, genre: str) -> float:
        """1 when the classifier names that genre."""
        with torch.no_grad():
            logits = self.linear(torch.from_numpy(self.scaled(metrics.timbre(audio)[None])).float())
        return float(self.names[int(logits.argmax())] == genre)

    def distance(self, one: Audio, other: Audio) -> float:
        """Root mean square distance of two timbres, in standard deviations."""
        a, b = (self.scaled(metrics.timbre(audio)) for audio in (one, other))
        return float(np.sqrt(np.mean((a - b) ** 2)))


def style_and_text(report: Report, player: Player, pieces: list[HeldOut], timbres: Timbres) -> None:
    """Style excerpts and captions, each against another piece's."""
    other = shuffled(len(pieces))
    outs = player.play([Ask(style=held.reference("mix"), grid=held.grid) for held in pieces], seed=3)
    own = [timbres.distance(out, held.audio.mix) for out, held in zip(outs, pieces, strict=True)]
    crossed = [timbres.distance(out, pieces[other[i]].audio.mix) for i, out in enumerate(outs)]
    report.add("style: timbre distance to its own excerpt", own)
    report.add("style: timbre distance to another piece's excerpt", crossed)
    report.add("style: another's minus own (above 0)", [b - a for a, b in zip(own, crossed, strict=True)])
    report.add("style: own is nearer", [float(a < b) for a, b in zip(own, crossed, strict=True)])
    texts = [f"{held.piece.genre.name} music" for held in pieces]
    outs = player.play([Ask(text=text, grid=h.grid) for text, h in zip(texts, pieces, strict=True)], seed=4)
    genres = [held.piece.genre.name for held in pieces]
    real = [timbres.right(held.audio.mix, genre) for held, genre in zip(pieces, genres, strict=True)]
    right = [timbres.right(out, genre) for out, genre in zip(outs, genres, strict=True)]
    asked = [timbres.log_probability(out, genre) for out, genre in zip(outs, genres, strict=True)]
    crossed = [timbres.log_probability(out, genres[other[i]]) for i, out in enumerate(outs)]
    report.add("text: genre named right on real renders", real)
    report.add("text: genre named right on output (chance 0.06)", right)
    report.add("text: log-probability of the asked genre", asked)
    report.add("text: log-probability of another asked genre", crossed)
    report.add("text: asked minus another (above 0)", [a - b for a, b in zip(asked, crossed, strict=True)])


def stability(report: Report, player: Player, seconds: float) -> None:
    """One long stream: level drift and silence."""
    audio = player.play([Ask(text="funk with bass and drums", grid=Grid(105.0))], seed=5, seconds=seconds)[0]
    blocks = audio[: len(audio) // 320000 * 320000].reshape(-1, 320000)
    levels = 10 * np.log10((blocks**2).mean(axis=1) + 1e-12)
    report.add(f"{seconds:.0f} s: longest silence, seconds (under 2)", [metrics.longest_silence_seconds(audio)])
    against_first = [float(level) for level in levels - levels[0]]
    report.add(f"{seconds:.0f} s: level of ten-second blocks against the first, dB", against_first)
    report.add(f"{seconds:.0f} s: beat score", [metrics.beat_score(audio, 105.0)])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--pieces", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--long", type=float, default=120.0)
    parser.add_argument("--cfg", type=float, default=None)
    parser.add_argument("--temperature", type=float, default=None)
    parser.add_argument("--top-k", type=int, default=250)
    parser.add_argument("--out", type=Path, default=None)
    args = parser.parse_args()
    began = time.time()
    model = load_model(args.model)
    cfg = model.cfg_coef if args.cfg is None else args.cfg
    temperature = model.temperature if args.temperature is None else args.temperature
    player = Player(model, args.seconds, cfg, temperature, args.top_k)
    pieces = held_out(args.pieces, max(14.0, args.seconds + 2.0))
    report = Report()
    codec_figures(report, model, pieces, int(args.seconds * 32000))
    melody_and_beat(report, player, pieces)
    tempo_is_obeyed(report, player, pieces)
    style_and_text(report, player, pieces, Timbres())
    stability(report, player, args.long)
    print(f"took {time.time() - began:.0f} s")
    if args.out:
        settings = {**vars(args), "out": str(args.out)}
        args.out.write_text(json.dumps({"settings": settings, "rows": report.rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
