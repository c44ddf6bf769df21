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
from engine.serve.lane.commands import MEETING_BARS, Command, Meeting
from engine.serve.timeline.due import Due

if TYPE_CHECKING:
    from engine.serve.lane.scheduler import CommandScheduler


def held(command: Command) -> bool:
    """Whether it waits for others of its group, whose regions are not read yet.  [generate]"""
    return isinstance(command.group, Gathering) and command.group.awaited > 0


@dataclass
class Gathering(Meeting):
    """A meeting that knows its members and how many are still expected."""

    members: list[tuple[ref[CommandScheduler], ref[Command]]] = field(default_factory=list)  # none is kept alive
    awaited: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, count: int) -> None:
        """Expect `count` more members; negative: they have come, or failed.  [any]"""
        with self._lock:
            self.awaited += count

    def join(self, due: Due, transport: Transport, margin_samples: int) -> Due:
        """The due beat of a command that alone would get `due`; a later one becomes everybody's.  [generate]"""
        met = super().join(due, transport, margin_samples)
        if self.due is not None and abs(self.due.beats - due.beats) <= MEETING_BARS * transport.signature.beats_per_bar:
            self.due = met
        return met

    def gather(self, scheduler: CommandScheduler, command: Command) -> None:
        """Add a command with its due beat, and move the others there.  [generate]"""
        for other, earlier in ((scheduler(), command()) for scheduler, command in self.members):
            if other is None or earlier is None or self.due is None:
                continue
            if command.due.beats == self.due.beats != earlier.due.beats:
                other.move_to(earlier, self.due)
        self.members.append((ref(scheduler), ref(command)))
