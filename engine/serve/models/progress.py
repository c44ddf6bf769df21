"""A request to load or unload, its progress, and pauses that let the music go first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.control.requests import Responder
from bridge.control.status_text import WARMING_UP  # in steps; all other stages count bytes
from bridge.errors import LoadOvertaken
from engine.serve.state import Wanted

if TYPE_CHECKING:
    from engine.serve.models.loader import Loader

LOW_FILL_SECONDS = 0.8  # in the ring with the lowest fill: below, loading pauses
PAUSE_SECONDS = 0.02
PAUSE_SECONDS_MAX = 1.0  # at one progress report
PAUSES_SECONDS_MAX = 20.0  # in all: a lane that never recovers does not stop a load forever
REPORT_SECONDS = 0.1
STEPS = 1000  # of a stage, on the wire: bytes are more than a client can count


@dataclass
class Job:
    """A request to load `wanted`, or with None to unload; answered once."""

    wanted: Wanted | None
    responder: Responder | None = None
    began_seconds: float = 0.0  # when the loader began with it
    given_up: str = ""
    step: tuple[int, int, str] = (0, 0, "waits")

    def give_up(self, why: str) -> None:
        """Cancel it: its next `check` raises, and the client gets an answer.  [any]"""
        self.given_up = why
        if self.responder is not None and self.wanted is not None:
            self.responder.error(LoadOvertaken(f"{self.wanted.name} was not loaded: {why}"))

    def taken_in(self, now_seconds: float) -> None:
        """The loader starts on it.  [load]"""
        self.began_seconds = now_seconds

    def reached(self, step: tuple[int, int, str]) -> None:
        """Set its progress: done, total, in words.  [load]"""
        self.step = step
        self.say_step()

    def say_step(self) -> None:
        """Send the progress to the client that asked.  [any]"""
        if self.responder is not None:
            self.responder.progress(*self.step)

    def check(self) -> None:
        """Raise LoadOvertaken if it was cancelled.  [load]"""
        if self.given_up:
            raise LoadOvertaken(self.given_up)


class Progress:
    """Takes a load's reports: passes them on, not too often; stops a cancelled load; pauses for the music."""

    def __init__(self, loader: Loader, job: Job, wanted: Wanted) -> None:
        self._loader, self._job, self._wanted = loader, job, wanted
        self._clock = loader.clock
        self._reported_seconds, self._stage, self.room_known, self._paused_seconds = 0.0, "", False, 0.0

    def __call__(self, stage: str, done: float, total: float) -> None:
        """Report `done` of `total` in a stage; raises LoadOvertaken.  [load]"""
        self._job.check()
        now = self._clock.now_seconds()
        if stage != self._stage or done >= total or now - self._reported_seconds >= REPORT_SECONDS:
            self._reported_seconds, self._stage = now, stage
            self._loader.report(self._job, self._wanted, stage, done, total)
        self._let_music_go_first()

    def room_for(self, need_mb: float) -> None:
        """Make room for `need_mb`, once.  [load]"""
        if need_mb and not self.room_known:
            self.room_known = True
            self._loader.make_room(self._wanted, need_mb)

    def _let_music_go_first(self) -> None:
        generate_loop = self._loader.generate_loop()
        began = self._clock.now_seconds()
        most = min(PAUSE_SECONDS_MAX, PAUSES_SECONDS_MAX - self._paused_seconds)
        while generate_loop.fill_low_seconds() < LOW_FILL_SECONDS and self._clock.now_seconds() - began < most:
            self._job.check()
            self._clock.sleep(PAUSE_SECONDS)
        self._paused_seconds += self._clock.now_seconds() - began


def progress_text(stage: str, done: float, total: float) -> str:
    """A stage in words: 'reading 412 of 2764 MB'.  [any]"""
    if not total:
        return stage
    if stage == WARMING_UP:
        return f"{stage} {done:.0f} of {total:.0f}"
    return f"{stage} {done / 1e6:.{0 if total > 1e7 else 1}f} of {total / 1e6:.{0 if total > 1e7 else 1}f} MB"
