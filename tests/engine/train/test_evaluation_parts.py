"""Measures of parts: what is asked of which model, and what the measures hear."""

import random

import numpy as np
import pytest
import torch

from engine.conditions.arrangement import INSTRUMENTS
from engine.conditions.scale import tonal_share
from engine.model import ARRANGEMENT
from engine.train.evaluation.classify import Linear
from engine.train.evaluation.parts import PART_GROUPS, PROMPTED, HeldPart, asked, part_ask, targets_of, view_of
from engine.train.evaluation.rows_parts import attacks_per_second, features
from engine.train.parts.part_set import Material
from engine.train.parts.stems import Stem

N = 32000 * 6
AT = np.arange(N) / 32000
RNG = np.random.default_rng(0)


def clicks(per_second: float) -> np.ndarray:
    return (RNG.standard_normal(N) * np.exp(-(AT % (1 / per_second)) / 0.02) * 0.2).astype(np.float32)


def tone(hz: float) -> np.ndarray:
    return (0.2 * np.sin(2 * np.pi * hz * AT) + 0.1 * np.sin(4 * np.pi * hz * AT)).astype(np.float32)


STEMS = [Stem("drums", "drums", "drums", clicks(4)), Stem("bass", "bass", "electric bass", tone(55)),
         Stem("melody", "winds", "flute", tone(700))]  # fmt: skip
MADE = Material(
    STEMS, {"genre": "rock", "bpm": 120.0, "beats_per_bar": 4, "tonic": 0, "mode": "major"}, np.zeros(300, np.int8)
)


def part(group: str) -> HeldPart:
    return HeldPart(MADE, view_of(STEMS, targets_of(group, STEMS, random.Random(0))), 1)


def test_groups_are_about_their_stems() -> None:
    assert [stem.name for stem in part("drums").view.targets] == ["drums"]
    assert [stem.name for stem in part("beside").view.targets] == ["bass"]
    assert {stem.name for stem in part("beside").view.context} == {"drums", "melody"}
    assert all(stem.name != "drums" for stem in part("kept").view.targets)
    assert {asked(index) for index in range(8)} == set(INSTRUMENTS)


def test_what_a_model_does_not_take_is_asked_in_words() -> None:
    able, plain = frozenset(ARRANGEMENT), frozenset({"text", "tempo"})
    for group in PART_GROUPS:
        held = part(group)
        full, words = part_ask(group, 0, held, able), part_ask(group, 0, held, plain)
        assert (words.instruments, words.context, words.density) == (None, None, None)
        assert words.text == full.text
        assert (full.harmony is not None) == (group in PROMPTED)
    assert part_ask("one", 0, part("one"), able).instruments == ("drums",)
    assert part_ask("one", 5, part("one"), able).text == "saxophone only"
    beside = part_ask("beside", 0, part("beside"), able)
    assert beside.instruments == ("bass",)
    assert beside.context is not None
    assert beside.context.on_grid is not None
    assert beside.context.on_grid.beats == pytest.approx(12.0, abs=0.1)
    assert part_ask("sparse", 0, part("sparse"), able).density < part_ask("dense", 0, part("dense"), able).density
    with pytest.raises(ValueError, match="there is no group 'solo' of parts; there is: drums, kept"):
        part_ask("solo", 0, part("one"), able)


@pytest.mark.parametrize("rate", [2.0, 4.0, 8.0])
def test_attacks_are_counted(rate: float) -> None:
    assert attacks_per_second(clicks(rate)) == pytest.approx(rate, rel=0.15)


def test_a_classifier_of_timbre_tells_drums_from_tones() -> None:
    found = [features(clicks(rate)) for rate in (2, 3, 4, 5, 6)] + [
        features(tone(hz)) for hz in (80, 200, 400, 600, 900)
    ]
    judge = Linear(np.stack(found), ["drums"] * 5 + ["winds"] * 5)
    assert judge.named(np.stack([features(clicks(4.5)), features(tone(300))])) == ["drums", "winds"]
    assert tonal_share(torch.from_numpy(clicks(4))) < 0.1 < tonal_share(torch.from_numpy(tone(300)))
