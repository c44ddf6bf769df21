"""Answers and events on the engine and its model."""

from __future__ import annotations

import pytest
from lane_rig import HandClock

from bridge.control.dispatch import Counts
from bridge.errors import NotReady
from engine.serve.control.engine_handlers import EngineHandlers
from engine.serve.control.open_lanes import OpenLanes
from engine.serve.models.loader import Loader
from engine.serve.options import Options
from engine.serve.state import EMPTY, LOADING, EngineState


def handlers_of(state: EngineState) -> EngineHandlers:
    clock = HandClock()
    loader = Loader(state, 1, None, 0.0, None, clock)
    return EngineHandlers(Options(), state, loader, OpenLanes(), Counts, lambda: None, clock)


def test_an_engine_without_a_model_says_how_to_load_one():
    handlers = handlers_of(EngineState(name=EMPTY, text="no model is loaded"))
    with pytest.raises(NotReady, match="the engine is empty: no model is loaded; load one: `segue load NAME`"):
        handlers.hot()


def test_an_engine_that_loads_one_says_only_that():
    with pytest.raises(NotReady, match=r"the engine is loading: loading small$"):
        handlers_of(EngineState(name=LOADING, text="loading small")).hot()
