"""Chroma against vectors of the reference: filter bank, spectrogram, frames, and the argmax exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.conditions.chroma import Chroma, filter_bank

SIGNALS = ("scale", "drums", "sweep", "silence", "short")


@pytest.fixture(scope="module")
def data(golden):
    with np.load(golden / "misc" / "chroma.npz") as stored:
        return {name: stored[name] for name in stored.files}


def audio(data, name: str) -> torch.Tensor:
    return torch.from_numpy(data[f"{name}__wav_i16"]).float() / 32768


def test_filter_bank(data):
    bank = filter_bank().numpy()
    assert bank.shape == (12, 8193)
    np.testing.assert_allclose(bank[:, :2048], data["fbanks_rows_first2048"], atol=1e-7)
    np.testing.assert_allclose(bank.sum(axis=0), data["fbanks_sum_per_bin"], atol=1e-6)


def test_power(data):
    power = Chroma().power(audio(data, "scale"))[0, :1024, 3].numpy()
    np.testing.assert_allclose(power, data["spec_scale_frame3_first1024"], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", SIGNALS)
def test_chroma(data, name):
    chroma = Chroma()
    got = chroma.normalised(audio(data, name)).numpy()
    np.testing.assert_allclose(got, data[f"{name}__chroma_norm"], atol=2e-5)
    one_hot = chroma(audio(data, name))
    assert np.array_equal(one_hot.argmax(-1).numpy(), data[f"{name}__argmax"])
    assert one_hot.sum(-1).eq(1).all()


@pytest.mark.parametrize("n_samples", [1, 16383, 16384, 16385, 20479, 20480])
def test_frames(n_samples):
    assert Chroma()(torch.zeros(1, n_samples)).shape == (1, max(n_samples, 16384) // 4096 + 1, 12)


@pytest.mark.parametrize(("hz", "pitch_class"), [(261.63, 0), (440.0, 9), (493.88, 11), (1108.73, 1)])
def test_a_tone_is_its_pitch_class(hz, pitch_class):
    tone = torch.sin(2 * torch.pi * hz * torch.arange(32000) / 32000)[None]
    assert Chroma()(tone)[0, 2:-2].argmax(-1).eq(pitch_class).all()
