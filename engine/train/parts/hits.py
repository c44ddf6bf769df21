"""Drum sounds other than a soundfont's: synthesised ones, and the CC0 one-shots of Debian's sonic-pi-samples.

A kit is one sound for each General MIDI drum key. Loops and sounds that the evaluation holds out are never read.

All of it [main].
"""

import random
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from scipy.signal import lfilter, resample_poly

from engine.train.compose import Note
from engine.train.render import SAMPLE_RATE_HZ, SOUNDS, Audio

SONIC_PI = SOUNDS / "sonic-pi/samples"
HELD_OUT_LOOPS = ("breakbeat", "compus", "drone_g_97", "electric", "garzul", "industrial", "mika", "safari", "tabla")
HELD_OUT = (*(f"loop_{name}" for name in HELD_OUT_LOOPS), "tabla_", "loop_amen")  # beginnings of names, never read
SHOTS = {
    "kick": ("bd_808", "bd_ada", "bd_boom", "bd_fat", "bd_gas", "bd_haus", "bd_klub", "bd_mehackit", "bd_pure",
             "bd_sone", "bd_tek", "bd_zome", "bd_zum", "drum_bass_hard", "drum_bass_soft", "drum_heavy_kick",
             "elec_hollow_kick", "elec_soft_kick"),
    "snare": ("sn_dolf", "sn_dub", "sn_generic", "sn_zome", "drum_snare_hard", "drum_snare_soft", "elec_snare",
              "elec_hi_snare", "elec_lo_snare", "elec_mid_snare", "elec_filt_snare", "perc_snap", "perc_snap2"),
    "closed": ("drum_cymbal_closed", "drum_cymbal_pedal", "elec_tick", "elec_plip", "elec_pop"),
    "open": ("drum_cymbal_open", "elec_cymbal", "drum_cymbal_soft"),
    "ride": ("drum_cymbal_soft", "elec_triangle", "drum_cymbal_hard", "perc_bell"),
    "crash": ("drum_cymbal_hard", "drum_splash_hard", "drum_splash_soft"),
    "tom": ("drum_tom_hi_hard", "drum_tom_mid_hard", "drum_tom_lo_hard", "drum_tom_hi_soft", "drum_tom_mid_soft",
            "drum_tom_lo_soft", "elec_fuzz_tom", "elec_bong"),
    "perc": ("drum_cowbell", "elec_blip", "elec_blip2", "elec_wood", "elec_twip", "elec_flip", "elec_ping", "perc_till",
             "glitch_perc1", "glitch_perc2", "glitch_perc3", "glitch_perc4", "glitch_perc5", "perc_impact2"),
}  # fmt: skip
ROLES = {36: "kick", 35: "kick", 37: "perc", 38: "snare", 40: "snare", 39: "snare", 42: "closed", 44: "closed",
         46: "open", 51: "ride", 53: "ride", 59: "ride", 49: "crash", 57: "crash", 55: "crash", 52: "crash",
         41: "tom", 43: "tom", 45: "tom", 47: "tom", 48: "tom", 50: "tom"}  # fmt: skip
LONGEST_SECONDS = 2.0


@lru_cache(maxsize=256)
def read_sample(name: str) -> Audio:
    """A sample of sonic-pi-samples, mono at 32 kHz, its peak at 1.

    Raises ValueError for one that is held out, FileNotFoundError without the package.
    """
    import soundfile

    if name.startswith(HELD_OUT):
        raise ValueError(f"{name} is held out for evaluation")
    path = SONIC_PI / f"{name}.flac"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: apt install sonic-pi-samples")
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = resample_poly(audio.mean(axis=1), SAMPLE_RATE_HZ, rate) if rate != SAMPLE_RATE_HZ else audio.mean(axis=1)
    return (mono / (np.abs(mono).max() + 1e-9)).astype(np.float32)


def _decay(seconds: float, length: float = 5.0) -> np.ndarray:
    return np.exp(-np.arange(int(seconds * length * SAMPLE_RATE_HZ)) / (seconds * SAMPLE_RATE_HZ))


def _noise(rng: random.Random, count: int, low: float) -> np.ndarray:
    """Noise without its low part: `low` near 1 leaves hiss only."""
    raw = np.random.default_rng(rng.randrange(2**31)).standard_normal(count)
    return np.asarray(lfilter([1.0, -low], [1.0, 0.3 * low], raw))


