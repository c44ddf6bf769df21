"""Auditions the presets on the embedded model: on the tempo, not silent, unlike each other. Writes docs/presets.md.

    python -m engine.train.audition [--seeds 4] [--seconds 10] [--only porch peak-hour] [--page docs/presets.md]

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
    ask = Ask(text=str(text) if text else None, grid=FrameGrid(BPM))
    sampling = Sampling(float(given.get("temperature", model.temperature)), int(given.get("top_k", 250)))
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


def recognised(sound: Sound, others: Sequence[Sound], scale: Array) -> tuple[float, str]:
    """The share of a preset's pieces that are nearest to its other pieces, and the preset that is nearest else."""
    centres = {other.name: other.timbres.mean(axis=0) for other in others if other.name != sound.name}
    right, nearest = 0, dict.fromkeys(centres, 0.0)
    for number, piece in enumerate(sound.timbres):
        own = np.delete(sound.timbres, number, axis=0).mean(axis=0)
        away = {name: float(np.linalg.norm((piece - centre) / scale)) for name, centre in centres.items()}
        right += float(np.linalg.norm((piece - own) / scale)) < min(away.values())
        for name, distance in away.items():
            nearest[name] += distance
    return right / len(sound.timbres), min(nearest, key=nearest.__getitem__)


def rows(sounds: Sequence[Sound], tables: dict[str, dict[str, object]]) -> list[str]:
    """The lines of the table."""
    prompted = [sound for sound in sounds if sound.prompted]
    scale = np.concatenate([sound.timbres for sound in sounds]).std(axis=0) + 1e-3
    lines = [
        "| preset | what it does | level, dBFS | longest silence, s | on the grid (off it) | recognised | nearest other |",
        "|---|---|---|---|---|---|---|",
    ]
    for sound in sounds:
        share, near = recognised(sound, prompted, scale) if sound.prompted else (float("nan"), "")
        known = f"{100 * share:.0f} %" if sound.prompted else "follows the region"
        lines.append(
            f"| `{sound.name}` | {tables[sound.name].get('description', '')} | {sound.level_db:.0f} | "
            f"{sound.silence_seconds:.1f} | {sound.on_grid:.2f} ({sound.off_grid:.2f}) | {known} | "
            f"{f'`{near}`' if near else ''} |"
        )
    return lines


def faults(sounds: Sequence[Sound]) -> list[str]:
    """What is wrong with presets, a sentence each."""
    prompted = [sound for sound in sounds if sound.prompted]
    scale = np.concatenate([sound.timbres for sound in sounds]).std(axis=0) + 1e-3
    found = []
    for sound in sounds:
        if sound.level_db < QUIETEST_DB or sound.silence_seconds > SILENCE_SECONDS:
            found.append(f"{sound.name}: {sound.level_db:.0f} dBFS, silent for {sound.silence_seconds:.1f} s")
        if sound.on_grid < sound.off_grid + ON_GRID:
            found.append(f"{sound.name}: on the grid {sound.on_grid:.2f}, off it {sound.off_grid:.2f}")
        if sound.prompted and len(prompted) > 1 and recognised(sound, prompted, scale)[0] < 0.5:
            found.append(f"{sound.name}: under half of its pieces are recognised")
    return found


def main() -> int:
    """Command line: 1 if a preset has a fault."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0)
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
