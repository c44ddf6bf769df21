"""Which parts of a piece are heard: a view is some of its stems, when each of them plays, and the others beside it.

    targets    the stems that the model is to play      context   other stems, which it hears (or none)
    activity   [8, T] which instruments sound           density   [T] attacks a second, as a density

All of it [main].
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.conditions.arrangement import INSTRUMENTS, density_of
from engine.conditions.frames import FRAME_SAMPLES, FRAMES_PER_SECOND
from engine.train.parts.effects import master
from engine.train.parts.stems import Stem
from engine.train.render import TARGET_RMS, Audio, level_to

KINDS = {"all": 0.3, "one": 0.34, "some": 0.18, "all but one": 0.18}
DRUMS_ALONE = 0.4  # of the views of one part
CONTEXT = 0.55  # of the views that leave a part out
ENTRIES = 0.35  # of the views of more than one part
FADE_SAMPLES = 320
SILENT_DB = -45.0
REACH_FRAMES = 75  # an instrument counts as playing this long before and after it sounds
ONSET_FRAMES = 100  # density is counted over so many frames
SAME_ATTACK_SECONDS = 0.03


@dataclass(frozen=True)
class View:
    """What is heard of a piece, and what else plays; `heard` [stems, T] says when each target plays."""

    targets: tuple[Stem, ...]
    context: tuple[Stem, ...]
    heard: NDArray[np.bool_]


def choose(rng: random.Random, stems: Sequence[Stem], bar_seconds: float) -> View:
    """A view of a piece's stems, drawn at random.  [any]"""
    kind = rng.choices(tuple(KINDS), weights=tuple(KINDS.values()))[0]
    order = rng.sample(list(stems), len(stems))
    drums = [stem for stem in stems if stem.instrument == "drums"]
    if kind == "one":
        targets = drums if drums and rng.random() < DRUMS_ALONE else order[:1]
    elif kind == "all" or len(stems) < 3:
        targets = order if rng.random() < 0.5 else order[: max(2, len(order) - rng.randint(1, 2))]
    elif kind == "some":
        targets = order[: rng.randint(2, len(stems) - 1)]
    else:
        targets = order[1:]
    rest = [stem for stem in order if all(stem is not target for target in targets)]
    context = rng.sample(rest, rng.randint(1, len(rest))) if rest and rng.random() < CONTEXT else []
    n_frames = len(stems[0].audio) // FRAME_SAMPLES
    return View(tuple(targets), tuple(context), _heard(rng, targets, n_frames, bar_seconds))


def _heard(rng: random.Random, targets: Sequence[Stem], n_frames: int, bar_seconds: float) -> NDArray[np.bool_]:
    """When each target plays: always, or in and out every few bars; one of them always plays."""
    heard = np.ones((len(targets), n_frames), bool)
    if len(targets) < 2 or rng.random() > ENTRIES:
        return heard
    kept = rng.randrange(len(targets))
    bars = rng.choice((2, 4, 4, 8))
    for start in range(0, n_frames, max(1, round(bars * bar_seconds * FRAMES_PER_SECOND))):
        end = start + max(1, round(bars * bar_seconds * FRAMES_PER_SECOND))
        if rng.random() < 0.3:
            kept = rng.randrange(len(targets))
        for index in range(len(targets)):
            heard[index, start:end] = index == kept or rng.random() < 0.65
    return heard


def sound_of(view: View, rng: random.Random) -> Audio:
    """The targets together, mastered, at the level of the training set.  [any]"""
    total = np.zeros_like(view.targets[0].audio)
    for stem, when in zip(view.targets, view.heard, strict=True):
        total += stem.audio if when.all() else stem.audio * _gate(when, len(total))
    return level_to(master(rng, total), TARGET_RMS * 10 ** (rng.uniform(-2, 2) / 20))


def context_sound(view: View, rng: random.Random) -> Audio | None:
    """The context together, mastered and at a level of its own; None without any.  [any]"""
    if not view.context:
        return None
    total = np.sum([stem.audio for stem in view.context], axis=0)
    return level_to(master(rng, total), TARGET_RMS * 10 ** (rng.uniform(-2, 2) / 20))


def _gate(when: NDArray[np.bool_], n_samples: int) -> Audio:
    """Frames on and off as a gain of samples, with short ramps."""
    gain = np.repeat(when.astype(np.float32), FRAME_SAMPLES)
    gain = np.pad(gain, (0, max(0, n_samples - len(gain))), mode="edge")[:n_samples]
    return np.convolve(gain, np.ones(FADE_SAMPLES, np.float32) / FADE_SAMPLES, mode="same").astype(np.float32)


def level_frames(audio: Audio) -> NDArray[np.float64]:
    """RMS of each whole frame [T], in dB."""
    frames = audio[: len(audio) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    return np.asarray(10.0 * np.log10(np.mean(frames.astype(np.float64) ** 2, axis=1) + 1e-12))


def activity(view: View) -> NDArray[np.uint8]:
    """Which instruments play, [8, T]: those that sound within a second and a half.  [any]"""
    n_frames = view.heard.shape[1]
    playing = np.zeros((len(INSTRUMENTS), n_frames), np.uint8)
    loudest = max(float(level_frames(stem.audio).max()) for stem in view.targets)
    for stem, when in zip(view.targets, view.heard, strict=True):
        sounds = (level_frames(stem.audio)[:n_frames] > loudest + SILENT_DB) & when
        near = np.convolve(sounds, np.ones(2 * REACH_FRAMES + 1), mode="same")[:n_frames] > 0
        playing[INSTRUMENTS.index(stem.instrument)] |= near.astype(np.uint8)
    return playing


def density(view: View) -> NDArray[np.float32]:
    """Attacks a second of the targets as a density [T]; NaN where a target's notes are not known.  [any]"""
    n_frames = view.heard.shape[1]
    if any(not len(stem.onsets_seconds) for stem in view.targets):
        return np.full(n_frames, np.nan, np.float32)
    starts: list[float] = []
    for stem, when in zip(view.targets, view.heard, strict=True):
        at = (stem.onsets_seconds * FRAMES_PER_SECOND).astype(int)
        starts += stem.onsets_seconds[when[np.minimum(at, n_frames - 1)]].tolist()
    attacks = np.unique(np.round(np.array(starts) / SAME_ATTACK_SECONDS))
    counts, _ = np.histogram(attacks * SAME_ATTACK_SECONDS * FRAMES_PER_SECOND, bins=np.arange(n_frames + 1))
    window = np.ones(ONSET_FRAMES) / (ONSET_FRAMES / FRAMES_PER_SECOND)
    return density_of(torch.from_numpy(np.convolve(counts, window, mode="same")[:n_frames]).float()).numpy()