def _swept(rng: random.Random, hz: float, drop: float, fall: float, decay: float) -> np.ndarray:
    """A sine that falls from `drop` times its pitch."""
    level = _decay(decay)
    t = np.arange(len(level)) / SAMPLE_RATE_HZ
    return np.sin(2 * np.pi * np.cumsum(hz * (1 + (drop - 1) * np.exp(-t / fall))) / SAMPLE_RATE_HZ) * level


def _metal(rng: random.Random, decay: float, low: float) -> np.ndarray:
    """Six squares that fit no key, and noise, without their low part."""
    level = _decay(decay, 4.0)
    t, base = np.arange(len(level)) / SAMPLE_RATE_HZ, rng.uniform(260, 520)
    squares = sum(np.sign(np.sin(2 * np.pi * base * ratio * t)) for ratio in (1.0, 1.34, 1.52, 1.93, 2.27, 2.61))
    return (np.asarray(lfilter([1.0, -low], [1.0], squares)) * 0.3 + _noise(rng, len(t), low) * 0.6) * level


def synthesised(rng: random.Random, role: str, key: int) -> Audio:
    """A drum sound of a role, its peak at 1.  [any]"""
    if role == "kick":
        sound = _swept(rng, rng.uniform(38, 62), rng.uniform(2, 7), rng.uniform(0.01, 0.05), rng.uniform(0.06, 0.3))
    elif role == "tom":
        sound = _swept(rng, 440 * 2 ** ((key - 78) / 12), rng.uniform(1.2, 2), 0.04, rng.uniform(0.08, 0.22))
    elif role == "snare":
        body = _swept(rng, rng.uniform(150, 240), 1.5, 0.02, rng.uniform(0.03, 0.1))
        hiss = _decay(rng.uniform(0.04, 0.16))
        sound = np.zeros(max(len(body), len(hiss)))
        sound[: len(body)] += rng.uniform(0.2, 0.9) * body
        sound[: len(hiss)] += hiss * _noise(rng, len(hiss), rng.uniform(0.2, 0.9)) * 0.5
    elif role in ("closed", "open", "ride", "crash"):
        decay = {"closed": rng.uniform(0.012, 0.06), "open": rng.uniform(0.12, 0.4), "ride": rng.uniform(0.15, 0.5),
                 "crash": rng.uniform(0.4, 0.8)}[role]  # fmt: skip
        sound = _metal(rng, decay, rng.uniform(0.8, 0.98))
    else:
        sound = _swept(rng, rng.uniform(300, 1400), rng.uniform(1, 1.5), 0.01, rng.uniform(0.02, 0.12))
        sound = sound + _noise(rng, len(sound), 0.8) * _decay(0.01, len(sound) / 320 + 1)[: len(sound)] * 0.3
    return (sound / (np.abs(sound).max() + 1e-9)).astype(np.float32)


def draw_sound(rng: random.Random, key: int) -> Audio:
    """A sound for a drum key: synthesised or a CC0 one-shot, transposed a little, with a softer attack now and then."""
    role = ROLES.get(key, "perc")
    if rng.random() < 0.4 or not SONIC_PI.is_dir():
        return synthesised(rng, role, key)
    sound = read_sample(rng.choice(SHOTS[role]))
    speed = 2 ** (rng.uniform(-4, 4) / 12) * (2 ** ((key - 45) / 24) if role == "tom" else 1.0)
    at = np.arange(0, min(len(sound) - 1, LONGEST_SECONDS * SAMPLE_RATE_HZ * speed), speed)
    moved = np.interp(at, np.arange(len(sound)), sound).astype(np.float32)
    fade = min(len(moved), 3200)
    moved[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return moved


def play_hits(notes: Iterable[Note], bpm: float, rng: random.Random, n_samples: int) -> Audio:
    """Drum notes on a kit drawn for this piece, exactly `n_samples` long.  [any]"""
    out, kit = np.zeros(n_samples, np.float32), {}
    balance = {"kick": 1.0, "snare": 0.8, "closed": 0.35, "open": 0.35, "ride": 0.3, "crash": 0.4, "tom": 0.7}
    for note in notes:
        if note.key not in kit:
            role = ROLES.get(note.key, "perc")
            gain = balance.get(role, 0.5) * 10 ** (rng.uniform(-3, 3) / 20)
            kit[note.key] = draw_sound(rng, note.key) * np.float32(gain)
        start, sound = int(note.start_beats * SAMPLE_RATE_HZ * 60.0 / bpm), kit[note.key]
        count = min(len(sound), n_samples - start)
        if count > 0:
            out[start : start + count] += sound[:count] * np.float32((note.velocity / 115.0) ** 1.6)
    return out
