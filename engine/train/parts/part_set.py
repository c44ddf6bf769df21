"""Makes training material in parts, resumable: pieces become stems, stems become views, views become tokens.

    python -m engine.train.parts.part_set --codec codec.pt --out TOKENS [--first 0] [--pieces 2000] [--views 3]

A file is one view: what `tokenise` writes, and `context` (codes of the parts beside it), `activity`, `density` and
`section` of each frame. No audio is kept. Seeds from HELD_OUT on, and every eleventh of freedoom's songs, are not for
training. A file's name is seed and view.

All of it [main].
"""

import argparse
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.system.whole_file import settle
from engine.codec.spectral import SpectralCodec
from engine.conditions.arrangement import SECTIONS
from engine.conditions.frames import FRAME_SAMPLES, FRAMES_PER_SECOND, chroma_frames
from engine.train.parts import corpus
from engine.train.parts.arrange import Arrangement, arrange
from engine.train.parts.stems import Stem, render_stems
from engine.train.parts.views import View, activity, choose, context_sound, density, level_frames, sound_of
from engine.train.render import SAMPLE_RATE_HZ, TARGET_RMS, Audio, level_to
from engine.train.tokenise import load_codec

KINDS = {"arranged": 0.72, "looped": 0.08, "freedoom": 0.17, "recorded": 0.03}
HELD_OUT_SONGS = 11  # every so manieth song
LONGEST_SILENCE = 60  # frames
TRIES = 4


@dataclass(frozen=True)
class Material:
    """A piece as stems, and what is known about it: facts for captions and conditions, section of each frame or -1."""

    stems: list[Stem]
    facts: dict[str, Any]
    section: NDArray[np.int8]

    @property
    def bar_seconds(self) -> float:
        """Length of a bar; two seconds where the tempo is not known."""
        bpm = self.facts["bpm"]
        return 60.0 / bpm * self.facts["beats_per_bar"] if bpm else 2.0


def whole(stems: list[Stem]) -> list[Stem]:
    """Stems that sound at all, cut to whole frames."""
    n = len(stems[0].audio) // FRAME_SAMPLES * FRAME_SAMPLES if stems else 0
    return [replace(stem, audio=stem.audio[:n]) for stem in stems if np.abs(stem.audio).max() > 1e-4]


def sections_of(made: Arrangement) -> NDArray[np.int8]:
    """Section of each frame of an arrangement, as an index of SECTIONS."""
    piece = made.piece
    frames_per_bar = piece.beats_per_bar * 60.0 / piece.bpm * FRAMES_PER_SECOND
    out = np.zeros(int(piece.seconds * FRAMES_PER_SECOND) + 1, np.int8)
    for section in made.sections:
        out[round(section.first_bar * frames_per_bar) :] = SECTIONS.index(section.name)
    return out


def composed(seed: int, rng: random.Random, seconds: float, looped: bool) -> Material:
    """A piece of our own; `looped`: a recorded drum loop plays its drums."""
    made = arrange(seed, seconds)
    piece, stems = made.piece, render_stems(made, rng)
    if looped:
        loop = corpus.loop_stem(rng, piece.bpm, len(stems[0].audio))
        stems = [loop, *(stem for stem in stems if stem.name != "drums")]
    facts = {"genre": piece.genre.name, "bpm": piece.bpm, "beats_per_bar": piece.beats_per_bar, "tonic": piece.tonic,
             "mode": piece.mode}  # fmt: skip
    return Material(whole(stems), facts, sections_of(made))


