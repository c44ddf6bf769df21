"""Extrapolation of audio: waves continue unchanged, and a joint made with it adds no frequencies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bridge.time.transport import Grid
from engine.audio.convert import resample_to_end
from engine.audio.extrapolate import carry_on
from engine.audio.resample import StreamResampler
from engine.serve.render.codec_output import CodecOutput
from plugin_host.host.clip import stretch

RATE = 48_000


Floats = NDArray[np.float32]
WAVES = ((60, 0.4, 0.3), (330, 0.2, 1.0), (2900, 0.1, 2.0), (7100, 0.05, 0.5))


def waves(seconds: NDArray[np.float64]) -> Floats:
    """A chord of steady waves at these times."""
    parts = [level * np.sin(2 * np.pi * hz * seconds + phase) for hz, level, phase in WAVES]
    return np.sum(parts, axis=0).astype(np.float32)


def tune(seconds: float, rate: int) -> Floats:
    """The chord from its beginning."""
    return waves(np.arange(int(seconds * rate)) / rate)


def above(audio: Floats, hz: float = 17_500) -> Floats:
    """The part of audio at 48 kHz above a frequency."""
    signal = pytest.importorskip("scipy.signal")
    steep = signal.butter(8, hz, "highpass", fs=RATE, output="sos")
    return np.asarray(np.abs(signal.sosfiltfilt(steep, audio)), np.float32)


def test_waves_go_on_as_they_are() -> None:
    known = tune(0.2, 32_000)
    for cut in (4000, 4001, 5123):
        ahead = carry_on(known[None, :cut], 48)[0]
        assert np.abs(ahead - known[cut : cut + 48]).max() < 0.01


def test_silence_noise_and_a_few_samples_stay_within_reach() -> None:
    noise = np.random.default_rng(1).uniform(-1, 1, (2, 4000)).astype(np.float32)
    assert np.abs(carry_on(noise, 500)).max() <= np.abs(noise).max()
    assert not carry_on(np.zeros((1, 4000), np.float32), 100).any()
    assert carry_on(noise[:, :7], 3) == pytest.approx(np.repeat(noise[:, 6:7], 3, axis=1))
    assert carry_on(noise[:, :0], 3).shape == (2, 3)


@pytest.mark.parametrize("n_samples", [48_000, 47_999, 47_998])
@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_another_rate_keeps_the_end_in_its_place(n_samples: int, rate: int) -> None:
    """Samples keep their place counted from the end; the extrapolation follows."""
    sound = torch.from_numpy(waves(np.arange(n_samples) / rate)[None])
    got = resample_to_end(sound, rate, 32_000, beyond=20)[0].numpy()
    wanted = waves(n_samples / rate + np.arange(-1000, 20) / 32_000)
    assert len(got) == n_samples * 32_000 // rate + 20
    assert np.abs(got[-1020:] - wanted).max() < 0.01


def test_music_is_joined_without_anything_that_it_has_not() -> None:
    """Waves, cut, and other music at the codec's rate: the joint at the host's rate has no higher frequencies than
    either."""
    from tests.engine.serve.render.test_codec_output import random_codes, tiny_codec

    before = torch.from_numpy(tune(2.0, RATE)[None])
    led = resample_to_end(before, RATE, 32_000, beyond=128)
    chain = CodecOutput(tiny_codec(), StreamResampler(32_000, RATE), 1, led[:, :-128], random_codes(64))
    chain.go_on_from(led[:, -128:])
    out = chain.push(random_codes(10, seed=1))[:, 0].numpy()
    joined = np.concatenate([before[0].numpy(), out])[:-2000]
    assert above(joined)[len(before[0]) - 100 : len(before[0]) + 100].max() < 2e-3
    out[:] += 0.05
    stepped = np.concatenate([before[0].numpy(), out])[:-2000]
    assert above(stepped)[len(before[0]) - 100 : len(before[0]) + 100].max() > 5e-3


@pytest.mark.parametrize("speed", [0.8, 1.25])
def test_a_stretched_loop_is_as_loud_at_both_ends(speed: float) -> None:
    pytest.importorskip("python_stretch")
    from engine.beat.stretch import stretched

    bar = np.tile(tune(2.0, RATE)[:, None], (1, 2))
    for out in (stretch(bar, RATE, speed), stretched(bar.T, speed).T):
        whole = np.sqrt((out**2).mean())
        for end in (out[:240], out[-240:]):
            assert 0.5 * whole < np.sqrt((end**2).mean()) < 2 * whole


@pytest.mark.parametrize("bpm", [93.7, 128.0, 146.0, 174.0])
def test_four_bars_are_four_bars_in_whole_samples_too(bpm: float) -> None:
    """A region of whole bars, rounded to a sample, is not counted as a sample short."""
    from fractions import Fraction

    from engine.serve.lane_settings import ReferenceAudio
    from engine.serve.timeline.phase_in import begin_after

    n_samples = round(16 * 60 / bpm * RATE) * 32_000 // RATE
    region = ReferenceAudio(torch.zeros(1, n_samples), bpm, 0.0)
    found = begin_after(region, Fraction(16), Grid(RATE, bpm))
    assert found.region is region
    assert found.ahead_beats == 0
