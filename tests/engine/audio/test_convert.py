"""Conversion of audio against the reference's resampler."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.audio.convert import at_model_rate, resample
from engine.errors import AudioError


@pytest.fixture(scope="module")
def data(golden):
    with np.load(golden / "misc" / "resample.npz") as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored.files}


@pytest.mark.parametrize(
    "rates", ["44100_to_32000", "32000_to_44100", "32000_to_24000", "48000_to_32000", "22050_to_32000"]
)
def test_resample_matches_reference(data, rates):
    old, new = (int(rate) for rate in rates.split("_to_"))
    torch.testing.assert_close(resample(data["in_44k_stereo"], old, new), data[f"out_{rates}"], atol=1e-5, rtol=0)


def test_conversion_matches_reference(data):
    got = at_model_rate(data["in_44k_stereo"], 44_100, 32_000)
    torch.testing.assert_close(got, data["convert_44k_stereo_to_32k_mono"], atol=1e-5, rtol=0)
    mono = data["in_44k_stereo"][:1, :64]
    assert at_model_rate(mono, 32_000, 32_000, channels=2).shape == (2, 64)


@pytest.mark.parametrize(
    ("audio", "rate", "text"),
    [
        (torch.zeros(1, 0), 32_000, "empty"),
        (torch.zeros(8, 100), 32_000, r"\(8, 100\)"),
        (torch.full((1, 100), float("nan")), 32_000, "NaN"),
        (torch.zeros(1, 100), 0, "sample rate"),
        (torch.zeros(1, 100), 44_100.5, "44100.5 Hz, must be a whole number"),
        (torch.zeros(1, 100), "44100", "'44100' Hz, must be a whole number"),
        (torch.zeros(1, 100), None, "None Hz, must be a whole number"),
        (torch.full((1, 100), 9_000, dtype=torch.int16), 32_000, "int16, must be floats"),
        ([0.0] * 100, 32_000, "a list, must be a torch tensor"),
    ],
)
def test_broken_audio_is_refused(audio, rate, text):
    with pytest.raises(AudioError, match=text):
        at_model_rate(audio, rate, 32_000)


def test_a_whole_rate_may_come_as_another_type():
    audio = torch.linspace(-1, 1, 441)
    for rate in (44_100.0, np.int64(44_100)):
        assert torch.equal(at_model_rate(audio, rate, 32_000), at_model_rate(audio, 44_100, 32_000))


@pytest.mark.parametrize("rate", [48_000, 44_100, 11_025, 32_000])
def test_long_audio_is_converted_in_pieces_as_in_one(monkeypatch, rate):
    audio = torch.randn(9_000, 2, generator=torch.Generator().manual_seed(1)).T  # not contiguous, as from files
    whole = at_model_rate(audio, rate, 32_000), at_model_rate(audio, rate, 32_000, 2, beyond=100)
    monkeypatch.setattr("engine.audio.convert._PIECE_SAMPLES", 1000)
    again = at_model_rate(audio, rate, 32_000), at_model_rate(audio, rate, 32_000, 2, beyond=100)
    for one, other in zip(whole, again, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
    assert whole[0].shape[1] == 9_000 * 32_000 // rate
    assert whole[1].shape[1] == 9_000 * 32_000 // rate + 100
