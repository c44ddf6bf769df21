"""The limiter: no true peak over the ceiling, the same samples under any cut, nothing moved."""

from __future__ import annotations

import random

import numpy as np
import pytest

from engine.listen.limiter import CEILING_DBTP, PeakLimiter
from engine.listen.true_peak import true_peak_dbtp

RATES = [44_100, 48_000, 96_000]


def drums(rate: int, seconds: float = 1.5, gain: float = 2.0, seed: int = 0) -> np.ndarray:
    """Loud stereo sound like music: decaying hits of noise over a tone, up to 15 kHz like a model's music."""
    rng = np.random.default_rng(seed)
    n = int(rate * seconds)
    t = np.arange(n) / rate
    hits = np.exp(-((t * 4.0) % 1.0) * 12.0)
    spectrum = np.fft.rfft(rng.standard_normal((n, 2)), axis=0)
    noise = np.fft.irfft(spectrum * (np.fft.rfftfreq(n, 1 / rate) < 15e3)[:, None], n, axis=0)
    return (gain * (0.3 * noise * hits[:, None] + 0.4 * np.sin(2 * np.pi * 110 * t)[:, None])).astype(np.float32)


def in_pieces(limiter: PeakLimiter, audio: np.ndarray, seed: int) -> np.ndarray:
    chooser, state, parts, at = random.Random(seed), limiter.init(audio.shape[1]), [], 0
    while at < len(audio):
        count = chooser.choice([1, 7, 100, 480, 5000, 20_000])
        out, state = limiter.step(audio[at : at + count], state, last=at + count >= len(audio))
        parts.append(out)
        at += count
    return np.concatenate(parts)


@pytest.mark.parametrize("rate", RATES)
def test_any_cut_gives_the_same_samples(rate):
    limiter, audio = PeakLimiter(rate), drums(rate)
    whole, _ = limiter.step(audio, limiter.init(2), last=True)
    assert whole.shape == audio.shape
    assert np.abs(whole - audio).max() > 0.1  # it had work to do
    for seed in range(3):
        np.testing.assert_array_equal(in_pieces(limiter, audio, seed), whole)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("gain", [0.5, 2.0, 12.0])
def test_true_peak_stays_under_the_ceiling_by_another_meter(rate, gain):
    pyebur128 = pytest.importorskip("pyebur128")
    limiter, audio = PeakLimiter(rate), drums(rate, gain=gain)
    whole, _ = limiter.step(audio, limiter.init(2), last=True)
    meter = pyebur128.R128State(2, rate, pyebur128.MeasurementMode.MODE_TRUE_PEAK)
    meter.add_frames(whole.ravel(), len(whole))
    found = 20 * np.log10(max(pyebur128.get_true_peak(meter, 0), pyebur128.get_true_peak(meter, 1)))
    assert found <= CEILING_DBTP + 0.01
    if gain > 1.0:
        assert found > CEILING_DBTP - 1.0  # and no lower than it must be


def test_peaks_between_samples_are_seen():
    """A tone at a quarter of the rate whose samples all lie at 0.707 of its peak."""
    t = np.arange(48_000)
    fade = np.clip(np.minimum(t, t[::-1]) / 4800, 0, 1)
    tone = (1.2 * fade * np.sin(np.pi / 2 * t + np.pi / 4)).astype(np.float32)[:, None]
    assert np.abs(tone).max() < 0.85
    assert true_peak_dbtp(tone, 48_000) == pytest.approx(20 * np.log10(1.2), abs=0.05)
    limiter = PeakLimiter(48_000)
    out, _ = limiter.step(tone, limiter.init(1), last=True)
    assert true_peak_dbtp(out, 48_000) <= CEILING_DBTP


def test_what_is_soft_is_left_alone_and_nothing_moves():
    limiter, audio = PeakLimiter(48_000), drums(48_000, gain=0.3)
    whole, _ = limiter.step(audio, limiter.init(2), last=True)
    np.testing.assert_array_equal(whole, audio)
    click = np.zeros((9600, 1), np.float32)
    click[4000] = 3.0
    out, _ = limiter.step(click, limiter.init(1), last=True)
    assert np.argmax(np.abs(out)) == 4000
    assert out[4000, 0] == pytest.approx(10 ** (-1.1 / 20), abs=0.01)


def test_goes_on_from_any_sample_as_if_it_had_never_stopped():
    limiter, audio = PeakLimiter(44_100), drums(44_100, seconds=3.0)
    whole, _ = limiter.step(audio, limiter.init(2), last=True)
    for sample in (1, 16, 44_100, 100_001):
        out, _ = limiter.step(audio[sample:], limiter.init(2, sample, audio[:sample]), last=True)
        np.testing.assert_array_equal(out, whole[sample:])


def test_the_stereo_picture_stays():
    audio = np.stack([drums(48_000)[:, 0], 0.25 * drums(48_000)[:, 0]], axis=1)
    limiter = PeakLimiter(48_000)
    out, _ = limiter.step(audio, limiter.init(2), last=True)
    np.testing.assert_allclose(out[:, 1], 0.25 * out[:, 0], atol=1e-6)


def test_outputs_lag_by_the_lookahead_at_most():
    limiter = PeakLimiter(48_000)
    out, _ = limiter.step(np.zeros((9600, 2), np.float32), limiter.init(2))
    assert 9600 - len(out) <= limiter.lookahead_samples < 48_000 * 0.006
