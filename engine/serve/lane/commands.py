"""A lane's commands: those that wait for their beat, and those that are made and not heard yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from statistics import median

from bridge.errors import Busy
from bridge.time.transport import Transport
from engine.serve.lane.command import Command
from engine.serve.lane_settings import LaneSettings
from engine.serve.timeline.samples import StreamSample

LIST_MAX = 40  # commands listed by name
TIMES_MAX = 64  # per kind of command
WAITING_MAX = 64  # scheduled commands per lane


def newest(commands: list[Command]) -> list[Command]:
    """Immediate commands without those replaced by a later one with the same `about`.  [any]"""
    last = {each.about: each for each in commands}
    return [each for each in commands if not each.about or last[each.about] is each]


class Commands:
    """The commands of one lane; all [generate]."""

    def __init__(self) -> None:
        self.waiting: list[Command] = []  # in order of arrival
        self.made: list[Command] = []  # in order of their sound
        self._folded: tuple[LaneSettings, list[Command], LaneSettings] | None = None

    def wait(self, command: Command) -> None:
        """Add a command; it replaces one that changes the same thing at the same time. Busy after WAITING_MAX."""
        if command.update is not None:
            same = command.address, command.about, command.at
            gone = [
                each for each in self.waiting
                if each.address and each.update is not None and (each.address, each.about, each.at) == same
            ]  # fmt: skip
            ends = [each.then for each in gone]
            self.waiting = [each for each in self.waiting if each not in gone and each not in ends]
        if len(self.waiting) >= WAITING_MAX:
            raise Busy(f"{WAITING_MAX} commands wait for their beat and there is room for no more")
        self.waiting.append(command)

    def changes(self) -> list[Command]:
        """The made changes with a due beat, in order of their sound."""
        return [each for each in self.made if each.scheduled]

    def settings(self, base: LaneSettings) -> LaneSettings:
        """The settings at the end of the made music; the same object while nothing changes."""
        changes = self.changes()
        known = self._folded
        if known is not None and known[0] is base and known[1] == changes:
            return known[2]
        settings = base
        for command in changes:
            settings = command.applied(settings)
        self._folded = base, changes, settings
        return settings

    def make(self, commands: Iterable[Command], stream_sample: StreamSample) -> None:
        """Mark commands as made: audible from a stream sample on; those they replace are dropped."""
        commands = list(commands)
        about = {each.about for each in commands if each.immediate and each.about}
        self.unlist(
            each for each in list(self.made)
            if each.immediate and each.about in about and (each.stream_sample or 0) >= stream_sample
        )  # fmt: skip
        for command in commands:
            command.sound_from(stream_sample)
            if command in self.waiting:
                self.waiting.remove(command)
            self.made.append(command)
        self.made.sort(key=lambda each: each.stream_sample or 0)

    def unmake(self, stream_sample: StreamSample) -> None:
        """The stream is regenerated from a stream sample on: later commands wait again."""
        later = [each for each in self.made if each.stream_sample is not None and each.stream_sample > stream_sample]
        for command in later:
            if command.immediate:
                command.sound_from(stream_sample)
        self._wait_again(each for each in later if each.scheduled)
        self.made.sort(key=lambda each: each.stream_sample or 0)

    def _wait_again(self, commands: Iterable[Command]) -> None:
        for command in commands:
            self.made.remove(command)
            command.sound_from(None)
            self.waiting.append(command)
        self.waiting.sort(key=lambda each: each.arrived_seconds)

    def wait_last(self, command: Command) -> None:
        """A made command waits again, behind the others."""
        self.made.remove(command)
        command.sound_from(None)
        self.waiting.append(command)

    def take(self, command: Command) -> Command:
        """Remove and return a waiting command: it is carried out."""
        self.waiting.remove(command)
        return command

    def unlist(self, commands: Iterable[Command]) -> None:
        """Remove made commands: they are not heard."""
        gone = list(commands)
        self.made = [each for each in self.made if each not in gone]

    def jumped(self, transport: Transport, margin_samples: Callable[[Command, Transport], int]) -> None:
        """The host has jumped: explicit commands wait for their beat, others are due on the next one from here."""
        self._wait_again(self.changes())
        for command in self.waiting:
            command.jump(transport, margin_samples)

    def passed(self, advanced_samples: int, transport: Transport) -> list[Command]:
        """Waiting commands whose due beat the host has passed since the last turn."""
        for command in self.made:
            command.pass_made(advanced_samples, transport)
        return [each for each in self.waiting if each.pass_by(advanced_samples, transport)]

    def postpone(self, here: int, stream_written: int, base: LaneSettings) -> None:
        """In an underrun, plays and changes that regenerate music are not heard yet."""
        for command in self.made if stream_written <= here else []:
            silent = command.order is not None or (command.update is not None and not base.goes_on(command.update))
            if silent and command.stream_sample is not None and command.stream_sample <= here:
                command.sound_from(StreamSample(here + 1))

    def heard(self, stream_sample: int) -> list[Command]:
        """Remove and return the commands that are heard by now."""
        now = [each for each in self.made if each.stream_sample is not None and each.stream_sample <= stream_sample]
        self.made = [each for each in self.made if each not in now]
        return now

    def shift(self, samples: int) -> None:
        """Shift stream samples: they are counted from another start."""
        for command in self.made:
            if command.stream_sample is not None:
                command.sound_from(StreamSample(command.stream_sample + samples))

    def sound_anew(self, stream_sample: StreamSample) -> None:
        """The made commands are heard with the music from a stream sample on."""
        for command in self.made:
            command.sound_from(stream_sample)

    def take_back(self, commands: Iterable[Command], error: Exception) -> int:
        """Remove waiting commands; returns how many."""
        gone = [each for each in commands if each in self.waiting]
        for command in gone:
            self.waiting.remove(command)
            if command.order is not None:
                command.order.fail(error)
        return len(gone)

    def scheduled(self) -> tuple[Command, ...]:
        """The scheduled commands that are not heard yet."""
        return (*self.changes(), *self.waiting) if self.made or self.waiting else ()

    def listed(self) -> tuple[int, str]:
        """The number of scheduled commands, and the first ones in words."""
        return listed(self.scheduled())


def in_order(scheduled: Sequence[Command]) -> list[Command]:
    """Scheduled commands in the order of their sound; those that the host will not reach last.  [any]"""

    def order(command: Command) -> tuple[int, int]:
        made, ahead = command.stream_sample, command.ahead
        return (0, made) if made is not None else (2, 0) if ahead is None else (1, ahead)

    return sorted(scheduled, key=order)


def listed(scheduled: Sequence[Command]) -> tuple[int, str]:
    """The number of scheduled commands, and the first ones: 'id kind beat'.  [any]"""
    first = in_order(scheduled)[:LIST_MAX]
    return len(scheduled), ", ".join(f"{each.id} {each.kind} {float(each.due.beats):.6g}" for each in first)


class Times:
    """Seconds from a command's arrival to its sound, by kind.  [generate]"""

    def __init__(self) -> None:
        self._seconds: dict[str, deque[float]] = {}
        self._counts: dict[str, int] = {}

    def add(self, kind: str, seconds: float) -> None:
        """Add one measurement."""
        self._seconds.setdefault(kind, deque(maxlen=TIMES_MAX)).append(seconds)
        self._counts[kind] = self._counts.get(kind, 0) + 1

    @property
    def text(self) -> str:
        """'kind median latest times, ...', in seconds."""
        counts = self._counts
        return ", ".join(f"{kind} {median(s):.3f} {s[-1]:.3f} {counts[kind]}" for kind, s in self._seconds.items())
