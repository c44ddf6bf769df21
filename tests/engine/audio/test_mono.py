"""Stereo to mono: the exact mean, except for channels that would cancel, whose melody is kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.audio.convert import at_model_rate
from engine.audio.mono import HOP, LOST_SHARE, lost_share, to_mono
from engine.conditions.chroma import Chroma
from engine.serve.render.stream_settings import in_channels

RATE = 32_000
SECONDS = torch.arange(4 * RATE) / RATE


def tone(hz: float, phase: float = 0.0) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hz * SECONDS + phase)


def tune(phase: float = 0.0) -> torch.Tensor:
    """Four notes, one a second, with overtones [n]."""
    whole = torch.zeros_like(SECONDS)
    for second, hz in enumerate((440.0, 523.25, 587.33, 659.26)):
        part = slice(second * RATE, (second + 1) * RATE)
        for k in (1, 2, 3):
            whole[part] += tone(hz * k, phase * k)[part] / k
    return 0.2 * whole


def usual() -> dict[str, torch.Tensor]:
    """Typical stereo music, [2, n]."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(2, len(SECONDS), generator=generator)
    phases = 6.28 * torch.rand(2, 7, generator=generator)
    notes = (110.0, 164.8, 220.0, 277.2, 330.0, 440.0, 554.4)
    pads = [sum(tone(hz, float(at)) for hz, at in zip(notes, phases[side], strict=True)) for side in (0, 1)]
    detuned = [sum(tone(hz * width) for hz in notes) for width in (1.0, 1.003)]
    return {
        "the same twice": torch.stack([tune(), tune()]),
        "one side": torch.stack([tune(), torch.zeros_like(tune())]),
        "panned": torch.stack([tune() + 0.3 * tone(220), 0.5 * tune() - 0.2 * tone(2000)]),
        "noise": noise,
        "10 ms later": torch.stack([noise[0], torch.roll(noise[0], 320)]),
        "pads": torch.stack(pads),
        "detuned": torch.stack(detuned),
        "chorus": torch.stack([pads[0], torch.roll(pads[0], 73)]),
        "silence": torch.zeros(2, 5000),
        "short": noise[:, :100],
        "none": noise[:, :0],
    }


@pytest.mark.parametrize("name", usual())
def test_usual_music_is_the_mean_to_the_last_bit(name: str) -> None:
    audio = usual()[name]
    mono, cancels = to_mono(audio, RATE)
    assert torch.equal(mono, audio.mean(dim=0, keepdim=True))
    assert not cancels


def test_mono_is_itself() -> None:
    audio = tune()[None]
    assert to_mono(audio, RATE)[0] is audio


@pytest.mark.parametrize("n", [4 * RATE, 4 * RATE - 7, 3 * HOP + 1])
def test_out_of_phase_is_detected(n: int) -> None:
    """Channels that cancel each other give the left one as mono."""
    audio = torch.stack([tune(), -tune()])[:, :n]
    mono, cancels = to_mono(audio, RATE)
    assert cancels
    torch.testing.assert_close(mono, audio[:1], atol=2e-4, rtol=0)


def test_long_music_is_analysed_in_pieces_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    audio = torch.stack([tune(), -0.9 * tune()])
    whole = to_mono(audio, RATE)[0]
    monkeypatch.setattr("engine.audio.mono._PIECE", 16 * HOP)
    torch.testing.assert_close(to_mono(audio, RATE)[0], whole, atol=1e-5, rtol=0)


def test_a_lead_that_cancels_over_a_bass_that_does_not() -> None:
    """The mean would keep the bass only and lose the melody."""
    bass = 0.6 * tone(55.0)
    audio = torch.stack([bass + tune(), bass - tune()])
    assert lost_share(audio, RATE) > LOST_SHARE
    mono, _ = to_mono(audio, RATE)
    torch.testing.assert_close(mono[:, RATE:-RATE], (bass + tune())[None, RATE:-RATE], atol=0.05, rtol=0)


def test_the_melody_of_channels_out_of_phase_is_the_melody() -> None:
    """The model is conditioned on the pitch classes of one channel, not on those of silence."""
    chroma = Chroma(RATE)
    one = chroma(at_model_rate(tune()[None], RATE, RATE))
    two = chroma(at_model_rate(torch.stack([tune(), -tune()]), RATE, RATE))
    assert (one == two).all(dim=-1).float().mean() > 0.95
    assert len(set(np.argmax(one[0].numpy(), axis=1))) >= 4


def test_a_mono_model_goes_on_from_what_is_there() -> None:
    audio = torch.stack([tune(), -tune()])
    assert float(in_channels(audio, 1).pow(2).mean()) == pytest.approx(float(tune().pow(2).mean()), rel=0.01)


def test_the_reference_is_computed_as_it_is() -> None:
    """With `exact` channels that cancel give silence, as in the reference."""
    audio = torch.stack([tune(), -tune()])
    assert float(at_model_rate(audio, RATE, RATE, exact=True).abs().max()) == 0.0