def of_others(kind: str, rng: random.Random, seconds: float) -> Material | None:
    """A stretch of a written or a recorded song; None where the package is not installed or the stretch is empty."""
    facts: dict[str, Any] = {"genre": None, "bpm": None, "beats_per_bar": 4, "tonic": None, "mode": None}
    if kind == "recorded":
        folders = corpus.sectoid_songs()
        stems = whole(corpus.recorded_stems(rng.choice(folders), rng, seconds)) if folders else []
        facts["genre"] = "rock"
    else:
        songs = [song for n, song in enumerate(corpus.freedoom_songs()) if n % HELD_OUT_SONGS]
        if not songs:
            return None
        song = rng.choice(songs)
        stems, bpm, _ = corpus.song_stems(song, rng, seconds)
        stems, facts["bpm"] = whole(stems), bpm if song.on_grid else None
    if not stems:
        return None
    return Material(stems, facts, np.full(len(stems[0].audio) // FRAME_SAMPLES + 1, -1, np.int8))


def material(seed: int, seconds: float) -> Material:
    """The piece of a seed.  [any]"""
    rng = random.Random(seed ^ 0x9A275)
    kind = rng.choices(tuple(KINDS), weights=tuple(KINDS.values()))[0]
    found = of_others(kind, rng, seconds) if kind in ("freedoom", "recorded") else None
    return found or composed(seed, rng, seconds, kind == "looped")


def facts_of(made: Material, view: View) -> dict[str, Any]:
    """The facts of a view for captions and conditions."""
    band = any(stem.word == "band" for stem in view.targets)
    return {**made.facts, "words": sorted({stem.word for stem in view.targets}), "labelled": not band,
            "instruments": sorted({stem.instrument for stem in view.targets}),
            "missing": sorted({s.instrument for s in made.stems} - {s.instrument for s in view.targets})}  # fmt: skip


def silent_frames(audio: Audio) -> int:
    """Length of the longest silence, in frames."""
    longest = now = 0
    for level in level_frames(audio):
        now = now + 1 if level < -55.0 else 0
        longest = max(longest, now)
    return longest


def melodies(made: Material, view: View, mix: Audio) -> list[Audio]:
    """Sources of a melody: the lead, the harmony, the mix; those of other parts where the view has no tones."""
    own = [stem for stem in view.targets if stem.instrument != "drums"]
    tonal = own or [stem for stem in made.stems if stem.instrument != "drums"]
    lead = next((stem for stem in tonal if stem.name == "melody"), tonal[0] if tonal else None)
    if lead is None:
        return [mix, mix, mix]
    harmony = np.sum([stem.audio for stem in tonal], axis=0)
    return [level_to(lead.audio, TARGET_RMS), level_to(harmony, TARGET_RMS), mix]


def codes_of(codec: SpectralCodec, sounds: list[Audio]) -> NDArray[np.int16]:
    """Codes [n, 4, T] of sounds that are equally long."""
    return codec.encode(torch.from_numpy(np.stack(sounds))[:, None]).numpy().astype(np.int16)


def tokens_of(made: Material, view: View, mix: Audio, beside: Audio | None, codec: SpectralCodec) -> dict[str, Any]:
    """Codes, chroma, facts and labels of a view, by name: what its file holds.  [any]"""
    codes = codes_of(codec, [mix] if beside is None else [mix, beside])
    n_frames = codes.shape[-1]
    chroma = [chroma_frames(torch.from_numpy(sound))[:n_frames] for sound in melodies(made, view, mix)]
    known = density(view)
    dense = np.where(np.isnan(known), 255, np.round(np.nan_to_num(known) * 250)).astype(np.uint8)
    return {
        "codes": codes[0],
        "context": codes[1] if beside is not None else np.zeros((codes.shape[1], 0), np.int16),
        "chroma": (torch.stack(chroma) * 255).round().to(torch.uint8).numpy(),
        "facts": np.array(json.dumps(facts_of(made, view))),
        "activity": activity(view)[:, :n_frames],
        "density": dense[:n_frames],
        "section": made.section[:n_frames],
    }


def views_of(seed: int, seconds: float, count: int) -> Iterator[tuple[int, Material, View, Audio, Audio | None]]:
    """Up to `count` views of a seed's piece that are never silent for long: number, piece, view, sound, what is beside.

    [any]
    """
    made, rng = material(seed, seconds), random.Random(seed ^ 0x71E35)
    for index in range(count):
        for _ in range(TRIES):
            view = choose(rng, made.stems, made.bar_seconds)
            mix = sound_of(view, rng)
            if silent_frames(mix) <= LONGEST_SILENCE:
                yield index, made, view, mix, context_sound(view, rng)
                break


def make_views(seed: int, seconds: float, count: int, codec: SpectralCodec, out: Path) -> float:
    """All views of a seed's piece; how many seconds they last together."""
    made_seconds = 0.0
    for index, made, view, mix, beside in views_of(seed, seconds, count):
        path = out / f"{seed:07d}-{index}.npz"
        part = path.with_suffix(".part")
        with part.open("wb") as stream:
            np.savez(stream, **tokens_of(made, view, mix, beside, codec))
        settle(part, path)
        made_seconds += len(mix) / SAMPLE_RATE_HZ
    return made_seconds


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--codec", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--pieces", type=int, default=2000)
    parser.add_argument("--views", type=int, default=3, help="of each piece")
    parser.add_argument("--seconds", type=float, default=36.0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    codec, began, done = load_codec(args.codec), time.time(), 0.0
    for seed in range(args.first, args.first + args.pieces):
        if not list(args.out.glob(f"{seed:07d}-*.npz")):
            length = random.Random(seed).uniform(0.7, 1.3) * args.seconds
            done += make_views(seed, length, args.views, codec, args.out)
        if seed % 20 == 0:
            print(f"{seed}: {done / 3600:.2f} h, {done / (time.time() - began):.0f}x real time", flush=True)


if __name__ == "__main__":
    main()
