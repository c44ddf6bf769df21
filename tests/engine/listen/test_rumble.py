"""DC and rumble: removed if present, other audio unchanged, and levels that follow the music."""

from __future__ import annotations

import numpy as np
import pytest

from engine.listen.rumble import WORTH_SHARE, without_rumble

RATE = 32_000
SECONDS = np.arange(4 * RATE) / RATE


def music(channels: int = 2, rate_hz: int = RATE) -> np.ndarray:
    """A bass, a chord and noise, [C, n]."""
    seconds = np.arange(4 * rate_hz) / rate_hz
    chord = sum(np.sin(2 * np.pi * hz * seconds) for hz in (41.2, 220.0, 277.2, 330.0))
    noise = np.random.default_rng(1).standard_normal((channels, len(seconds)))
    return (0.05 * chord + 0.02 * noise).astype(np.float32)


def low(hz: float, level: float) -> np.ndarray:
    return (level * np.cos(2 * np.pi * hz * SECONDS)).astype(np.float32)


def db(wanted: np.ndarray, got: np.ndarray) -> float:
    return 10 * np.log10(np.mean(np.square(got - wanted)) / np.mean(np.square(wanted)))


@pytest.mark.parametrize("hz", [0, 3, 8, 14])
@pytest.mark.parametrize("level", [0.05, 0.5])
def test_what_is_low_goes_and_the_music_stays(hz: float, level: float) -> None:
    clean, share = without_rumble(music() + low(hz, level), RATE)
    assert share > WORTH_SHARE
    assert db(music(), clean) < -20
    edge = RATE // 50  # the end is what is continued
    assert db(music()[:, -edge:], clean[:, -edge:]) < -15


def test_music_without_it_is_untouched() -> None:
    for audio in (music(1), music(2), music() + low(14, 0.01), np.zeros((2, RATE), np.float32)):
        clean, share = without_rumble(audio, RATE)
        assert clean is audio
        assert share < WORTH_SHARE


@pytest.mark.parametrize("hz", [30, 41, 55, 110, 250, 490, 500, 510, 1000, 4000])
def test_no_tone_is_taken_for_rumble(hz: float) -> None:
    audio = low(hz, 0.3)[None]
    assert without_rumble(audio, RATE)[0] is audio


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 44_100, 192_000])
def test_at_any_rate(rate_hz: int) -> None:
    clean, share = without_rumble(music(1, rate_hz) + np.float32(0.3), rate_hz)
    assert share == pytest.approx(0.93, abs=0.05)
    assert db(music(1, rate_hz), clean) < -25


def test_a_constant_becomes_silence() -> None:
    clean, share = without_rumble(np.full((1, RATE), 0.25, np.float32), RATE)
    assert share == pytest.approx(1.0)
    assert np.abs(clean).max() < 1e-6
