"""Noise sounds like noise, attacks stay sudden, tones are neither; any cut of the frames gives the same bits."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codec import rtisi
from engine.codec.initial_phase import FIRST_NOISE_BIN, frames_of, in_peaks, noise_start

RATE = 32000
RNG = np.random.default_rng(1)


def again(mags: np.ndarray) -> np.ndarray:
    return rtisi.push(rtisi.init_phase(), mags.astype(np.float32), last=True)


def flatness(audio: np.ndarray) -> float:
    """Of 4 to 12 kHz, resolved to 8 Hz: 0.56 for white noise, near 0 for tones."""
    frames = np.lib.stride_tricks.sliding_window_view(audio[4000:-4000], 4096)[::1024] * np.hanning(4096)
    power = np.abs(np.fft.rfft(frames))[:, 512:1536] ** 2 + 1e-12
    return float((np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)).mean())


def level_db(audio: np.ndarray) -> float:
    return float(10.0 * np.log10((audio.astype(np.float64) ** 2).mean() + 1e-12))


def burst(at: int) -> np.ndarray:
    """Noise that begins at once and decays within 30 ms, over a soft tone."""
    seconds = np.arange(RATE - at) / RATE
    audio = 0.02 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    audio[at:] += 0.3 * RNG.standard_normal(len(seconds)) * np.exp(-seconds / 0.03)
    return audio.astype(np.float32)


def harmonics(hz: float) -> np.ndarray:
    at = np.arange(RATE // 2) / RATE
    return sum(np.sin(2 * np.pi * n * hz * at) / n for n in range(1, 30)).astype(np.float32)


def test_even_magnitudes_become_noise() -> None:
    assert flatness(again(np.full((200, rtisi.N_BINS), 5.0))) > 0.5


@pytest.mark.parametrize("at", [16000, 16100, 16250])
def test_an_attack_is_not_spread_over_its_frame(at: int) -> None:
    """The 20 ms before it stay over 14 dB under its first 5 ms (without pulses: 7)."""
    heard = again(rtisi.magnitudes(burst(at)))
    assert level_db(heard[at - 640 : at - 80]) < level_db(heard[at : at + 160]) - 14.0


def test_harmonics_are_peaks_and_noise_mostly_is_not() -> None:
    tone = in_peaks(rtisi.magnitudes(harmonics(330.0))[10:20])
    assert tone[:, np.round(np.arange(1, 30) * 330 / 25).astype(int)].all()
    noise = RNG.standard_normal(RATE // 2).astype(np.float32)
    assert in_peaks(rtisi.magnitudes(noise)[10:40])[:, FIRST_NOISE_BIN:].mean() < 0.6


def test_a_steady_sound_has_no_attack() -> None:
    for audio in (harmonics(220.0), 0.1 * RNG.standard_normal(RATE // 2).astype(np.float32)):
        assert not any(frame.sudden for frame in frames_of(rtisi.magnitudes(audio)[5:], None))


def test_streams_with_other_music_begin_elsewhere_in_the_noise() -> None:
    first = RNG.random((8, rtisi.N_BINS)).astype(np.float32)
    assert len({noise_start(mags) for mags in first}) > 6
    assert noise_start(first[0]) == noise_start(first[0].copy())


@settings(max_examples=10, deadline=None)
@given(cuts=st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_any_cut_of_the_frames_gives_the_same_bits(cuts: list[int]) -> None:
    mags = rtisi.magnitudes(burst(16000))[40:80]
    state, pieces, at = rtisi.init_phase(), [], 0
    for cut in cuts:
        copied = copy.deepcopy(state)
        pieces.append(rtisi.push(state, mags[at : at + cut]))
        assert np.array_equal(rtisi.push(copied, mags[at : at + cut]), pieces[-1])
        at = min(40, at + cut)
    pieces.append(rtisi.push(state, mags[at:], last=True))
    assert np.array_equal(np.concatenate(pieces), again(mags))
