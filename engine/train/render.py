"""Renders a composed piece to audio: one soundfont pass per stem, then a mix with tone, room and level.

Sounds: FluidR3_GM (MIT) and MuseScore_General (MIT), from the Debian packages fluid-soundfont-gm and
musescore-general-soundfont-small. Renderer: tinysoundfont (MIT), about 200 times real time on one core.

All of it [main].
"""

import os
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.train.compose import STEMS, Note, Piece

SAMPLE_RATE_HZ = 32000
SOUNDS = Path(os.environ.get("SEGUE_TRAIN_SOUNDS", "/usr/share"))  # elsewhere: what `gpu.pack` has unpacked there
SOUNDFONTS = (SOUNDS / "sounds/sf2/FluidR3_GM.sf2", SOUNDS / "sounds/sf3/MuseScore_General_Lite.sf3")
DRUM_BANK = 128
TARGET_RMS = 0.09

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Rendered:
    """Mono audio of one piece at 32 kHz: the mix, and the parts that a player might hand over as a reference."""

    mix: Audio
    melody: Audio
    harmony: Audio


@lru_cache(maxsize=len(SOUNDFONTS))
def synth(path: Path) -> tuple[Any, int]:
    """A synthesiser with its soundfont loaded (slow once), and the soundfont's id."""
    import tinysoundfont

    made = tinysoundfont.Synth(gain=0, samplerate=SAMPLE_RATE_HZ)
    return made, made.sfload(str(path))


def soundfonts() -> list[Path]:
    """Those that are installed; none is an error that names the packages."""
    found = [path for path in SOUNDFONTS if path.is_file()]
    if not found:
        raise FileNotFoundError("no soundfont: apt install fluid-soundfont-gm musescore-general-soundfont-small")
    return found


def play(notes: Iterable[Note], bpm: float, font: Path, program: int, drums: bool, n_samples: int) -> Audio:
    """Notes on one program of a soundfont, mono, exactly `n_samples` long.  [any]"""
    player, font_id = synth(font)
    player.sounds_off_all() if hasattr(player, "sounds_off_all") else player.sounds_off(0)
    channel, bank = (9, DRUM_BANK) if drums else (0, 0)
    try:
        player.program_select(channel, font_id, bank, program, drums)
    except Exception:
        player.program_select(channel, font_id, bank, 0, drums)
    events = []
    per_beat = SAMPLE_RATE_HZ * 60.0 / bpm
    for note in notes:
        start = int(note.start_beats * per_beat)
        end = start + int(note.length_beats * per_beat)
        events += [(start, 1, note.key, note.velocity), (end, 0, note.key, 0)]
    events.sort()
    out = np.zeros(n_samples, np.float32)
    at = 0
    for time, on, key, velocity in [*events, (n_samples, 0, 0, 0)]:
        time = min(time, n_samples)
        if time > at:
            stereo = np.frombuffer(player.generate(time - at), np.float32).reshape(-1, 2)
            out[at:time] = stereo.mean(axis=1)
            at = time
        if on:
            player.noteon(channel, key, velocity)
        elif key:
            player.noteoff(channel, key)
    player.sounds_off(channel)
    return out


def render_stem(piece: Piece, stem: str, font: Path, n_samples: int) -> Audio:
    """One stem alone, mono, exactly `n_samples` long.  [any]"""
    drums = stem == "drums"
    program = piece.genre.drum_kit if drums else piece.programs.get(stem, 0)
    notes = [note for note in piece.notes if note.stem == stem]
    return play(notes, piece.bpm, font, program, drums, n_samples)


def _room(rng: random.Random, seconds: float) -> Audio:
    """A decaying noise impulse response, darker with time."""
    noise = np.random.default_rng(rng.randrange(2**31)).standard_normal(int(seconds * SAMPLE_RATE_HZ))
    decay = np.exp(-6.9 * np.arange(len(noise)) / len(noise))
    response = np.convolve(noise * decay, np.ones(8) / 8, mode="same")
    return (response / np.sqrt(np.sum(response**2))).astype(np.float32)


def _tone(rng: random.Random, audio: Audio) -> Audio:
    """A gentle random tilt of the spectrum, at most 4 dB at either end."""
    from scipy.signal import lfilter

    amount = rng.uniform(-0.35, 0.35)
    return lfilter([1.0, -amount], [1.0], audio).astype(np.float32)


def mix(piece: Piece, stems: dict[str, Audio], rng: random.Random) -> Audio:
    """The stems together: random balance, tone and room; level set to the same loudness for every piece."""
    from scipy.signal import fftconvolve

    gains = {"drums": 0.9, "bass": 0.85, "chords": 0.6, "pad": 0.45, "melody": 0.9}
    total = np.zeros(len(next(iter(stems.values()))), np.float32)
    sent = np.zeros_like(total)
    wet = rng.uniform(0.0, 0.18)
    for stem, audio in stems.items():
        level = np.sqrt(np.mean(audio**2)) + 1e-9
        gain = gains[stem] * 10 ** (rng.uniform(-3, 3) / 20)
        part = audio * np.float32(gain * 0.05 / level) if level > 1e-6 else audio
        total += part
        if stem not in ("bass", "drums"):
            sent += part
    total += np.float32(wet) * fftconvolve(sent, _room(rng, rng.uniform(0.4, 1.4)))[: len(total)].astype(np.float32)
    return level_to(_tone(rng, total), TARGET_RMS * 10 ** (rng.uniform(-2, 2) / 20))


def level_to(audio: Audio, rms: float) -> Audio:
    """Scale to an RMS, with the peaks rounded off below full scale."""
    now = float(np.sqrt(np.mean(audio**2))) + 1e-9
    scaled = audio * np.float32(rms / now)
    return np.where(np.abs(scaled) < 0.7, scaled, np.sign(scaled) * (0.7 + 0.3 * np.tanh((np.abs(scaled) - 0.7) / 0.3)))


def render(piece: Piece, seed: int) -> Rendered:
    """A piece to audio; the same piece and seed give the same samples.  [any]"""
    rng = random.Random(seed ^ 0x5E60E)
    font = rng.choice(soundfonts())
    n_samples = int(piece.seconds * SAMPLE_RATE_HZ)
    present = {note.stem for note in piece.notes}
    stems = {stem: render_stem(piece, stem, font, n_samples) for stem in STEMS if stem in present}
    silent = np.zeros(n_samples, np.float32)
    melody = stems.get("melody", silent)
    harmony = melody + sum((stems.get(stem, silent) for stem in ("chords", "pad")), silent)
    return Rendered(mix(piece, stems, rng), level_to(melody, TARGET_RMS), level_to(harmony, TARGET_RMS))
