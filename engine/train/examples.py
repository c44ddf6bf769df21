"""Twelve examples to listen to, made by one command from fixed seeds, with pictures of what is in them.

    python -m engine.train.examples --out docs/examples [--seed 1]

Only held-out pieces and asks. The model's output is next to the same kind of music through the codec alone, so that
the limits of each can be heard. Nothing is chosen by ear: seeds count up from the first.

All of it [main].
"""

import argparse
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch

from bridge.system.whole_file import put
from engine.api.offline import run_together
from engine.conditions.frames import SAMPLE_RATE_HZ
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.model import Ask, FrameGrid, LoadedModel
from engine.models.load import load_model
from engine.stream import StreamSettings, WindowSize
from engine.train.compose import compose
from engine.train.evaluation.kept import following
from engine.train.evaluation.pieces import HeldOut, held_out
from engine.train.evaluation.sound import mel_levels
from engine.train.metrics import Array
from engine.train.render_set import HELD_OUT

SECONDS, PROMPT_SECONDS = 10.0, 4.0
TEXTS = (("house", "house, four on the floor", 124.0), ("jazz", "jazz, swing, saxophone with walking bass", 132.0),
         ("lofi", "lo-fi, mellow, electric piano", 80.0), ("classical", "classical, strings", 96.0))  # fmt: skip
QUALITY = 0.55  # of Ogg Vorbis as libsndfile counts it, 0 best sound, 1 smallest
FIRST = HELD_OUT + 50_000
INTRODUCTION = (
    "Made by `python -m engine.train.examples --out docs/examples`: fixed seeds, nothing chosen by ear. Files named",
    "codec are real renders through the codec alone: what the language model could reach at best.",
)


@dataclass(frozen=True)
class Example:
    """One example: file name, what it is, audio."""

    name: str
    what: str
    audio: Array


class ExampleMaker:
    """Plays asks with one seed."""

    def __init__(self, model: LoadedModel, seed: int) -> None:
        self.model, self.seed = model, seed

    def codes(self, ask: Ask, prompt: torch.Tensor | None = None) -> torch.Tensor:
        """Codes [1, K, T] of an ask, prompt first."""
        model = self.model
        settings = StreamSettings(
            Sampling(True, model.temperature, 250), Guidance(model.cfg_coef),
            WindowSize(model.window_frames, model.stride_frames), int(SECONDS * 50),
        )  # fmt: skip
        return run_together(model, [ask], prompt, settings, self.seed)

    def play(self, ask: Ask) -> Array:
        """Sound of an ask."""
        return np.asarray(self.model.codec.decode(self.codes(ask))[0, 0].numpy())

    def coded(self, audio: Array) -> Array:
        """Audio through the codec alone."""
        codes = self.model.codec.encode(torch.from_numpy(audio)[None, None])
        return np.asarray(self.model.codec.decode(codes)[0, 0].numpy())[: len(audio)]


def piece_of(genre: str, least_seconds: float = 14.0) -> HeldOut:
    """The first held-out piece of a genre."""
    seed = next(seed for seed in range(FIRST, FIRST + 1000) if compose(seed, seconds=1.0).genre.name == genre)
    return held_out(1, least_seconds, seed)[0]


def words(maker: ExampleMaker) -> list[Example]:
    """Four genres by text prompt, and real renders of two of them through the codec alone."""
    made = [Example(f"words_{name}", f'prompt: "{text}", {bpm:g} beats a minute',
                    maker.play(Ask(text=text, grid=FrameGrid(bpm)))) for name, text, bpm in TEXTS]  # fmt: skip
    for name in ("house", "jazz"):
        held = piece_of(name)
        what = f"a held-out {name} piece of the composer through the codec alone, {held.piece.bpm:.0f} beats a minute"
        made.append(Example(f"codec_{name}", what, maker.coded(held.mix(SECONDS))))
    return made


