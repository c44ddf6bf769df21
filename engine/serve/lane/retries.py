"""A lane whose stream fails while it plays is retried automatically.

    playing --a fault--> preparing --a pause, then the next bar line that can be met--> playing
                            |  ^-- a fault: a longer pause --|
                            +-- after the last pause --> failed: the text says what to do

The ring's plan stays meanwhile, so the host holds its last bar. Not retried: named errors, a play that has not been
answered yet (its caller gets the error), and lanes whose host waits for the music, which would get a hole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.control.arguments import At
from bridge.errors import SegueError
from bridge.time.transport import Transport
from engine.errors import EngineError
from engine.serve.faults import wire_fault
from engine.serve.lane.command import Command, PlayOrder
from engine.serve.lane.lane import ENDED, FAILED, PREPARING, Lane
from engine.serve.lane.scheduler import CommandScheduler
from engine.serve.lane.timing import LaneTiming
from engine.serve.timeline.due import Due, ahead_samples
from engine.system.freed_memory import trim

if TYPE_CHECKING:
    from engine.serve.render.stream_renderer import StreamRenderer

PAUSES_SECONDS = (0.25, 1.0, 2.0, 4.0, 8.0)  # before each retry
STEADY_SECONDS = 30.0  # of music after a retry, then the count starts over


@dataclass
class _Due:
    order: PlayOrder
    at_seconds: float


class Retries:
    """One lane's retries; all [generate]. `begin` plays a command's order, `end` sets the state from a sample on."""

    def __init__(
        self,
        lane: Lane,
        begin: Callable[[Command, Transport], None],
        end: Callable[[str, int], None],
    ) -> None:
        self.text = ""  # what failed and what is done about it; empty without a fault
        self._lane, self._clock, self._begin, self._end = lane, lane.time, begin, end
        self._due: _Due | None = None
        self._tries = 0
        self._tried_seconds = 0.0
        self._tried: PlayOrder | None = None  # what the newest retry plays

    def failed(
        self, order: PlayOrder | None, renderer: StreamRenderer | None, error: Exception, scheduler: CommandScheduler
    ) -> tuple[str, int, str]:
        """Handle a stream's failure; yields the lane's new state, the sample where its music ends, and the reason."""
        end = renderer.placement.host_of(renderer.output.stream_written) if renderer is not None else 0
        final = isinstance(error, (SegueError, EngineError)) or self._lane.waits
        again = order is not None and order.answered and not final
        if order is not None:
            order.fail(error)
        if self._clock.now_seconds() - self._tried_seconds > STEADY_SECONDS:
            self._tries = 0
        if again and order is not None and self._tries < len(PAUSES_SECONDS):
            self._due = _Due(order, self._clock.now_seconds() + PAUSES_SECONDS[self._tries])
            self._tries += 1
            scheduler.wait_again(self._lane.clock.or_standing())
            trim()  # the cause may be a lack of memory
            count = f"{self._tries} of {len(PAUSES_SECONDS)}"
            self.text = f"{_words(error)}; tried again from the next bar ({count})"
            return PREPARING, end, self.text
        self.text = _words(error)
        if again:
            self.text += f"; {self._tries} tries failed: play it again once the cause is mended"
        self._forget()
        return FAILED, end, self.text

    def turn(self, renderer: StreamRenderer | None, transport: Transport, timing: LaneTiming) -> bool:
        """Begin a retry if one is due; returns whether."""
        due = self._due
        if renderer is not None or due is None or self._clock.now_seconds() < due.at_seconds:
            self._look(renderer)
            return False
        order, self._due, self._tried_seconds = due.order, None, self._clock.now_seconds()
        end, self._tried = order.end_beats, due.order
        margin_samples = int(timing.margin_seconds * transport.sample_rate_hz)
        command = _command(order, transport, margin_samples, self._tried_seconds)
        order.end_at(end)  # the end stays: the silence is not made up for
        if end is not None and order.start_beats >= end:
            self._forget()
            self._end(ENDED, transport.grid.sample_at(end))
            return False
        self._begin(command, transport)
        return True

    def _look(self, renderer: StreamRenderer | None) -> None:
        """Clear the fault's text after STEADY_SECONDS of music."""
        if renderer is not None and self.text and self._clock.now_seconds() - self._tried_seconds > STEADY_SECONDS:
            self.text = ""

    def came_back(self) -> str:
        """The text for music that is back after retries; empty without one."""
        return f"plays again, after {self._tries} of {len(PAUSES_SECONDS)} tries" if self._tried is not None else ""

    def begins(self, order: PlayOrder) -> PlayOrder:
        """An order begins; one that is not a retry cancels all retries."""
        if order is not self._tried:
            self._forget()
            self.text = ""
        return order

    def given_up(self) -> bool:
        """Cancel retries, for a stop; returns whether one was due."""
        was, self.text = self._due is not None, ""
        self._forget()
        return was

    def _forget(self) -> None:
        self._due = self._tried = None
        self._tries = 0


def _words(error: Exception) -> str:
    text = str(error) if isinstance(error, RuntimeError) and str(error) else wire_fault(error).text
    return text[:250]


def _command(order: PlayOrder, transport: Transport, margin_samples: int, now_seconds: float) -> Command:
    """The command that retries an order: at its start if that is still ahead, else on the next bar line."""
    placement = ahead_samples(Due(order.start_beats), transport)
    ahead = placement is not None and placement >= (margin_samples if transport.playing else 0)
    at = At(beats=float(order.start_beats)) if ahead else At("bar")
    command = Command(at, order=order, arrived_seconds=now_seconds)
    command.aim(transport, margin_samples)
    return command
