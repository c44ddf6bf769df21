"""Weighted texts and styles: at a corner what the one alone is, between corners the weighted sum, of one shape."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.conditions.frames import STYLE_COLUMNS, TEXT_COLUMNS
from engine.core.guidance import Guidance
from engine.lm import Conditions
from engine.model import Ask, LoadedModel, Reference, StyleExcerpt
from engine.models.load import load_model

A, B = "calm pads", "driving house with a synth bass"
WEIGHTS = (0.25, 0.75)


@pytest.fixture(scope="module")
def embedded() -> LoadedModel:
    torch.set_num_threads(1)
    return load_model("embedded")


def of(model: LoadedModel, ask: Ask, guidance: Guidance | None = None) -> Conditions:
    return model.conditioner([ask], guidance or Guidance(3.0), 0, 60)[0][0]


def music(hz: float, seconds: float = 4.0) -> Reference:
    t = torch.arange(int(32_000 * seconds)) / 32_000
    return Reference(0.3 * torch.sin(6.28 * hz * t * (1 + 0.2 * torch.sin(5 * t)))[None], whole=True)


def test_texts_of_the_embedded_model(embedded: LoadedModel) -> None:
    first, second = (of(embedded, Ask(text=text)) for text in (A, B))
    corner, between = (of(embedded, Ask(texts=((A, 1 - w), (B, w)))) for w in (0.0, WEIGHTS[1]))
    assert torch.equal(corner.memory, first.memory)
    assert torch.equal(corner.frames, first.frames)
    wanted = WEIGHTS[0] * first.memory + WEIGHTS[1] * second.memory
    assert torch.allclose(between.memory, wanted, atol=1e-5)
    mixed = WEIGHTS[0] * first.frames + WEIGHTS[1] * second.frames
    assert torch.allclose(between.frames[..., TEXT_COLUMNS], mixed[..., TEXT_COLUMNS], atol=1e-5)
    assert not between.memory[-1].any(), "the null row has no text"


def test_styles_of_the_embedded_model(embedded: LoadedModel) -> None:
    one, other = music(220.0), music(900.0)
    first, second = (of(embedded, Ask(text=A, style=style)) for style in (one, other))
    both = Ask(text=A, style=one, styles=((one, WEIGHTS[0]), (other, WEIGHTS[1])))
    between = of(embedded, both, Guidance(3.0, 2.0))
    assert torch.allclose(between.memory[0], WEIGHTS[0] * first.memory[0] + WEIGHTS[1] * second.memory[0], atol=1e-5)
    mixed = WEIGHTS[0] * first.frames + WEIGHTS[1] * second.frames
    assert torch.allclose(between.frames[0][:, STYLE_COLUMNS], mixed[0][:, STYLE_COLUMNS], atol=1e-5)
    assert not between.frames[1][:, TEXT_COLUMNS].any(), "the second row of double guidance has the style alone"
    assert between.frames[1][:, STYLE_COLUMNS].any()


@pytest.mark.parametrize("name", ["text", "melody", "style", "stereo"])
def test_texts_of_published_models(golden_models: dict[str, LoadedModel], name: str) -> None:
    """The layouts with a prefix and with cross-attention; a mixture is as long as its longest text."""
    model = golden_models[f"audiocraft/{name}"]
    part = "memory" if name in ("text", "stereo") else "prefix"
    first, second = (getattr(of(model, Ask(text=text)), part) for text in (A, B))
    corners = [getattr(of(model, Ask(texts=((A, 1 - w), (B, w)))), part) for w in (0.0, WEIGHTS[1], 1.0)]
    assert len({corner.shape for corner in corners}) == 1
    assert torch.allclose(corners[2], second, atol=1e-6)
    pad = torch.zeros(2, second.shape[1] - first.shape[1], first.shape[2])
    assert torch.allclose(corners[0], torch.cat([first, pad], dim=1), atol=1e-6)
    assert torch.allclose(corners[1], torch.lerp(corners[0], corners[2], WEIGHTS[1]), atol=1e-6)


def test_styles_of_a_published_model(golden_models: dict[str, LoadedModel]) -> None:
    model, one, other = golden_models["audiocraft/style"], music(220.0), music(900.0, 5.0)
    ask = Ask(excerpt=StyleExcerpt(2.0, eval_q=2))
    first, second = (of(model, replace(ask, style=style)).prefix for style in (one, other))
    between = of(model, replace(ask, style=one, styles=((one, WEIGHTS[0]), (other, WEIGHTS[1])))).prefix
    assert torch.allclose(between, torch.lerp(first, second, WEIGHTS[1]), atol=1e-5)
