"""Two ways to mix two prompts, compared on the embedded model: their conditions, or the logits of a row for each.

    python -m engine.train.evaluate_morph [--seeds 4] [--seconds 6]

For weights from the first prompt to the second: where the sound lies between the two (0 the first, 1 the second), how
far it is off the straight line, both by `timbre` of `engine.train.metrics`; and the time it takes.

All of it [main].
"""

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.guidance import Guidance
from engine.core.sampling import Sampling, draw
from engine.lm import Conditions
from engine.model import Ask, FrameGrid, LoadedModel
from engine.models.load import load_model
from engine.stream.window import Window
from engine.train.metrics import timbre

PAIRS = (
    ("calm ambient, soft pads, dreamy", "driving house, four on the floor, synth bass, club"),
    ("folk, acoustic guitar, warm", "rock, electric guitar, drums, loud"),
    ("solo piano, slow, sad", "funk, slap bass, brass, drums"),
    ("lofi hip hop, mellow, vinyl", "drum and bass, fast, energetic, synth lead"),
)
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
GRID = FrameGrid(110.0)
Make = Callable[[LoadedModel, tuple[str, str], float, int, int], Tensor]


def by_conditions(model: LoadedModel, pair: tuple[str, str], weight: float, frames: int, seed: int) -> Tensor:
    """Codes [K, T] of the mixture that Segue uses."""
    ask = Ask(texts=((pair[0], 1.0 - weight), (pair[1], weight)), grid=GRID)
    (conditions,) = model.conditioner([ask], Guidance(model.cfg_coef), 0, frames)[0]
    return _codes(model, conditions, frames, seed, lambda rows: (rows[0], rows[1]))


def by_logits(model: LoadedModel, pair: tuple[str, str], weight: float, frames: int, seed: int) -> Tensor:
    """Codes [K, T] with a row for each prompt: the weighted sum of their logits."""
    guidance = Guidance(model.cfg_coef)
    one, other = (model.conditioner([Ask(text=text, grid=GRID)], guidance, 0, frames)[0][0] for text in pair)
    parts = [(getattr(one, name), getattr(other, name)) for name in ("memory", "frames")]
    memory, features = (torch.cat([a[:1], b]) for a, b in parts)
    conditions = Conditions(memory=memory, frames=features)
    return _codes(model, conditions, frames, seed, lambda rows: (torch.lerp(rows[0], rows[1], weight), rows[2]))


def _codes(
    model: LoadedModel, conditions: Conditions, frames: int, seed: int, rows: Callable[[Tensor], tuple[Tensor, Tensor]]
) -> Tensor:
    """Codes of one window; `rows` makes the conditional and the null logits of all rows' logits."""
    config = model.lm.config
    window = Window(model.executor, (conditions,), torch.zeros(config.n_codebooks, 0, dtype=torch.long), frames)
    generator, sampling = torch.Generator().manual_seed(seed), Sampling(temperature=model.temperature)
    while not window.done:
        told, null = rows(window.logits())
        window.write(draw(null + model.cfg_coef * (told - null), sampling, generator))
    return window.codes(0, frames)


def line(features: Sequence[NDArray[np.float32]]) -> tuple[list[float], list[float]]:
    """Where each weight's mean lies between the first and the last, and how far off their line; in their distance."""
    means = [each.mean(axis=0) for each in features]
    along = means[-1] - means[0]
    length = float(along @ along)
    places = [float((mean - means[0]) @ along) / length for mean in means]
    off = [mean - means[0] - place * along for mean, place in zip(means, places, strict=True)]
    return places, [float(np.linalg.norm(each)) / length**0.5 for each in off]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=6.0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, frames = load_model("embedded"), round(50 * args.seconds)
    ways: dict[str, Make] = {"conditions": by_conditions, "logits": by_logits}
    print(f"weights {', '.join(f'{weight:g}' for weight in WEIGHTS)}; {args.seeds} pieces of {args.seconds:g} s each")
    for pair in PAIRS:
        for name, make in ways.items():
            features, took = [], 0.0
            with torch.no_grad():
                for weight in WEIGHTS:
                    began = time.perf_counter()
                    made = [make(model, pair, weight, frames, seed) for seed in range(args.seeds)]
                    took += time.perf_counter() - began
                    sounds = [model.codec.decode(codes[None])[0, 0].numpy() for codes in made]
                    features.append(np.stack([timbre(sound.astype(np.float32)) for sound in sounds]))
            places, off = line(features)
            shown = " ".join(f"{each:.2f}" for each in places), " ".join(f"{each:.2f}" for each in off)
            seconds = took / len(WEIGHTS) / args.seeds
            print(f"{pair[0]} -> {pair[1]}, {name}: at {shown[0]}, off {shown[1]}, {seconds:.2f} s a piece", flush=True)


if __name__ == "__main__":
    main()
