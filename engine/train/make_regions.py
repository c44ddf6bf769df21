"""Makes the regions that ship with Segue: four bars of our own composer's music each, at a whole tempo.

    python -m engine.train.make_regions --out presets/regions

The seeds are fixed, and none of them is in the training or the evaluation range.

All of it [main].
"""

import argparse
from pathlib import Path

import torch
import torchaudio.functional as audio_functional

from engine.train.compose import compose
from engine.train.genres import BY_NAME
from engine.train.render import SAMPLE_RATE_HZ, render

BARS = 4
SKIPPED_BARS = 8
RATE_HZ = 48000
REGIONS = (
    ("reggae", 76, 9_000_001),
    ("lofi", 84, 9_000_002),
    ("hiphop", 92, 9_000_003),
    ("synthwave", 98, 9_000_004),
    ("funk", 106, 9_000_005),
    ("pop", 114, 9_000_006),
    ("house", 124, 9_000_007),
    ("bossa", 134, 9_000_008),
    ("rock", 146, 9_000_009),
)


def make_region(genre: str, bpm: int, seed: int) -> torch.Tensor:
    """Bars 8 to 12 of a piece, mono at 48 kHz, exactly as long as its bars."""
    settings = BY_NAME[genre]
    bar_seconds = settings.beats_per_bar * 60.0 / bpm
    piece = compose(seed, settings, float(bpm), seconds=bar_seconds * (SKIPPED_BARS + BARS + 1))
    audio = torch.from_numpy(render(piece, seed).mix)
    at_rate = audio_functional.resample(audio, SAMPLE_RATE_HZ, RATE_HZ)
    start = round(SKIPPED_BARS * bar_seconds * RATE_HZ)
    return at_rate[start : start + round(BARS * bar_seconds * RATE_HZ)]


def main() -> None:
    """Command line."""
    import soundfile

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for genre, bpm, seed in REGIONS:
        audio = make_region(genre, bpm, seed)
        soundfile.write(args.out / f"{genre}-{bpm}bpm.flac", audio.numpy(), RATE_HZ, subtype="PCM_16")
        print(f"{genre}: {BARS} bars at {bpm} bpm, rms {audio.pow(2).mean().sqrt():.3f}")


if __name__ == "__main__":
    main()
