"""What a lane was told and when it is heard: takes up commands in time, tells of each as it sounds. All [generate].

    a change of what the model hears   as soon as the music up to its place is made: from there it is made anew
    mute, level                        shortly before its place: what is made is written once more, louder or softer
    play                               as soon as the music before it is made; stop: shortly before its place
    told "now"                         is in the settings when it comes here, and heard from where it can be first

Commands for one place are taken up together. One that is made and not heard waits again when the stream is made
anew from before its place, and when the host jumps.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.control.arguments import NOW
from bridge.time.transport import Transport
from engine.serve.lane.commands import Command, Commands, Times, newest
from engine.serve.lane.lane import Lane, Overtaken
from engine.serve.lane.levels import SOON_SECONDS, Levels
from engine.serve.lane.renewal import Renewal
from engine.serve.lane.timing import LaneTiming
from engine.serve.lane_settings import LaneSettings
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.timeline.due import Due, advanced_samples, ahead_samples

EARLY_SECONDS = 0.15  # before its last moment that a quick change is taken up
PLACES_MAX = 64  # taken up in one turn

Act = Callable[[Command, Transport], None]
Remake = Callable[[StreamRenderer, Transport, int, LaneSettings], None]  # from an own sample on, with these settings


class CommandScheduler:
    """One lane's commands; `remake`, `begin` and `end` do what they say."""

    def __init__(
        self, lane: Lane, pace: LaneTiming, renewal: Renewal, levels: Levels, remake: Remake, begin: Act, end: Act
    ) -> None:
        self._lane, self._pace, self._renewal, self._levels = lane, pace, renewal, levels
        self._remake, self._begin, self._end = remake, begin, end
        self.commands, self.times = Commands(), Times()
        self.base = lane.settings  # as of this turn
        self._base_made = self.base  # that the music of now is made with
        self._fresh: list[Command] = []  # in the settings, not in the music yet
        self._early: list[Command] = []  # begin with the play that is being begun
        self._before: Transport | None = None

    # -- commands come --------------------------------------------------------------------------------

    def add(self, command: Command, transport: Transport) -> Due:
        """A change, a play or a stop for later; where it will be heard."""
        due = command.aim(transport, self.margin_samples(command, transport))
        self.commands.wait(command)
        if command.then is not None:
            self.commands.wait(command.then)
        return due

    def margin_samples(self, command: Command, transport: Transport) -> int:
        """How far ahead of the host it must come to be in time."""
        seconds = self._pace.quick_seconds if command.at != NOW else SOON_SECONDS
        if command.order is not None or self._is_slow(command):
            seconds = self._pace.margin_seconds
        return int(seconds * transport.sample_rate_hz)

    def _is_slow(self, command: Command) -> bool:
        """Whether music must be made anew for it."""
        before = self.commands.settings(self.base)
        return command.update is not None and command.update(before).heard() != before.heard()

    def cancel(self, which: int, player: StreamRenderer | None, transport: Transport) -> int:
        """Take back what waits, or is made and still far enough ahead; how many there were."""
        mine = [each for each in self.commands.waiting if which in (0, each.id)]
        count = self.commands.take_back(mine, Overtaken("it was cancelled"))
        if player is None:
            return count
        ready = transport.position_samples - player.place.zero_samples + self._margin(transport)
        gone = [
            each for each in self.commands.made
            if which in (0, each.id) and each.update is not None and not each.settled and (each.own or 0) >= ready
        ]  # fmt: skip
        if gone:
            own = min(each.own or 0 for each in gone)
            self.commands.made = [each for each in self.commands.made if each not in gone]
            self._make_anew(player, transport, own)
        return count + len(gone)

    def take_back_behind(self, stop: Command, error: Exception) -> None:
        """A stop takes back what was scheduled for its place or later, or is not on the host's way."""
        later = [each for each in self.commands.waiting if each.ahead is None or each.ahead >= (stop.ahead or 0)]
        self.commands.take_back([each for each in later if each is not stop], error)

    def _margin(self, transport: Transport) -> int:
        return int(self._pace.margin_seconds * transport.sample_rate_hz) if transport.playing else 0

    # -- every turn -----------------------------------------------------------------------------------

    def turn(self, player: StreamRenderer | None, transport: Transport) -> bool:
        """Look where the host is, take up what is due; True when the stream was made anew from some place."""
        self.base, news = self._lane.look()
        self._fresh = newest(self._fresh + news)
        self._go_with(player, transport)
        if player is None:
            self._fresh.clear()
            self._begin_waiting(transport)
            return False
        anew = False
        for _ in range(PLACES_MAX):
            found = self._due_first(player, transport)
            if found is None:
                break
            command, own = found
            if command.update is None:
                self.commands.waiting.remove(command)
                (self._begin if command.order else self._end)(command, transport)
                return anew
            anew |= self._take_up(player, transport, own)
        self._fresh = self._levels.follow(player, transport, self.base, self.commands, self._fresh)
        return anew

    def _begin_waiting(self, transport: Transport) -> None:
        """A play that waited for the end of the music before it gets ready."""
        plays = [each for each in self.commands.waiting if each.order is not None and each.ahead is not None]
        if plays:
            first = min(plays, key=lambda each: each.ahead or 0)
            self.commands.waiting.remove(first)
            self._begin(first, transport)

    def _go_with(self, player: StreamRenderer | None, transport: Transport) -> None:
        before, self._before = self._before, transport
        if before is None or before is transport:
            return
        advanced = advanced_samples(before, transport)
        if advanced is None:
            self.commands.jumped(transport, self._margin(transport))
            return
        for command in self.commands.passed(advanced, transport):
            if command.update is not None and player is None:
                self.commands.waiting.remove(command)
                self.base = self._lane.update(command.update)
            elif command.update is None and command.order is None:
                self.commands.waiting.remove(command)
                self._end(command, transport)
            else:  # the music was not made in time: it goes to the next such place
                command.aim(transport, self.margin_samples(command, transport))

    def _due_first(self, player: StreamRenderer, transport: Transport) -> tuple[Command, int] | None:
        """The nearest command that can be taken up, and its own sample."""
        due: list[tuple[int, int, Command]] = []
        for number, command in enumerate(self.commands.waiting):
            own = self.own(command, player, transport)
            if own is not None and self._is_due(command, own, player, transport):
                due.append((own, number, command))
        if not due:
            return None
        own, _, command = min(due, key=lambda each: each[:2])
        return command, own

    def own(self, command: Command, player: StreamRenderer, transport: Transport) -> int | None:
        """The stream's sample on its place, None where the host does not get there."""
        ahead = ahead_samples(command.due, transport)
        if ahead is None:
            return None
        here = transport.position_samples - player.place.zero_samples
        if transport.position_samples + ahead == transport.grid.sample_at(command.due.beats):  # in this pass
            return player.place.line.sample_at(command.due.beats) - player.place.zero_samples
        return here + ahead

    def _is_due(self, command: Command, own: int, player: StreamRenderer, transport: Transport) -> bool:
        covered = own <= player.made_own
        if command.order is not None:
            return covered or player.finished
        ahead = (own - (transport.position_samples - player.place.zero_samples)) / transport.sample_rate_hz
        if self._is_slow(command):
            rests = self._renewal.rests(ahead, self._pace.margin_seconds)
            return covered and own < player.end_own and not rests
        return ahead <= self._pace.quick_seconds + EARLY_SECONDS

    def _take_up(self, player: StreamRenderer, transport: Transport, own: int) -> bool:
        """Every change for one place, together."""
        self.commands.unmake(own)
        together = [
            each for each in self.commands.waiting
            if each.update is not None and self.own(each, player, transport) == own
        ]  # fmt: skip
        self.commands.make(together, own)
        if self.commands.settings(self.base).heard() == player.settings.heard():
            return False
        self._make_anew(player, transport, own)
        return True

    def _make_anew(self, player: StreamRenderer, transport: Transport, own: int) -> None:
        settings = self.commands.settings(self.base)
        if settings.heard() != player.settings.heard():
            self._remake(player, transport, own, settings)
            self.made_anew(player, own)

    # -- the stream -----------------------------------------------------------------------------------

    def settings_from(self, own: int) -> LaneSettings:
        """What is to be heard from an own sample on, where the stream is made anew; later changes wait again."""
        self.commands.unmake(own)
        self._base_made = self.base
        return self.commands.settings(self.base)

    def settings(self) -> LaneSettings:
        """What is to be heard at the end of what is made."""
        return self.commands.settings(self.base)

    def changed(self, player: StreamRenderer) -> bool:
        """Whether something else is to be heard, from as soon as can be, than what is made."""
        told = self.base is not self._base_made and self.base.heard() != self._base_made.heard()
        return told or player.settings.heard() != self.settings().heard()

    def made_anew(self, player: StreamRenderer, own: int) -> None:
        """The stream was made anew from an own sample: what was told "now" is heard from there."""
        if not self.changed(player):
            slow = [each for each in self._fresh if each.slow]
            self._fresh = [each for each in self._fresh if not each.slow]
            self.commands.make(slow, own)

    def look_back(self, player: StreamRenderer) -> None:
        """What was told "now" and changed nothing in the end is not told of."""
        if self._fresh and not self.changed(player):
            self._fresh = [each for each in self._fresh if not each.slow]

    def settings_for(self, play: Command, before: StreamRenderer | None, transport: Transport) -> LaneSettings:
        """What a play begins with: also what waits for its place, or for one before it."""
        if before is not None:
            self.commands.unmake(self.own(play, before, transport) or 0)
        self.base, news = self._lane.look()
        self._fresh = newest(self._fresh + news)
        start = ahead_samples(play.due, transport) or 0
        for command in self.commands.waiting:
            command.ahead = ahead_samples(command.due, transport)
        waiting = [each for each in self.commands.waiting if each.update is not None and each.ahead is not None]
        self._early = [each for each in waiting if each.ahead is not None and each.ahead <= start]
        settings = self.commands.settings(self.base)
        for command in self._early:
            settings = command.applied(settings)
        return settings

    def begins(
        self, play: Command, player: StreamRenderer, before: StreamRenderer | None, transport: Transport
    ) -> None:
        """A play's player begins, after another one or none."""
        if before is not None:
            self.commands.shift(before.place.zero_samples - player.place.zero_samples)
        start = player.place.unheard_samples
        self.commands.make([*self._early, *self._fresh, play], start)
        self._early, self._fresh = [], []
        self._base_made = self.base

    def handed_over(self) -> None:
        """Another model's player goes on, with the settings as they are."""
        self.base, news = self._lane.look()
        self._fresh = newest(self._fresh + news)
        self._base_made = self.base

    def hear(self, player: StreamRenderer | None, transport: Transport) -> None:
        """Tell of the commands whose place the host has come to."""
        if player is None or not transport.playing or transport.timeline != player.place.timeline:
            return
        zero = player.place.zero_samples
        here = transport.position_samples - zero
        self.commands.postpone(here, player.written_own)
        for command in self.commands.heard(here):
            if command.update is not None and not command.settled:
                self.base = self._lane.update(command.update)
                self._base_made = command.update(self._base_made)
            self._told_heard(command, player)
        self._levels.passed(player, here)

    def _told_heard(self, command: Command, player: StreamRenderer) -> None:
        own = command.own or 0
        named = command.update is not None and not command.settled
        beats = float(command.due.beats) if named else player.score.beats_at(own)
        at_seconds = self._lane.clock.was_at_seconds(player.place.zero_samples + own)
        seconds = max(0.0, at_seconds - command.arrived_seconds)
        if command.address:
            self.times.add(command.kind, seconds)
            self._lane.on_heard(self._lane, command.id, command.address, beats, seconds)
