"""Handlers of commands with a time, [control]: check them and pass them to [generate].

Each is answered at once with its due beat; `messages.EVENT_HEARD` follows when it is heard.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Hashable
from fractions import Fraction
from itertools import count
from typing import TYPE_CHECKING

from bridge.control import messages
from bridge.control.parameters import SEED, TOP_K, check_parameter, row_name
from bridge.control.requests import LATER, Answer, Handler, Request
from bridge.errors import OutOfRange
from bridge.system.clock import Clock
from bridge.time.units import exact
from engine.serve.control.command_intake import CommandIntake, IntakeItem, Later, Question
from engine.serve.faults import wire_fault
from engine.serve.lane.command import Command
from engine.serve.lane.lane import SEEDS, Lane
from engine.serve.lane.meeting import Meeting
from engine.serve.lane_settings import CONTINUE, Update
from engine.serve.state import EngineState

if TYPE_CHECKING:
    from engine.serve.lane.controller import LaneController
    from engine.serve.lane.generate_loop import GenerateLoop

TOGETHER_SECONDS = 0.1  # within which commands with one `at` take effect together


class CommandHandlers:
    """The handlers; `generate_loop` and `model` raise NotReady while there is none, `must_take` Unsupported by role."""

    def __init__(
        self,
        state: EngineState,
        lane_of: Callable[[int], Lane],
        must_take: Callable[[str], None],
        generate_loop: Callable[[], GenerateLoop],
        model: Callable[[], object],
        later: Later,
        clock: Clock,
    ) -> None:
        self._state, self._lane_of, self._must_take = state, lane_of, must_take
        self._generate_loop, self._model, self._clock = generate_loop, model, clock
        self.intake = CommandIntake(generate_loop, later, clock)
        self._keys = count(1)  # of mutes with a duration
        self._meetings: dict[tuple[str, str], tuple[float, Meeting]] = {}  # by machine and `at`; their start

    def handlers(self) -> dict[str, Handler]:
        """The handlers by address.  [main]"""
        m = messages
        rows = {
            m.LANE_SET: self.set, m.LANE_PROMPT: self.prompt,
            m.LANE_PLAY: self.play, m.LANE_STOP: self.stop, m.LANE_MUTE: self.mute, m.LANE_RESEED: self.reseed,
            m.LANE_CANCEL: self.cancel, m.LANE_SCHEDULED: self.scheduled, m.REGION_CLEAR: self.clear_region,
        }  # fmt: skip
        return {row.address: handler for row, handler in rows.items()}

    def _ask(self, request: Request, question: Question, *what: Hashable, alone: bool = False) -> Answer:
        """Ask the lane's controller between two hops and answer; requests with the same `what` replace each other."""
        lane = self._lane_of(request.whole("lane"))
        self.intake.put(IntakeItem(lane, (request.message.address, *what), question, request.responder, alone=alone))
        return LATER

    def change(self, request: Request, about: str, update: Update, *values: object) -> Answer:
        """Change a lane's settings; the answer holds `values` and the due beat, for an immediate change at once."""
        command, lane = self.command(request, update, about), self._lane_of(request.whole("lane"))
        if command.immediate:
            self._generate_loop()
            return (*values, float(lane.place_now(lane.submit(command)).beats), 0)
        return self._ask(request, lambda controller: (*values, *controller.change(command)), about, command.at.wire())

    def command(
        self, request: Request, update: Update | None = None, about: str = "", past: bool = False,
        undo: Update | None = None, length_beats: Fraction = Fraction(0),
    ) -> Command:  # fmt: skip
        """A request's command, see `Command`; it takes effect with those that the same machine just sent with the same
        `at`.  [control]
        """
        now, key = self._clock.now_seconds(), (request.client.host, str(request.at().wire()))
        since, meeting = self._meetings.get(key, (0.0, Meeting()))
        if now - since > TOGETHER_SECONDS:
            since, meeting = now, Meeting()
            recent = {k: each for k, each in self._meetings.items() if now - each[0] <= TOGETHER_SECONDS}
            self._meetings = {**recent, key: (since, meeting)}
        named = request.at(), request.id, request.message.address
        return Command(
            *named, update, about=about, past=past, undo=undo, length_beats=length_beats, meeting=meeting,
            arrived_seconds=now,
        )  # fmt: skip

    # -- the handlers ---------------------------------------------------------------------------------

    def set(self, request: Request) -> Answer:
        """lane/set.  [control]"""
        lane, name = self._lane_of(request.whole("lane")), row_name(request.text("name"))
        value = check_parameter(request.text("name"), request.number("value"))
        self.check_card(name, value)
        shown = float(lane.draw_seed()) if name == SEED.name and value < 0 else value
        return self.change(request, name, lambda settings: settings.with_value(name, value), name, shown)

    def check_card(self, name: str, value: float) -> None:
        """OutOfRange for a top_k that the loaded model does not have.  [control]"""
        hot = self._state.now.hot
        if name == TOP_K.name and hot is not None and value > hot.model.lm.config.card:
            card = hot.model.lm.config.card
            raise OutOfRange(f"top_k is {value:.0f}, this model draws among {card} (0: all of them)")

    def prompt(self, request: Request) -> Answer:
        """lane/prompt.  [control]"""
        text = request.text("text")
        if text:
            self._must_take("text")
        return self.change(request, "prompt", lambda settings: settings.with_prompt(text))

    def mute(self, request: Request) -> Answer:
        """lane/mute.  [control]"""
        on, beats = request.whole("on") == 1, exact(request.number("beats"))
        if not beats:
            return self.change(request, "mute", lambda settings: settings.with_mute(on))
        key = next(self._keys)  # its own, so that other mutes do not end it
        command = self.command(
            request,
            lambda settings: settings.with_mute(on, key * on),
            "mute",
            undo=lambda settings: settings.with_mute(not on, key * on),
            length_beats=beats,
        )
        return self._ask(request, lambda controller: controller.change(command), "mute", command.at.wire())

    def reseed(self, request: Request) -> Answer:
        """lane/reseed.  [control]"""
        asked = request.whole("seed")
        seed = secrets.randbelow(SEEDS) if asked < 0 else asked
        return self.change(request, "seed of the music", lambda settings: settings.with_seed(seed), seed)

    def clear_region(self, request: Request) -> Answer:
        """region/clear.  [control]"""
        role = request.text("role")
        return self.change(request, "region " + role, lambda settings: settings.with_region(role, None))

    def play(self, request: Request) -> Answer:
        """lane/play.  [control]"""
        lane, responder = self._lane_of(request.whole("lane")), request.responder
        bars = request.whole("bars")
        self._model()
        if CONTINUE in lane.wanted.regions:
            self._must_take(CONTINUE)
        command = self.command(request, past=request.whole("past") == 1)

        def play(controller: LaneController) -> None:
            due = controller.play(
                command.at, bars, responder.ok, lambda fault: responder.error(wire_fault(fault)), command
            )
            nobody = "" if lane.host_plays() else f"; {lane.listener()}"
            responder.progress(0, 0, f"begins on beat {float(due.beats):.6g}{', too late before' * due.late}{nobody}")

        return self._ask(request, play, command.at.wire(), alone=True)

    def stop(self, request: Request) -> Answer:
        """lane/stop.  [control]"""
        command = self.command(request)
        return self._ask(request, lambda controller: (controller.stop(command.at, command),), command.at.wire())

    def cancel(self, request: Request) -> Answer:
        """lane/cancel.  [control]"""
        which = request.whole("which")
        return self._ask(request, lambda controller: (controller.cancel(which),), which)

    def scheduled(self, request: Request) -> Answer:
        """lane/scheduled.  [control]"""
        return self._ask(request, lambda controller: controller.scheduler.commands.listed())
