"""Auditions the presets on the embedded model: on the tempo, not silent, unlike each other. Writes docs/presets.md.

    python -m engine.train.audition [--seeds 6] [--seconds 6] [--only porch peak-hour] [--page docs/presets.md]

A preset with a prompt plays from nothing, one without goes on from a region of the package. Each plays with several
seeds on a grid of 112 bpm. `timbre` of `engine.train.metrics` says how pieces differ.

All of it [main].
"""

import argparse
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine.audio.audio_file import load as load_audio
from engine.conditions.arrangement import INSTRUMENTS
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.model import Ask, FrameGrid, LoadedModel
from engine.models.load import load_model
from engine.stream import StreamSettings, TokenStream, WindowSize
from engine.train.metrics import beat_score, longest_silence_seconds, timbre

Array = NDArray[np.float32]
ROOT = Path(__file__).parents[2]
BPM, ELSEWHERE = 112.0, 1.13  # the grid, and the factor of a tempo at which nothing was asked
FRAMES_PER_SECOND = 50
REGION = ROOT / "presets" / "regions" / "funk-106bpm.flac"
PROMPT_FRAMES = 200
QUIETEST_DB, SILENCE_SECONDS, ON_GRID = -45.0, 1.0, 0.05
DIVISIONS, CHANCE = 1000, 0.05  # random divisions of two presets' pieces; the most that chance may do
MARK = "<!-- measured by python -m engine.train.audition -->"


@dataclass(frozen=True)
class Sound:
    """What one preset sounded like: of each seed timbre, level, longest silence, on the grid, and off it."""

    name: str
    prompted: bool
    timbres: Array  # [seeds, features]
    level_db: float
    silence_seconds: float
    on_grid: float
    off_grid: float


def presets() -> dict[str, dict[str, object]]:
    """The tables of the presets' files by name."""
    return {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted((ROOT / "presets").glob("*.toml"))}


def pieces(model: LoadedModel, table: dict[str, object], count: int, seconds: float) -> list[Array]:
    """Mono audio at 32 kHz of a preset, one piece for each seed."""
    given, text = table.get("parameters", {}), table.get("prompt")
    assert isinstance(given, dict)
    bits, density = int(given.get("instruments", 0)), float(given.get("density", -1.0))
    playing = tuple(name for n, name in enumerate(INSTRUMENTS) if bits >> n & 1) or None
    words, many = str(text) if text else None, density if density >= 0 else None
    ask = Ask(text=words, grid=FrameGrid(BPM), instruments=playing, density=many)
    sampling = Sampling(
        temperature=float(given.get("temperature", model.temperature)), top_k=int(given.get("top_k", 250))
    )
    guidance = Guidance(float(given.get("cfg", model.cfg_coef)))
    prompt = None if text else _region_codes(model)
    begun = 0 if prompt is None else prompt.shape[1]
    size, total = WindowSize(model.window_frames, model.stride_frames), begun + round(seconds * FRAMES_PER_SECOND)
    settings = StreamSettings(sampling, guidance, size, total)
    found = []
    for seed in range(count):
        stream = TokenStream.begin(
            model.executor, lambda offset, n: model.conditioner([ask], guidance, offset, n)[0], prompt, settings, seed
        )
        stream.advance(total)
        with torch.no_grad():
            found.append(model.codec.decode(stream.codes(begun)[None])[0, 0].numpy().astype(np.float32))
    return found


def _region_codes(model: LoadedModel) -> torch.Tensor:
    audio, _ = load_audio(REGION)
    codes: torch.Tensor = model.codec.encode(audio.mean(dim=0, keepdim=True)[None, :, : PROMPT_FRAMES * 640])[0]
    return codes


def measured(name: str, prompted: bool, audio: Sequence[Array]) -> Sound:
    """A preset's pieces, measured."""
    level = float(np.mean([10 * np.log10(np.mean(each**2) + 1e-12) for each in audio]))
    silence = max(map(longest_silence_seconds, audio))
    on, off = (float(np.mean([beat_score(each, BPM * factor) for each in audio])) for factor in (1.0, ELSEWHERE))
    return Sound(name, prompted, np.stack([timbre(each) for each in audio]), level, silence, on, off)


