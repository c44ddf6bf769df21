"""Twenty pairs to listen to: recorded loops that neither model was trained on, answered by an old and a new model.

    git archive COMMIT engine/models/embedded | tar x -C /tmp/old
    python -m engine.train.loop_pairs --old /tmp/old/engine/models/embedded --out docs/loop_pairs [--seed 1]

The same asks and seed for both; nothing is chosen by ear. Needs the loops of Debian's sonic-pi-samples (CC0).

All of it [main].
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch

from bridge.system.whole_file import put
from engine.beat.analyse import analyse
from engine.conditions.frames import SAMPLE_RATE_HZ
from engine.model import Ask, FrameGrid, Reference
from engine.models.embedded_model import FOLDER, load
from engine.train.evaluation.kept import following
from engine.train.evaluation.recorded import Loop, recorded_loops
from engine.train.evaluation.sound import mel_levels
from engine.train.examples import PROMPT_SECONDS, SECONDS, Example, ExampleMaker, notes_of, write
from engine.train.metrics import Array

TUNES = ("garzul", "mika")  # loops with a line of tones, for melody
INTRODUCTION = """# Recorded loops, answered by two models

Made by `python -m engine.train.loop_pairs --old FOLDER --out docs/loop_pairs`: fixed seeds, nothing chosen by ear. Old
is the third version of the embedded model (commit `b9ece47^`), new the current one. The codec is the same in both. The
loops are of sonic-pi-samples (CC0); neither model was trained on them. Files of *continuation* begin with 4 s of the
loop itself. Each model gets the tempo and the bar line that an engine detects in the loop (none in `drone_g_97`).
"""
WHAT = {
    "continuation": "The loop's first 4 s are the beginning.",
    "style": "The loop is the style reference.",
    "melody": 'The loop is the melody reference; the prompt is "lo-fi, electric piano".',
}


@dataclass(frozen=True)
class Pair:
    """A loop and the answers of both models."""

    loop: Loop
    old: Example
    new: Example


def continued(maker: ExampleMaker, loop: Loop) -> Array:
    """The loop's beginning and what the model continues it with."""
    prompt = torch.from_numpy(loop.audio[: int(PROMPT_SECONDS * SAMPLE_RATE_HZ)])[None, None]
    codes = maker.model.codec.encode(prompt)
    ask = Ask(grid=grid_of(loop), harmony=reference_of(loop))
    after = following(maker.model, prompt, maker.codes(ask, codes), codes.shape[-1]).numpy()
    return np.concatenate([prompt[0, 0].numpy(), after])


def in_style(maker: ExampleMaker, loop: Loop) -> Array:
    """Music in the style of the loop."""
    return maker.play(Ask(style=reference_of(loop), grid=grid_of(loop)))


def along(maker: ExampleMaker, loop: Loop) -> Array:
    """Music that follows the loop as a melody."""
    return maker.play(Ask(melody=reference_of(loop), grid=grid_of(loop), text="lo-fi, electric piano"))


def reference_of(loop: Loop) -> Reference:
    """The whole loop."""
    return Reference(torch.from_numpy(loop.audio)[None])


def grid_of(loop: Loop) -> FrameGrid | None:
    """Tempo and bar line as an engine detects them in a region; None if it finds no tempo."""
    found = analyse(loop.audio)
    return FrameGrid(found.bpm, -found.first_bar) if found.bpm else None


def pairs(old: ExampleMaker, new: ExampleMaker) -> dict[str, list[Pair]]:
    """All pairs by kind."""
    loops = recorded_loops(SECONDS)
    kinds: dict[str, tuple[Callable[[ExampleMaker, Loop], Array], list[Loop]]] = {
        "continuation": (continued, loops),
        "style": (in_style, loops),
        "melody": (along, [loop for loop in loops if loop.name in TUNES]),
    }
    return {
        kind: [
            Pair(loop, Example(f"{kind}_{loop.name}_old", "", make(old, loop)),
                 Example(f"{kind}_{loop.name}_new", "", make(new, loop)))
            for loop in chosen
        ]
        for kind, (make, chosen) in kinds.items()
    }  # fmt: skip


def picture(found: list[Pair], out: Path) -> None:
    """A row for each loop: the loop, the old answer, the new one, as levels in mel bands, to a PNG."""
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(12, 1.25 * len(found) + 0.6), layout="constrained")
    rows = figure.subplots(len(found), 3, squeeze=False, sharex=True)
    for row, pair in zip(rows, found, strict=True):
        sounds = (("loop", pair.loop.audio), ("old", pair.old.audio), ("new", pair.new.audio))
        for axes, (name, sound) in zip(row, sounds, strict=True):
            extent = (0.0, len(sound) / SAMPLE_RATE_HZ, 0, 80)
            axes.imshow(mel_levels(sound).numpy().T, origin="lower", aspect="auto", vmin=-30, vmax=30, extent=extent,
                        cmap="magma")  # fmt: skip
            axes.set_title(f"{pair.loop.name}, {name}", fontsize=8, loc="left")
            axes.set_yticks([])
    figure.savefig(raw := BytesIO(), dpi=65)
    Image.open(raw).convert("RGB").quantize(48).save(out, optimize=True)


def link(example: Example) -> str:
    """Link to an example's file."""
    return f"[{example.name}.ogg]({example.name}.ogg)"


def page(found: dict[str, list[Pair]], notes: dict[str, str]) -> str:
    """The list, with a picture for each kind; what was said by hand below a picture stays."""
    lines = [INTRODUCTION]
    for kind, several in found.items():
        lines += [f"## {kind.capitalize()}", "", WHAT[kind], "", "| loop | old | new |", "|---|---|---|"]
        lines += [f"| {pair.loop.name} | {link(pair.old)} | {link(pair.new)} |" for pair in several]
        lines += ["", f"![spectrograms]({kind}.png)", "", notes.get(kind, ""), ""]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--old", type=Path, required=True, help="folder of the older model")
    parser.add_argument("--new", type=Path, default=FOLDER)
    parser.add_argument("--out", type=Path, default=Path("docs/loop_pairs"))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    old, new = (ExampleMaker(load(folder=folder), args.seed) for folder in (args.old, args.new))
    found = pairs(old, new)
    for kind, several in found.items():
        write([each for pair in several for each in (pair.old, pair.new)], args.out)
        picture(several, args.out / f"{kind}.png")
    put(args.out / "index.md", page(found, notes_of(args.out / "index.md")).encode())
    size = sum(path.stat().st_size for path in args.out.glob("*.ogg"))
    print(f"{sum(map(len, found.values()))} pairs, {size / 1e6:.2f} MB, in {args.out}")


if __name__ == "__main__":
    main()
