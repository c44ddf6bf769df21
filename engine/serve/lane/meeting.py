"""Commands sent together to several lanes with one due beat take effect together, however long each takes.

    sent at "bar"    lane 0  mute                 ready at once         |
                     lane 1  prompt               needs 0.8 s           | all on the first bar line that the slowest
                     lane 2  region/file          read, then made       | of them can meet

A command that needs a later beat delays the others, as long as they are not heard. While a region is being read, the
others wait for it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import ref

from bridge.time.transport import Transport
from engine.serve.timeline.due import Due, ahead_samples

if TYPE_CHECKING:
    from engine.serve.lane.command import Command
    from engine.serve.lane.scheduler import CommandScheduler

MEETING_SECONDS = 0.15  # within which commands sent together are handled
MEETING_BARS = 8  # lanes whose due beats lie further apart are not in one song


def held(command: Command) -> bool:
    """Whether it waits for others of its group, whose regions are not read yet.  [generate]"""
    return command.group is not None and command.group.awaited > 0


@dataclass
class Meeting:
    """The common due beat of commands sent together to several lanes, its members, and how many are still expected."""

    due: Due | None = None
    members: list[tuple[ref[CommandScheduler], ref[Command]]] = field(default_factory=list)  # none is kept alive
    awaited: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, count: int) -> None:
        """Expect `count` more members; negative: they have come, or failed.  [any]"""
        with self._lock:
            self.awaited += count

    def join(self, due: Due, transport: Transport, margin_samples: int) -> Due:
        """The due beat of a command that alone would get `due` and needs about `margin_samples`.

        The first one's, if it can be met; else the command's own, which becomes everybody's.  [generate]
        """
        if self.due is None:
            self.due = due
        if abs(self.due.beats - due.beats) > MEETING_BARS * transport.signature.beats_per_bar:
            return due
        ahead = ahead_samples(self.due, transport)
        spared = int(MEETING_SECONDS * transport.sample_rate_hz)
        if ahead is None or (transport.playing and ahead < margin_samples - spared):
            self.due = due
        return self.due

    def gather(self, scheduler: CommandScheduler, command: Command) -> None:
        """Add a command with its due beat, and move the others there.  [generate]"""
        for other, earlier in ((scheduler(), command()) for scheduler, command in self.members):
            if other is None or earlier is None or self.due is None:
                continue
            if command.due.beats == self.due.beats != earlier.due.beats:
                other.move_to(earlier, self.due)
        self.members.append((ref(scheduler), ref(command)))


class Arrival:
    """One member that a meeting waits for, from `expect` until `come`; None for a command that meets nobody."""

    def __init__(self, meeting: Meeting | None) -> None:
        self._meeting, self._expected = meeting, False

    def expect(self) -> None:
        """The others wait for it.  [control]"""
        if self._meeting is not None:
            self._expected = True
            self._meeting.expect(1)

    def come(self) -> None:
        """It is ready, or will not come; once.  [any]"""
        if self._meeting is not None and self._expected:
            self._expected = False
            self._meeting.expect(-1)
