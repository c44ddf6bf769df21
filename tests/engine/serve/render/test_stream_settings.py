"""An audio prompt is encoded at the model's training loudness, and continued at the user's."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from bridge.errors import RegionTooShort
from engine.model import LoadedModel
from engine.serve.lane_settings import ReferenceAudio
from engine.serve.render.stream_settings import GAIN_MOST, make_prompt


def model(trained_rms: float | None) -> LoadedModel:
    codec = SimpleNamespace(channels=1, frame_samples=640, encode=lambda audio: audio[:, :, ::640].expand(-1, 4, -1))
    lm = SimpleNamespace(out_norm=SimpleNamespace(weight=torch.zeros(1)))
    executor, conditioner = cast(Any, SimpleNamespace(lm=lm)), cast(Any, None)
    return LoadedModel("test", executor, cast(Any, codec), conditioner, 500, 200, trained_rms=trained_rms)


def region(rms: float, n_samples: int = 32000) -> ReferenceAudio:
    return ReferenceAudio(torch.full((1, n_samples), rms), 120.0, 0.0)


@pytest.mark.parametrize(("rms", "gain"), [(0.09, 1.0), (0.45, 0.2), (0.045, 2.0), (1e-4, GAIN_MOST)])
def test_prompt_is_brought_to_the_trained_level(rms: float, gain: float) -> None:
    prompt = make_prompt(model(0.09), region(rms))
    assert prompt is not None
    assert prompt.gain == pytest.approx(gain, rel=1e-4)
    assert float(prompt.audio[0, 0]) == pytest.approx(rms * gain, rel=1e-4)


def test_models_that_do_not_care_get_it_as_it_is() -> None:
    """Models without a training loudness get the audio prompt unchanged."""
    prompt = make_prompt(model(None), region(0.4))
    assert prompt is not None
    assert prompt.gain == 1.0


def test_prompt_keeps_whole_frames_at_the_end() -> None:
    prompt = make_prompt(model(None), region(0.1, 640 * 400 + 100))
    assert prompt is not None
    assert prompt.audio.shape[-1] == 640 * 300
    assert prompt.codes.shape == (4, 300)
    with pytest.raises(RegionTooShort):
        make_prompt(model(None), region(0.1, 600))


def test_prompt_is_coded_as_what_follows_the_region_before_it() -> None:
    long = ReferenceAudio(torch.arange(640.0 * 400)[None], 120.0, 0.0)
    heard: list[torch.Tensor] = []
    listening = model(None)
    listening.codec.encode = lambda audio: heard.append(audio) or audio[:, :, ::640]  # type: ignore
    prompt = make_prompt(listening, long)
    assert prompt is not None
    assert heard[0].shape[-1] == 640 * 350
    assert prompt.codes[0].tolist() == [640.0 * frame for frame in range(100, 400)]
