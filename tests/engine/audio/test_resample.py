"""The streaming resampler: equal to torchaudio's kernel, and bit for bit the same under any cut."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from engine.audio.resample import ROLLOFF, ZEROS, StreamResampler

RATES = [44_100, 48_000, 88_200, 96_000, 176_400, 192_000]


def noise(samples: int, channels: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.rand(channels, samples, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def streamed(resampler: StreamResampler, audio: torch.Tensor, cuts: list[int]) -> torch.Tensor:
    state = resampler.init(audio.shape[0])
    parts, start = [], 0
    for cut in [*cuts, audio.shape[1]]:
        out, state = resampler.step(audio[:, start:cut], state, last=cut == audio.shape[1])
        parts.append(out)
        start = cut
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("rate", [*RATES, 32_000, 16_000, 22_050, 47_999])
def test_whole_matches_torchaudio(rate):
    functional = pytest.importorskip("torchaudio.functional")
    audio = noise(3000)
    got = StreamResampler(32_000, rate).whole(audio)
    if rate == 47_999:  # torchaudio would build a kernel of gigabytes: compare lengths only
        assert got.shape == (2, -(-3000 * rate // 32_000))
        return
    # in float64: in float32 torchaudio rounds the kernel itself, by up to 3e-5
    want = functional.resample(audio.double(), 32_000, rate, lowpass_filter_width=ZEROS, rolloff=ROLLOFF).float()
    torch.testing.assert_close(got, want, atol=2e-6, rtol=0)


@pytest.mark.parametrize("rate", [*RATES, 22_050, 47_999])
@pytest.mark.parametrize("seed", range(4))
def test_any_cut_equals_whole(rate, seed):
    audio = noise(4000, channels=1 + seed % 2, seed=seed)
    chooser = random.Random(seed)
    cuts = sorted(chooser.randrange(4001) for _ in range(chooser.choice([1, 5, 60])))
    resampler = StreamResampler(32_000, rate)
    assert torch.equal(streamed(resampler, audio, cuts), resampler.whole(audio))


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_hops_of_any_length_give_the_same_bits(rate, channels):
    """The engine's hops: 4, 8, 10 or 50 codec frames at once."""
    audio, resampler = noise(64_000, channels), StreamResampler(32_000, rate)
    whole = resampler.whole(audio)
    for frames in (4, 8, 10, 50):
        assert torch.equal(streamed(resampler, audio, list(range(640 * frames, 64_000, 640 * frames))), whole)


def test_memory_that_lies_anywhere_gives_the_same_bits():
    audio, resampler = noise(6_000, channels=1), StreamResampler(32_000, 48_000)
    for shift in (1, 2, 5, 15):
        moved = torch.cat([torch.zeros(1, shift), audio], dim=1)[:, shift:]
        assert torch.equal(resampler.whole(moved), resampler.whole(audio))


@pytest.mark.parametrize("rate", [44_100, 48_000, 22_050])
def test_by_tap_or_by_a_library_it_is_the_same_sound(rate):
    audio = noise(3000)
    fast = StreamResampler(32_000, rate, by_tap=False).whole(audio)
    torch.testing.assert_close(fast, StreamResampler(32_000, rate).whole(audio), atol=1e-6, rtol=0)


def test_one_sample_at_a_time_and_very_short_input():
    for rate in (44_100, 48_000):
        resampler = StreamResampler(32_000, rate)
        for samples in (0, 1, 2, 30, 90):
            audio = noise(samples, channels=1)
            got = streamed(resampler, audio, list(range(samples)))
            assert got.shape == (1, -(-samples * rate // 32_000))
            assert torch.equal(got, resampler.whole(audio))


def test_sample_zero_stays_sample_zero():
    t = np.arange(32_000) / 32_000
    sine = torch.from_numpy(np.sin(2 * np.pi * 440 * t).astype(np.float32))[None]
    out = StreamResampler(32_000, 48_000).whole(sine)[0].numpy()
    want = np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    assert np.abs(out - want)[200:-200].max() < 1e-3


def test_output_lag_is_the_lookahead():
    resampler = StreamResampler(32_000, 48_000)
    out, state = resampler.step(noise(640), resampler.init(2))
    assert out.shape[1] == -(-(640 - resampler.lookahead_samples) * 3 // 2)
    assert state.tail.shape[1] <= 2 * resampler.reach + 2


def test_wrong_channels_and_rates_are_refused():
    resampler = StreamResampler(32_000, 48_000)
    with pytest.raises(ValueError, match=r"\[2, n\]"):
        resampler.step(noise(10, channels=1), resampler.init(2))
    with pytest.raises(ValueError, match="new_hz"):
        StreamResampler(32_000, 0)
