"""A region to go on from is heard at the loudness the model knows, and answered at the user's."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from bridge.errors import RegionTooShort
from engine.model import LoadedModel
from engine.serve.settings import HeardRegion
from engine.serve.tuning import GAIN_MOST, make_prompt


def model(trained_rms: float | None) -> LoadedModel:
    codec = SimpleNamespace(channels=1, encode=lambda audio: torch.zeros(1, 4, audio.shape[-1] // 640))
    lm = SimpleNamespace(out_norm=SimpleNamespace(weight=torch.zeros(1)))
    conditioner: Any = None
    return LoadedModel("test", cast(Any, lm), cast(Any, codec), conditioner, 500, 200, trained_rms=trained_rms)


def region(rms: float, n_samples: int = 32000) -> HeardRegion:
    return HeardRegion(torch.full((1, n_samples), rms), 120.0, 0.0)


@pytest.mark.parametrize(("rms", "gain"), [(0.09, 1.0), (0.45, 0.2), (0.045, 2.0), (1e-4, GAIN_MOST)])
def test_prompt_is_brought_to_the_trained_level(rms: float, gain: float) -> None:
    prompt = make_prompt(model(0.09), region(rms))
    assert prompt is not None
    assert prompt.gain == pytest.approx(gain, rel=1e-4)
    assert float(prompt.audio[0, 0]) == pytest.approx(rms * gain, rel=1e-4)


def test_models_that_do_not_care_hear_it_as_it_is() -> None:
    prompt = make_prompt(model(None), region(0.4))
    assert prompt is not None
    assert prompt.gain == 1.0


def test_prompt_keeps_whole_frames_at_the_end() -> None:
    prompt = make_prompt(model(None), region(0.1, 640 * 400 + 100))
    assert prompt is not None
    assert prompt.audio.shape[-1] == 640 * 300
    with pytest.raises(RegionTooShort):
        make_prompt(model(None), region(0.1, 600))