def references(maker: ExampleMaker) -> list[Example]:
    """A melody followed and a style resembled, each with what was given."""
    tune, sound = piece_of("pop"), piece_of("funk")
    melody = Ask(melody=tune.reference("melody"), grid=tune.grid, text="rock, electric guitar with drums")
    style = Ask(style=sound.reference("mix"), grid=sound.grid)
    samples = int(SECONDS * SAMPLE_RATE_HZ)
    followed = 'that melody followed, with the prompt "rock, electric guitar with drums"'
    coded = [maker.coded(held.mix(SECONDS)) for held in (tune, sound)]
    return [
        Example("melody_given", "a melody that was given", tune.audio.melody[:samples]),
        Example("melody_followed", followed, maker.play(melody)),
        Example("melody_codec", "the piece that the melody is from, through the codec alone", coded[0]),
        Example("style_given_codec", "a piece given as a style, through the codec alone", coded[1]),
        Example("style_resembled", "music conditioned on that piece as style, and on its tempo", maker.play(style)),
    ]


def onward(maker: ExampleMaker) -> list[Example]:
    """Four seconds of a held-out piece, then the model's continuation."""
    held = piece_of("bossa")
    prompt = torch.from_numpy(held.mix(PROMPT_SECONDS))[None, None]
    codes = maker.model.codec.encode(prompt)
    made = maker.codes(Ask(grid=held.grid), codes)
    audio = following(maker.model, prompt, made, codes.shape[-1]).numpy()
    what = f"{PROMPT_SECONDS:g} s of a held-out bossa nova, then the model's continuation"
    return [Example("onward", what, np.concatenate([prompt[0, 0].numpy(), audio]))]


def picture(examples: list[Example], out: Path, title: str) -> None:
    """Levels in mel bands over time, one row an example, to a PNG."""
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(9, 1.7 * len(examples) + 0.4), layout="constrained")
    rows = figure.subplots(len(examples), 1, squeeze=False, sharex=True)[:, 0]
    for axes, example in zip(rows, examples, strict=True):
        levels = mel_levels(example.audio).numpy().T
        extent = (0.0, len(example.audio) / SAMPLE_RATE_HZ, 0, 80)
        axes.imshow(levels, origin="lower", aspect="auto", vmin=-30, vmax=30, extent=extent, cmap="magma")
        axes.set_title(example.name, fontsize=8, loc="left")
        axes.set_yticks([])
    rows[-1].set_xlabel("seconds; 80 mel bands, 30 Hz to 16 kHz, -30 to 30 dB")
    figure.suptitle(title, fontsize=9)
    figure.savefig(raw := BytesIO(), dpi=75)
    Image.open(raw).convert("RGB").quantize(48).save(out, optimize=True)


def write(examples: list[Example], out: Path) -> None:
    """One Ogg Vorbis file each."""
    import soundfile

    for example in examples:
        path = out / f"{example.name}.ogg"
        with soundfile.SoundFile(str(path), "w", SAMPLE_RATE_HZ, 1, format="OGG", subtype="VORBIS",
                                 compression_level=QUALITY) as stream:  # fmt: skip
            stream.write(example.audio)


def page(groups: dict[str, list[Example]], notes: dict[str, str]) -> str:
    """The list of examples, with the pictures; what was said by hand below a picture stays."""
    lines = ["# Examples to listen to", "", *INTRODUCTION, ""]
    for name, examples in groups.items():
        lines += [f"## {name.capitalize()}", "", "| file | what it is |", "|---|---|"]
        lines += [f"| [{example.name}.ogg]({example.name}.ogg) | {example.what} |" for example in examples]
        lines += ["", f"![spectrograms]({name}.png)", "", notes.get(name, ""), ""]
    return "\n".join(lines).rstrip() + "\n"


def notes_of(path: Path) -> dict[str, str]:
    """What a page says below each picture, by the picture's name."""
    notes: dict[str, str] = {}
    if path.is_file():
        for part in path.read_text().split("\n## ")[1:]:
            name, _, below = part.partition("\n")
            notes[name.lower()] = below.partition(".png)")[2].strip()
    return notes


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--out", type=Path, default=Path("docs/examples"))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    maker = ExampleMaker(load_model(args.model), args.seed)
    groups = {"words": words(maker), "references": references(maker), "onward": onward(maker)}
    for name, examples in groups.items():
        write(examples, args.out)
        picture(examples, args.out / f"{name}.png", name)
    put(args.out / "index.md", page(groups, notes_of(args.out / "index.md")).encode())
    size = sum(path.stat().st_size for path in args.out.glob("*.ogg"))
    print(f"{sum(map(len, groups.values()))} examples, {size / 1e6:.2f} MB, in {args.out}")


if __name__ == "__main__":
    main()