def nearest(sound: Sound, others: Sequence[Sound], scale: Array) -> tuple[str, float, float]:
    """The other preset that sounds most alike; how far it is, and how often chance gives as much (a share).

    The distance is that of the two means, over what a random division of both presets' pieces into two groups gives.
    """
    means = {other.name: other.timbres.mean(axis=0) for other in others if other.name != sound.name}
    own = sound.timbres.mean(axis=0)
    name = min(means, key=lambda each: float(np.linalg.norm((own - means[each]) / scale)))
    (other,) = (each for each in others if each.name == name)
    both, rng = np.concatenate([sound.timbres, other.timbres]) / scale, np.random.default_rng(0)
    count, apart = len(sound.timbres), []
    for _ in range(DIVISIONS):
        mixed = both[rng.permutation(len(both))]
        apart.append(float(np.linalg.norm(mixed[:count].mean(axis=0) - mixed[count:].mean(axis=0))))
    distance = float(np.linalg.norm((own - means[name]) / scale))
    return name, distance / float(np.mean(apart)), float(np.mean(np.array(apart) >= distance))


def within(sounds: Sequence[Sound]) -> Array:
    """How much each feature varies among the pieces of a preset [features]."""
    apart = np.concatenate([sound.timbres - sound.timbres.mean(axis=0) for sound in sounds])
    return np.asarray(apart.std(axis=0) + 0.1, np.float32)


def rows(sounds: Sequence[Sound], tables: dict[str, dict[str, object]]) -> list[str]:
    """The lines of the table."""
    prompted, scale = [sound for sound in sounds if sound.prompted], within(sounds)
    lines = [
        "| preset | what it does | level, dBFS | silent, s | on the grid (off it) | nearest other, how far | chance |",
        "|---|---|---|---|---|---|---|",
    ]
    for sound in sounds:
        known = "follows the region | |"
        if sound.prompted:
            name, far, chance = nearest(sound, prompted, scale)
            known = f"`{name}`, {far:.2f} | {100 * chance:.1f} % |"
        lines.append(
            f"| `{sound.name}` | {tables[sound.name].get('description', '')} | {sound.level_db:.0f} | "
            f"{sound.silence_seconds:.1f} | {sound.on_grid:.2f} ({sound.off_grid:.2f}) | {known}"
        )
    return lines


def faults(sounds: Sequence[Sound]) -> list[str]:
    """What is wrong with presets, a sentence each."""
    prompted, scale, found = [sound for sound in sounds if sound.prompted], within(sounds), []
    for sound in sounds:
        if sound.level_db < QUIETEST_DB or sound.silence_seconds > SILENCE_SECONDS:
            found.append(f"{sound.name}: {sound.level_db:.0f} dBFS, silent for {sound.silence_seconds:.1f} s")
        if sound.on_grid < sound.off_grid + ON_GRID:
            found.append(f"{sound.name}: on the grid {sound.on_grid:.2f}, off it {sound.off_grid:.2f}")
        if sound.prompted and len(prompted) > 1:
            name, far, chance = nearest(sound, prompted, scale)
            if chance > CHANCE:
                found.append(f"{sound.name}: like {name}, {far:.2f} as far as by chance ({100 * chance:.0f} %)")
    return found


def main() -> int:
    """Command line: 1 if a preset has a fault."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--only", nargs="+", default=None)
    parser.add_argument("--page", type=Path, default=None, help="page whose table is replaced")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, tables = load_model("embedded"), presets()
    sounds = []
    for name, table in tables.items():
        if args.only is None or name in args.only:
            sounds.append(measured(name, bool(table.get("prompt")), pieces(model, table, args.seeds, args.seconds)))
            print(f"{name}: {sounds[-1].level_db:.0f} dBFS, on the grid {sounds[-1].on_grid:.2f}", flush=True)
    lines = rows(sounds, tables)
    print("\n".join(lines))
    if args.page is not None:
        head, _, _ = args.page.read_text("utf-8").partition(MARK)
        args.page.write_text(f"{head}{MARK}\n\n" + "\n".join(lines) + "\n", "utf-8")
    found = faults(sounds)
    print("\n".join(found) or "no faults")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
