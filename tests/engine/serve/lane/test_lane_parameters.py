"""Every row of the parameter table on a real lane: the engine uses its default, and another value regenerates what the
row says.
"""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import pytest
import torch
from busy_rig import BusyHost
from lane_rig import RigHost, make_model

from bridge.control.parameters import (
    CFG,
    CFG_BETA,
    EVAL_Q,
    EXCERPT_SECONDS,
    KEEP_HARMONY,
    PARAMETERS,
    TEMPERATURE,
    TOP_K,
    TOP_P,
    TWO_STEP,
    Depth,
    Parameter,
)
from bridge.time.transport import Grid
from engine.api.model_settings import ModelSettings
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.model import ARRANGEMENT, Ask, LoadedModel, StyleExcerpt
from engine.serve.lane.command import Command
from engine.serve.lane_settings import STYLE, LaneSettings, ReferenceAudio
from engine.serve.render.stream_settings import stream_settings
from engine.serve.timeline.placement import StreamPlacement, ask_at

TAKES = frozenset({"text", "style", "tempo", "harmony"}) | ARRANGEMENT


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch):
    """A lane that plays, eight seconds before its window rolls."""
    host = BusyHost(monkeypatch, ratio=8.0, read_seconds=0.0)
    host.begin()
    host.run(0.5)
    yield host
    host.close()


def another(row: Parameter[Any], value: float) -> float:
    return row.low if value != row.low else row.high


def made_anew(host: BusyHost, name: str, value: float) -> Depth:
    """What a playing lane regenerates when a parameter changes."""
    renderer = host.lane.controller.renderer
    windows, version = renderer.conditioning.windows, renderer.version
    host.lane.submit(Command(update=lambda settings: settings.with_value(name, value), about=name, arrived_seconds=0.0))
    host.run(1.0)
    assert host.lane.controller.renderer is renderer
    assert host.missing == 0
    if renderer.conditioning.windows > windows:
        return Depth.WINDOW
    return Depth.DRAWN if renderer.version > version else Depth.SOUND


@pytest.mark.parametrize("name", PARAMETERS)
def test_what_another_value_makes_anew_is_what_its_row_says(busy: BusyHost, name: str) -> None:
    row = PARAMETERS[name]
    now = float(busy.lane.settings.get(row))
    assert made_anew(busy, name, now) is Depth.SOUND, "the same value is no change"
    assert made_anew(busy, name, another(row, now)) is row.regenerates


# -- against what the engine works with, which knows no rows ---------------------------------------------

BEGUN, STYLE_REGION = (ReferenceAudio(torch.ones(1, n), 120.0, 0.0) for n in (128_000, 96_000))
WITH_STYLE = LaneSettings().with_region(STYLE, STYLE_REGION)
PLACE = StreamPlacement.on(Grid(48_000, 120.0), 0)
MODEL = make_model(card=500)


def needs(before: LaneSettings, after: LaneSettings) -> Depth:
    """What a stream must regenerate for other settings, by its settings and its window's conditions."""
    one, other = (stream_settings(MODEL, settings, PLACE, 0) for settings in (before, after))
    asks = [ask_at(settings, PLACE, 0, 0, TAKES, begun=BEGUN) for settings in (before, after)]
    if not one.guidance.same_rows(other.guidance) or differs(*asks):
        return Depth.WINDOW
    return Depth.SOUND if one == other else Depth.DRAWN


def differs(one: Ask, other: Ask) -> bool:
    parts = ("text", "grid", "excerpt", "seed", "instruments", "density", "section", "key")
    return [getattr(one, part) for part in parts] != [getattr(other, part) for part in parts] or (
        (one.harmony is None) != (other.harmony is None)
    )


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_row_says_what_the_engine_makes_of_its_value(name: str) -> None:
    row = PARAMETERS[name]
    after = WITH_STYLE.with_value(name, another(row, float(WITH_STYLE.get(row))))
    assert needs(WITH_STYLE, after) is row.regenerates is WITH_STYLE.depth(after)


def test_defaults_are_the_engines_own() -> None:
    sampling, guidance, excerpt = Sampling(), Guidance(), StyleExcerpt()
    defaults = inspect.signature(ModelSettings.set_generation_params).parameters
    model = {each.name: each.default for each in fields(LoadedModel)}
    own = {
        TEMPERATURE: (sampling.temperature, model["temperature"]),
        TOP_K: (sampling.top_k,),
        TOP_P: (sampling.top_p, defaults["top_p"].default),
        CFG: (guidance.cfg_coef, model["cfg_coef"]),
        CFG_BETA: (guidance.cfg_coef_beta or 0.0,),
        TWO_STEP: (guidance.two_step, defaults["two_step_cfg"].default),
        EXCERPT_SECONDS: (excerpt.seconds,),
        EVAL_Q: (excerpt.eval_q,),
        KEEP_HARMONY: (defaults["keep_harmony"].default,),
    }
    for row, values in own.items():
        assert set(values) == {row.initial}, row.name
    found = stream_settings(MODEL, LaneSettings(), PLACE, 0)
    assert (found.sampling, found.guidance) == (sampling, guidance)
    assert ask_at(WITH_STYLE, PLACE, 0, 0, TAKES).excerpt == excerpt


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_lane_that_was_sent_nothing_has_the_tables_values_but_for_the_models_own(host: RigHost, name: str) -> None:
    own = {"cfg": 3.0}  # of the rig's lane
    assert host.lane.settings.values == own
    row = PARAMETERS[name]
    assert host.lane.settings.get(row) == own.get(name, row.default)
    assert type(host.lane.settings.get(row)) is type(row.initial)
    assert host.lane.value(name) == own.get(name, 0 if name == "seed" else row.default)  # no seed is drawn yet


def test_settings_with_other_samples_are_other_settings() -> None:
    """Who keeps the settings last seen, as subscriptions do, asks this when a region is replaced by another."""
    first, second, alike = (ReferenceAudio(torch.zeros(1, length), 120.0, 0.0) for length in (8, 7, 8))
    settings = LaneSettings().with_region("continue", first)
    assert settings != LaneSettings().with_region("continue", second)
    assert settings != LaneSettings().with_region("continue", alike)
    assert settings == LaneSettings().with_region("continue", first)
