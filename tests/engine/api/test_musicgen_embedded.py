"""MusicGen's methods on the embedded model: all its conditions in one call."""

from __future__ import annotations

import pytest
import torch

from engine.api.musicgen import MusicGen
from engine.conditions import embedded
from engine.core.guidance import Guidance
from engine.errors import AudioError, EngineError
from engine.model import ARRANGEMENT, Ask, ExcerptRange, Reference, StyleExcerpt
from engine.models.device import pick_device
from engine.models.embedded_model import FOLDER
from engine.train.metrics import beat_score

pytestmark = pytest.mark.skipif(not any(FOLDER.glob("*.safetensors")), reason="no embedded model in this checkout")


@pytest.fixture(scope="module")
def model() -> MusicGen:
    torch.set_num_threads(1)
    return MusicGen.get_pretrained("embedded")


def tone(seconds: float, hz: float) -> torch.Tensor:
    return 0.3 * torch.sin(torch.arange(int(seconds * 32_000)) * (2 * torch.pi * hz / 32_000))[None]


def test_it_can_follow_everything(model):
    assert model.model.takes == {"text", "melody", "style", "continue", "harmony", "tempo"} | ARRANGEMENT
    assert (model.sample_rate, model.frame_rate, model.audio_channels) == (32_000, 50.0, 1)


def test_tempo_changes_the_music_and_the_seed_repeats_it(model):
    def made(bpm, seed):
        model.set_generation_params(duration=1.0, bpm=bpm)
        return model.generate(["techno"], return_tokens=True, seed=seed)

    audio, tokens = made(120, 3)
    assert audio.shape == (1, 1, 32_000)
    assert torch.isfinite(audio).all()
    assert torch.equal(tokens, made(120, 3)[1])
    assert not torch.equal(tokens, made(90, 3)[1])
    assert not torch.equal(tokens, made(120, 4)[1])


def test_references_combine_and_each_matters(model):
    model.set_generation_params(duration=1.0, bpm=120)
    wav, prompt = tone(2.0, 440.0), tone(0.5, 220.0)

    def made(**changes):
        asked = {"melody_wavs": [wav], "style_wavs": [wav], "prompt": prompt[None], **changes}
        return model.generate_with_references(["folk guitar"], **asked, return_tokens=True, seed=1)[1]

    everything = made()
    assert everything.shape == (1, 4, 50)
    assert torch.equal(everything, made())
    for left_out in ("melody_wavs", "style_wavs", "prompt"):
        assert not torch.equal(everything, made(**{left_out: None}))


def test_the_window_rolls(model):
    frames = model.model.window_frames + 30
    model.set_generation_params(duration=frames / 50, bpm=100)
    audio, tokens = model.generate([None], return_tokens=True, seed=1)
    assert tokens.shape == (1, 4, frames)
    assert audio.shape == (1, 1, 640 * frames)


def test_what_does_not_fit_is_refused(model):
    model.set_generation_params(duration=1.0)
    with pytest.raises(AudioError, match="shorter"):
        model.generate_continuation(tone(2.0, 220.0)[None], 32_000)
    with pytest.raises(ValueError, match="bpm"):
        model.set_generation_params(bpm=-3)
    with pytest.raises(ValueError, match="top_k"):
        model.set_generation_params(top_k=-1)


def test_a_stream_put_together_is_the_whole(model):
    model.set_generation_params(duration=1.0, bpm=120)
    given = {"prompt": tone(0.3, 220.0), "descriptions": ["rock"], "seed": 3}
    audio, tokens = model.generate_with_references(**given, return_tokens=True)
    pieces = list(model.generate_with_references(**given, return_tokens=True, stream=True))
    assert torch.equal(torch.cat([codes for _, codes in pieces], dim=-1), tokens)
    torch.testing.assert_close(torch.cat([piece for piece, _ in pieces], dim=-1), audio, atol=1e-4, rtol=0)


def test_a_style_is_used_where_it_is_said(model):
    """A reference of two tones: the excerpt's start, one for each stretch of the stream, selects the tone."""
    conditioner = model.model.conditioner
    style = Reference(torch.cat([tone(4.0, 110.0), tone(4.0, 2000.0)], dim=1))
    asks = [Ask(style=style, excerpt=StyleExcerpt(start_samples=starts)) for starts in ((0,), (0, 130_000), (130_000,))]
    early, late = ([piece.start_samples for piece in conditioner.excerpts(asks, offset)] for offset in (199, 200))
    assert (early, late) == ([0, 0, 130_000], [0, 130_000, 130_000])
    first, both, second = (conditioner([ask], Guidance(), 200, 50)[0][0].frames for ask in asks)
    assert torch.equal(both, second)
    assert (first - second).abs().max() > 0.1
    assert conditioner.excerpts([Ask(style=style), Ask()], 0) == [ExcerptRange(80_000, 96_000), None]
    assert conditioner.excerpts([Ask(style=Reference(tone(1.0, 110.0)))], 0) == [ExcerptRange(0, 96_000)]


def test_guidance_pushes_onsets_onto_the_beat(model, monkeypatch):
    model.set_generation_params(duration=3.0, bpm=126)

    def clearness(share):
        monkeypatch.setattr(embedded, "OFF_SHARE", share)
        audio = torch.cat([model.generate(["techno", "rock"], seed=seed) for seed in (1, 3, 5, 7)])
        return sum(beat_score(one[0].numpy(), 126.0) for one in audio) / len(audio)

    assert clearness(0.3) > clearness(0.0) + 0.05


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "CPU"])
def test_a_device_that_is_not_there_is_reported_with_those_that_are(device):
    with pytest.raises(EngineError, match=f"there is no device '{device}'; there is: cpu"):
        MusicGen.get_pretrained("embedded", device=device)


def test_devices_by_torchs_names():
    assert pick_device(str(torch.device("cpu", 0))) == "cpu:0"
    assert pick_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
