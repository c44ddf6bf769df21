"""The change from one model to the next while lanes play. Runs on [load], asks [generate] for what is its own.

lanes that play     an heir each, on a bar line of its host; all of them take over together or try again later
other lanes         begin with the new model when they are told to play
too slow a model    after some tries each lane changes over where its music is made to, with what the ring holds
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from bridge.control.arguments import NOW
from bridge.errors import NotReady
from engine.errors import EngineError
from engine.models.model import LoadedModel
from engine.serve.lane.controller import LaneController
from engine.serve.lane.generate_loop import GenerateLoop
from engine.serve.models.handover import Handover, HandoverMusic, HandoverWait, estate, fits, raise_heir, take_over
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.render.stream_settings import own_values
from engine.serve.state import Hot
from engine.serve.timeline.placement import prepare

TRIES = 4
SPARE_SECONDS = 0.3
WAIT_SECONDS = 15.0  # for a bar line that is made and far enough ahead
LOOK_SECONDS = 0.05
FADE_SECONDS = 1.0  # within which every stream has faded out
Left = HandoverMusic | HandoverWait | None


@dataclass(frozen=True)
class LaneChangeOver:
    """What is to happen to one lane; without heir and error the old player plays its music out.  [any]"""

    director: LaneController
    player: StreamRenderer | None
    heir: Handover | None = None
    error: Exception | None = None


def change_over(studio: GenerateLoop, hot: Hot, check: Callable[[], None]) -> None:
    """Let a hot model take over; `check` is asked before each try and raises when it is not wanted any more.  [load]"""
    for settings in studio.ask(lambda: [director.lane.settings for director in studio.directors()]):
        with suppress(EngineError):  # that lane alone fails, and says why, when its heir is raised
            prepare(hot.model, settings)
    per_lane = hot.change_seconds
    for attempt in range(TRIES):
        check()
        last = attempt == TRIES - 1
        lefts = _estates(studio, per_lane, hot.context_frames, last, check)
        successions = []
        for director, player, left in lefts:
            began = time.monotonic()
            successions.append(_succession(director, player, left, hot.model))
            if isinstance(left, HandoverMusic):
                per_lane = max(per_lane, time.monotonic() - began)
        if studio.ask(lambda: _install(studio, hot.model, successions, last)):  # noqa: B023 - asked at once
            return


def _estates(
    studio: GenerateLoop, per_lane: float, context_frames: int, last: bool, check: Callable[[], None]
) -> list[tuple[LaneController, StreamRenderer | None, Left]]:
    """What each lane leaves, once all of them can."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        check()
        late = last or time.monotonic() > deadline
        found = studio.ask(lambda: _look(studio, per_lane, context_frames, late))  # noqa: B023 - asked at once
        if late or not any(isinstance(left, HandoverWait) for _, _, left in found):
            return found
        time.sleep(LOOK_SECONDS)


def _look(
    studio: GenerateLoop, per_lane: float, context_frames: int, at_once: bool
) -> list[tuple[LaneController, StreamRenderer | None, Left]]:
    """One look at all lanes; those with too little music made ahead are told to make more.  [generate]"""
    studio.follow()
    directors = studio.directors()
    need = 1.2 * per_lane * sum(director.player is not None for director in directors) + SPARE_SECONDS
    found: list[tuple[LaneController, StreamRenderer | None, Left]] = []
    for director in directors:
        left = estate(director, need, context_frames, at_once)
        if isinstance(left, HandoverWait):
            director.lead_at_least_seconds = left.lead_seconds
        found.append((director, director.player, left))
    return found


def _succession(
    director: LaneController, player: StreamRenderer | None, left: Left, model: LoadedModel
) -> LaneChangeOver:
    if not isinstance(left, HandoverMusic):
        return LaneChangeOver(director, player)
    try:
        return LaneChangeOver(director, player, heir=raise_heir(left, model))
    except Exception as error:  # this lane alone fails, as when it had asked that model for the same
        return LaneChangeOver(director, player, error=error)


def _install(studio: GenerateLoop, model: LoadedModel, successions: list[LaneChangeOver], late_too: bool) -> bool:
    """All lanes change over, or none: False when one could not in time.  [generate]"""
    studio.follow()
    known = {id(each.director): each for each in successions}
    for director in studio.directors():
        each = known.get(id(director), LaneChangeOver(director, None))
        if director.player is not None and not _ready(each, late_too):
            return False
    studio.use(model)
    for director in studio.directors():
        _settle(studio, known.get(id(director)), director)
    return True


def _ready(each: LaneChangeOver, late_too: bool) -> bool:
    if each.heir is None:
        return each.player is each.director.player
    return fits(each.heir, each.director) or (late_too and each.player is each.director.player)


def _settle(studio: GenerateLoop, each: LaneChangeOver | None, director: LaneController) -> None:
    """One lane's change, when the model has changed."""
    assert studio.model is not None
    if each is None or director.player is None:
        director.lane.adopt(own_values(studio.model))
        return
    studio.forget(director)
    if each.error is not None:
        director.fail(each.error)
        director.lane.adopt(own_values(studio.model))
    elif each.heir is not None:
        take_over(each.heir, director)


def stop_all(studio: GenerateLoop) -> None:
    """End every stream with its fade, and take the model away from all lanes.  [load]"""
    studio.ask(lambda: [director.stop(NOW) for director in studio.directors()])
    deadline = time.monotonic() + FADE_SECONDS
    while time.monotonic() < deadline and any(director.player is not None for director in studio.directors()):
        time.sleep(LOOK_SECONDS)
    studio.ask(lambda: _leave(studio))


def _leave(studio: GenerateLoop) -> None:
    """No model any more.  [generate]"""
    studio.use(None)
    for director in studio.directors():
        studio.forget(director)
        if director.player is not None:
            director.fail(NotReady("the model was unloaded"))
