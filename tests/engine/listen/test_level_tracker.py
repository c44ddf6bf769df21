"""Loudness, equal to other meters', and the slow gain that follows it."""

from __future__ import annotations

import random

import numpy as np
import pytest

from engine.listen import meter
from engine.listen.level_tracker import RANGE_DB, SLEW_DB_PER_SECOND, LevelTracker

RATE = 32_000


def music(seconds: float, rate: int = RATE, seed: int = 1, channels: int = 1) -> np.ndarray:
    """Chords with a beat, louder and softer bars."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate)) / rate
    tones = sum(np.sin(2 * np.pi * f * t + rng.uniform(0, 6)) for f in (65.0, 220.0, 331.0, 1200.0, 4100.0))
    swell = 0.6 + 0.4 * np.sign(np.sin(2 * np.pi * t / 4.0)) * 0.5
    sound = 0.05 * tones * np.exp(-((t * 2) % 1) * 3) * swell
    return np.repeat(sound[:, None], channels, axis=1).astype(np.float32)


@pytest.mark.parametrize("rate", [32_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_loudness_agrees_with_another_meter(rate, channels):
    pyebur128 = pytest.importorskip("pyebur128")
    audio = music(9.0, rate, channels=channels)
    other = pyebur128.R128State(channels, rate, pyebur128.MeasurementMode.MODE_I)
    other.add_frames(audio.ravel(), len(audio))
    assert meter.integrated_lufs(audio, rate) == pytest.approx(pyebur128.get_loudness_global(other), abs=0.2)


def test_loudness_of_a_tone_is_what_the_standard_says():
    tone = np.sin(2 * np.pi * 997 * np.arange(48_000 * 5) / 48_000).astype(np.float32)[:, None]
    assert meter.integrated_lufs(tone, 48_000) == pytest.approx(-3.01, abs=0.05)


def test_silence_has_no_loudness_and_short_audio_is_measured():
    assert meter.integrated_lufs(np.zeros((48_000, 1), np.float32), 48_000) == -np.inf
    assert np.isfinite(meter.integrated_lufs(music(0.05), RATE))


def test_the_stream_comes_to_the_target_slowly():
    audio = music(30.0)
    loud = meter.integrated_lufs(audio, RATE)
    tracker = LevelTracker(RATE, loud - 6.0)
    out, state = tracker.step(audio, tracker.init(1))
    assert meter.integrated_lufs(out[-8 * RATE :], RATE) == pytest.approx(loud - 6.0, abs=1.2)
    np.testing.assert_array_equal(out[: 3 * RATE], audio[: 3 * RATE])  # the samples before do not depend on it
    gains = np.array(state.gains)
    assert np.abs(np.diff(gains)).max() <= SLEW_DB_PER_SECOND * meter.HOP_SECONDS + 1e-9
    assert (np.diff(gains) <= 1e-9).all()  # steady: it does not pump with the bars


def test_gain_has_bounds_and_no_target_changes_nothing():
    audio = music(40.0)
    tracker = LevelTracker(RATE, 0.0)
    _, state = tracker.step(audio, tracker.init(1))
    assert max(state.gains) <= RANGE_DB
    tracker = LevelTracker(RATE, None)
    out, _ = tracker.step(audio, tracker.init(1))
    assert out is audio


@pytest.mark.parametrize("seed", range(3))
def test_any_cut_gives_the_same_samples_and_so_does_going_back(seed):
    audio, tracker = music(14.0), LevelTracker(RATE, -30.0)
    whole, _ = tracker.step(audio, tracker.init(1))
    chooser, state, parts, at = random.Random(seed), tracker.init(1), [], 0
    while at < len(audio):
        count = chooser.choice([1, 640, 3000, 3200, 6400, 9999])
        out, state = tracker.step(audio[at : at + count], state)
        parts.append(out)
        at += count
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    sample = chooser.randrange(4 * RATE, 13 * RATE)
    back = tracker.back_to(state, sample, audio[:sample])
    again, _ = tracker.step(audio[sample:], back)
    np.testing.assert_array_equal(again, whole[sample:])
