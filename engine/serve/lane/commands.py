"""A lane's commands from arrival to sound.

arrives ---> scheduled: waits for its beat ---> made: audible from a stream sample on ---> heard: event sent, settings
                 ^-- a jump, a cut before it --|                                                          changed
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from statistics import median

from bridge.control.arguments import NOW, At
from bridge.errors import Busy
from bridge.time.transport import Transport
from engine.serve.lane.meeting import Meeting
from engine.serve.lane_settings import LaneSettings, Update
from engine.serve.timeline.due import Due, ahead_samples, due_at
from engine.serve.timeline.phase_in import PhaseIn
from engine.serve.timeline.samples import StreamSample

Begun = Callable[[float, int, int], object]  # start_beats, plan_revision, seed
Failed = Callable[[Exception], object]
LIST_MAX = 40  # commands listed by name
TIMES_MAX = 64  # per kind of command
WAITING_MAX = 64  # scheduled commands per lane


@dataclass
class PlayOrder:
    """A play command with its start and end in beats.

    Answered once: `begun` with its first block in the ring, or `failed`.
    """

    start_beats: Fraction
    end_beats: Fraction | None
    seed: int
    ordered_seconds: float
    begun: Begun
    failed: Failed
    answered: bool = False
    needs_seconds: float = 0.0  # from its begin to its first block
    beginning: PhaseIn = field(default_factory=PhaseIn)  # the audio prompt

    def begin(self, plan_revision: int) -> None:
        """Answer that it plays.  [generate]"""
        if not self.answered:
            self.answered = True
            self.begun(float(self.start_beats), plan_revision, self.seed)

    def fail(self, error: Exception) -> None:
        """Answer that it failed, unless already answered.  [generate]"""
        if not self.answered:
            self.answered = True
            self.failed(error)

    def moved(self, start_beats: Fraction) -> None:
        """Move the start; the length stays.  [generate]"""
        if self.end_beats is not None:
            self.end_beats += start_beats - self.start_beats
        self.start_beats = start_beats


@dataclass(eq=False)
class Command:
    """A command and its time: a change of settings (`update`), a play (`order`), or with neither a stop.

    `stream_sample`: from which it is audible, None while it waits. `ahead`: samples from the host to its due beat at
    the last turn; `fresh`: its due beat is newer than that. `slow`: it regenerates music. `about`: what it sets; a
    newer immediate command with the same `about` that is heard no later replaces an older one. [generate]
    """

    at: At = NOW
    id: int = 0
    address: str = ""
    update: Update | None = None
    order: PlayOrder | None = None
    arrived_seconds: float = field(kw_only=True)
    due: Due = field(default_factory=lambda: Due(Fraction(0)))
    stream_sample: StreamSample | None = None
    ahead: int | None = None
    fresh: bool = True
    slow: bool = False
    about: str = ""
    then: Command | None = None  # ends what this one begins
    length_beats: Fraction = Fraction(0)  # from this command to `then`
    meeting: Meeting | None = None  # still to join
    group: Meeting | None = None  # joined
    past: bool = False  # a play that begins on its beat even if the host is past it

    @property
    def floats(self) -> bool:
        """Whether it is immediate: no due beat, changes the settings at once, is heard as soon as possible."""
        return self.update is not None and self.at == NOW and self.then is None

    @property
    def explicit(self) -> bool:
        """Whether it names a beat or bar; else it means the next one, wherever the host jumps."""
        return not self.at.word or self.at.bar is not None

    @property
    def kind(self) -> str:
        """The kind in one word: prompt, region, play, ..."""
        parts = self.address.strip("/").split("/")
        word = parts[-1] if parts else ""
        return "region" if parts[1:2] == ["region"] and word != "clear" else word or "change"

    def aim(self, transport: Transport, margin_samples: int) -> Due:
        """Set and return the due beat for a host at `transport`."""
        if self.past and self.explicit:
            due = Due(self.at.resolve(transport.grid, transport.position_samples))
        else:
            due = due_at(self.at, transport, margin_samples)
            if self.meeting is not None:
                due = self.meeting.join(due, transport, margin_samples)
                self.group, self.meeting = self.meeting, None
        self.go_to(Due(due.beats, due.late or self.due.late, due.seek_id), transport)
        return self.due

    def go_to(self, due: Due, transport: Transport) -> None:
        """Take effect at `due`."""
        self.due, self.ahead, self.fresh = due, ahead_samples(due, transport), True
        if self.order is not None:
            self.order.moved(due.beats)
        if self.then is not None:
            self._placement_end(self.then, transport)

    def _placement_end(self, end: Command, transport: Transport) -> None:
        """Place `end` `length_beats` after the beginning, counted through the host's loop."""
        begin, after = (transport.grid.sample_at(self.due.beats + beats) for beats in (0, self.length_beats))
        found = Due(self.due.beats + self.length_beats)
        if self.ahead is not None:
            wrapped = due_at(NOW, replace(transport, playing=True), self.ahead + after - begin)
            found = found if transport.grid.sample_at(wrapped.beats) == after else wrapped
        end.at, end.due = At(beats=float(found.beats)), found
        end.ahead, end.fresh = ahead_samples(found, transport), True

    def changed(self, settings: LaneSettings) -> LaneSettings:
        """The settings with this change."""
        return settings if self.update is None else self.update(settings)

    def applied(self, settings: LaneSettings) -> LaneSettings:
        """The lane's settings from its due beat on; they contain immediate changes already."""
        return settings if self.floats else self.changed(settings)


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

    def settings(self, base: LaneSettings) -> LaneSettings:
        """The settings at the end of the made music; the same object while nothing changes."""
        changes = [each for each in self.made if each.update is not None and not each.floats]
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
        about = {each.about for each in commands if each.floats and each.about}
        gone = [
            each
            for each in self.made
            if each.floats and each.about in about and (each.stream_sample or 0) >= stream_sample
        ]
        self.made = [each for each in self.made if each not in gone]
        for command in commands:
            command.stream_sample = stream_sample
            if command in self.waiting:
                self.waiting.remove(command)
            self.made.append(command)
        self.made.sort(key=lambda each: each.stream_sample or 0)

    def unmake(self, stream_sample: StreamSample) -> None:
        """The stream is regenerated from a stream sample on: later commands wait again."""
        for command in [
            each for each in self.made if each.stream_sample is not None and each.stream_sample > stream_sample
        ]:
            if command.floats:
                command.stream_sample = stream_sample
            elif command.update is not None:
                self.made.remove(command)
                command.stream_sample = None
                self.waiting.append(command)
        self.waiting.sort(key=lambda each: each.arrived_seconds)
        self.made.sort(key=lambda each: each.stream_sample or 0)

    def jumped(self, transport: Transport, margin_samples: Callable[[Command, Transport], int]) -> None:
        """The host has jumped: explicit commands wait for their beat, others are due on the next one from here."""
        for command in [each for each in self.made if each.update is not None and not each.floats]:
            self.made.remove(command)
            command.stream_sample = None
            self.waiting.append(command)
        self.waiting.sort(key=lambda each: each.arrived_seconds)
        for command in self.waiting:
            command.due = Due(command.due.beats, command.due.late)
            if command.explicit:
                command.ahead = ahead_samples(command.due, transport)
            else:
                command.aim(transport, margin_samples(command, transport))

    def passed(self, advanced_samples: int, transport: Transport) -> list[Command]:
        """Waiting commands whose due beat the host has passed since the last turn."""
        gone = []
        for command in self.waiting:
            ahead = ahead_samples(command.due, transport)
            past = ahead is None if command.fresh else 0 < advanced_samples >= (command.ahead or 0)
            gone += [command] if past and command.ahead is not None else []
            command.ahead, command.fresh = command.ahead if command in gone else ahead, False
        for command in self.made:
            past = command.ahead is not None and 0 < advanced_samples >= command.ahead
            command.ahead = 0 if past else ahead_samples(command.due, transport)
        return gone

    def postpone(self, here: int, stream_written: int, base: LaneSettings) -> None:
        """In an underrun, plays and changes that regenerate music are not heard yet."""
        for command in self.made if stream_written <= here else []:
            silent = command.order is not None or (command.update is not None and not base.goes_on(command.update))
            if silent and command.stream_sample is not None and command.stream_sample <= here:
                command.stream_sample = StreamSample(here + 1)

    def heard(self, stream_sample: int) -> list[Command]:
        """Remove and return the commands that are heard by now."""
        now = [each for each in self.made if each.stream_sample is not None and each.stream_sample <= stream_sample]
        self.made = [each for each in self.made if each not in now]
        return now

    def shift(self, samples: int) -> None:
        """Shift stream samples: they are counted from another start."""
        for command in self.made:
            if command.stream_sample is not None:
                command.stream_sample = StreamSample(command.stream_sample + samples)

    def take_back(self, commands: Iterable[Command], error: Exception) -> int:
        """Remove waiting commands; returns how many."""
        gone = [each for each in commands if each in self.waiting]
        for command in gone:
            self.waiting.remove(command)
            if command.order is not None:
                command.order.fail(error)
        return len(gone)

    def listed(self) -> tuple[int, str]:
        """The number of commands not heard yet, and the first ones: 'id kind beat'."""
        ahead = sorted(self.waiting, key=lambda each: (each.ahead is None, each.ahead or 0))
        scheduled = [each for each in self.made if each.update is not None and not each.floats] + ahead
        names = [f"{each.id} {each.kind} {float(each.due.beats):.6g}" for each in scheduled[:LIST_MAX]]
        return len(scheduled), ", ".join(names)


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
