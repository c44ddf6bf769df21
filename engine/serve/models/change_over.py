"""Changes from one model to the next while lanes play. Runs on [load], asks [generate] for its state.

playing lanes       a handover each, on a bar line of its host; all take over together, or try again later
other lanes         use the new model from their next play on
too slow a model    after some tries each lane changes over at the end of its made music, without a bar line
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from bridge.control.arguments import NOW
from bridge.errors import NotReady
from engine.errors import EngineError
from engine.model import LoadedModel
from engine.serve.lane.controller import LaneController
from engine.serve.lane.generate_loop import GenerateLoop
from engine.serve.models.handover import (
    Handover,
    HandoverMusic,
    HandoverWait,
    fits,
    handover_music,
    prepare_handover,
    take_over,
)
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.state import Hot
from engine.serve.timeline.placement import prepare

TRIES = 4
SPARE_SECONDS = 0.3
WAIT_SECONDS = 15.0  # for a made bar line far enough ahead
LOOK_SECONDS = 0.05
FADE_SECONDS = 1.0  # until every stream has faded out
Left = HandoverMusic | HandoverWait | None


@dataclass(frozen=True)
class LaneChangeOver:
    """One lane's change; without handover and error the old renderer plays its music out.  [any]"""

    controller: LaneController
    renderer: StreamRenderer | None
    handover: Handover | None = None
    error: Exception | None = None


def change_over(generate_loop: GenerateLoop, hot: Hot, check: Callable[[], None]) -> None:
    """Let a hot model take over; `check` is called before each try and raises when the load is cancelled.  [load]"""
    for settings in generate_loop.ask(lambda: [controller.lane.wanted for controller in generate_loop.controllers()]):
        with suppress(EngineError):  # only that lane fails, and says why
            prepare(hot.model, settings)
    per_lane = hot.change_seconds
    for attempt in range(TRIES):
        check()
        last = attempt == TRIES - 1
        lefts = _handover_musics(generate_loop, per_lane, hot.context_frames, last, check)
        successions = []
        for controller, renderer, left in lefts:
            began = generate_loop.clock.now_seconds()
            successions.append(_lane_change_over(controller, renderer, left, hot.model))
            if isinstance(left, HandoverMusic):
                per_lane = max(per_lane, generate_loop.clock.now_seconds() - began)
        if generate_loop.ask(lambda: _install(generate_loop, hot.model, successions, last, hot.change_seconds)):  # noqa: B023 - asked at once
            return


def _handover_musics(
    generate_loop: GenerateLoop, per_lane: float, context_frames: int, last: bool, check: Callable[[], None]
) -> list[tuple[LaneController, StreamRenderer | None, Left]]:
    """The handover music of each lane, once all have some."""
    deadline = generate_loop.clock.now_seconds() + WAIT_SECONDS
    while True:
        check()
        late = last or generate_loop.clock.now_seconds() > deadline
        found = generate_loop.ask(lambda: _look(generate_loop, per_lane, context_frames, late))  # noqa: B023 - asked at once
        if late or not any(isinstance(left, HandoverWait) for _, _, left in found):
            return found
        generate_loop.clock.sleep(LOOK_SECONDS)


def _look(
    generate_loop: GenerateLoop, per_lane: float, context_frames: int, at_once: bool
) -> list[tuple[LaneController, StreamRenderer | None, Left]]:
    """Try to get handover music from all lanes; those with too little raise their lead.  [generate]"""
    generate_loop.follow()
    controllers = generate_loop.controllers()
    need = 1.2 * per_lane * sum(controller.renderer is not None for controller in controllers) + SPARE_SECONDS
    found: list[tuple[LaneController, StreamRenderer | None, Left]] = []
    for controller in controllers:
        left = handover_music(controller, need, context_frames, at_once)
        if isinstance(left, HandoverWait):
            controller.timing.keep_ahead(left.lead_seconds)
        found.append((controller, controller.renderer, left))
    return found


def _lane_change_over(
    controller: LaneController, renderer: StreamRenderer | None, left: Left, model: LoadedModel
) -> LaneChangeOver:
    if not isinstance(left, HandoverMusic):
        return LaneChangeOver(controller, renderer)
    try:
        return LaneChangeOver(controller, renderer, handover=prepare_handover(left, model))
    except Exception as error:  # only this lane fails, as if it had asked that model for the same
        return LaneChangeOver(controller, renderer, error=error)


def _install(
    generate_loop: GenerateLoop,
    model: LoadedModel,
    successions: list[LaneChangeOver],
    late_too: bool,
    change_seconds: float = 0.0,
) -> bool:
    """Change over all lanes or none; False when one is too late.  [generate]"""
    generate_loop.follow()
    known = {id(each.controller): each for each in successions}
    for controller in generate_loop.controllers():
        each = known.get(id(controller), LaneChangeOver(controller, None))
        if controller.renderer is not None and not _ready(each, late_too):
            return False
    generate_loop.use(model, change_seconds)
    for controller in generate_loop.controllers():
        _settle(generate_loop, known.get(id(controller)), controller)
    return True


def _ready(each: LaneChangeOver, late_too: bool) -> bool:
    if each.handover is None:
        return each.renderer is each.controller.renderer
    return fits(each.handover, each.controller) or (late_too and each.renderer is each.controller.renderer)


def _settle(generate_loop: GenerateLoop, each: LaneChangeOver | None, controller: LaneController) -> None:
    """Finish one lane's change, once the model has changed."""
    assert generate_loop.model is not None
    if each is None or controller.renderer is None:
        controller.adopt(generate_loop.model)
        return
    generate_loop.forget(controller)
    if each.error is not None:
        controller.fail(each.error)
        controller.adopt(generate_loop.model)
    elif each.handover is not None:
        take_over(each.handover, controller)


def stop_all(generate_loop: GenerateLoop) -> None:
    """End every stream with its fade, and remove the model from all lanes.  [load]"""
    generate_loop.ask(lambda: [controller.stop(NOW) for controller in generate_loop.controllers()])
    deadline = generate_loop.clock.now_seconds() + FADE_SECONDS
    while generate_loop.clock.now_seconds() < deadline and any(
        controller.renderer is not None for controller in generate_loop.controllers()
    ):
        generate_loop.clock.sleep(LOOK_SECONDS)
    generate_loop.ask(lambda: _leave(generate_loop))


def _leave(generate_loop: GenerateLoop) -> None:
    """Remove the model.  [generate]"""
    generate_loop.use(None)
    for controller in generate_loop.controllers():
        generate_loop.forget(controller)
        if controller.renderer is not None:
            controller.fail(NotReady("the model was unloaded"))
