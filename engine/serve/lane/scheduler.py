"""Schedules a lane's commands: applies each in time, sends an event when it is heard. All [generate].

    change of conditioning   once the music up to its due beat is made: it is regenerated from there
    mute, level              shortly before its due beat: made music is written again, louder or softer;
                             a held bar of the host follows as well
    play                     once the music before it is made; stop: shortly before its due beat
    immediate ("now")        changes the settings when it arrives, and is heard as soon as possible

Only the scheduler changes the lane's settings: when an immediate command arrives, and when another one is heard.

Commands with one due beat are applied together. One that is made but not heard waits again when the stream is
regenerated from before its due beat, and when the host jumps.
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import ref

from bridge.control.arguments import NOW
from bridge.time.transport import Transport
from engine.serve.faults import Overtaken
from engine.serve.lane.command import Command
from engine.serve.lane.commands import Commands, Times, newest
from engine.serve.lane.fitting import ends_before_a_pass
from engine.serve.lane.lane import Lane
from engine.serve.lane.levels import SOON_SECONDS, Levels, gain_points
from engine.serve.lane.meeting import held
from engine.serve.lane.renewal import Renewal
from engine.serve.lane.timing import LaneTiming
from engine.serve.lane_settings import LaneSettings, Update
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.timeline.due import Due, advanced_samples, ahead_samples, due_at
from engine.serve.timeline.phase_in import unheard_seconds
from engine.serve.timeline.placement import FIRST
from engine.serve.timeline.samples import HostSample, StreamSample, position_of

EARLY_SECONDS = 0.15  # before its last moment that a quick change is applied
PLACES_MAX = 64  # due beats applied in one turn
TRIES = 8  # to find a play's first due beat that leaves the time to begin there

Act = Callable[[Command, Transport], None]
Remake = Callable[[StreamRenderer, Transport, StreamSample, LaneSettings], None]  # from there on, with these settings


class CommandScheduler:
    """One lane's commands; `remake`, `begin` and `end` carry them out; `end` takes back a play not heard, too."""

    def __init__(
        self, lane: Lane, timing: LaneTiming, renewal: Renewal, levels: Levels, remake: Remake, begin: Act, end: Act
    ) -> None:
        self._lane, self._timing, self._renewal, self._levels = lane, timing, renewal, levels
        self._remake, self._begin, self._end = remake, begin, end
        self.commands, self.times = Commands(), Times()
        self._base_made = self.base  # the settings of the music being made
        self._fresh: list[Command] = []  # immediate: in the settings, not in the music yet
        self._early: list[Command] = []  # take effect with the play that is being begun
        self._before: Transport | None = None
        self._renderer: ref[StreamRenderer] | None = None
        self._alone: Command | None = None  # the play that began the renderer, if no music was before it

    @property
    def base(self) -> LaneSettings:
        """The lane's settings: those at the host position, with all immediate changes."""
        return self._lane.settings

    def change_settings(self, update: Update) -> LaneSettings:
        """Change the lane's settings, for a scheduled command."""
        self._lane.settle(update(self._lane.settings))
        return self._lane.settings

    # -- commands come --------------------------------------------------------------------------------

    def add(self, command: Command, transport: Transport) -> Due:
        """Add a change, a play or a stop; returns its due beat."""
        if command.immediate:
            depth = self._lane.submit(command)
            self.take_pending()
            return self._lane.place_now(depth)
        command.aim(transport, self.margin_samples(command, transport))
        self.commands.wait(command)
        if command.then is not None:
            self.commands.wait(command.then)
        if command.group is not None:
            command.group.gather(self, command)
        return command.due

    def take_pending(self) -> None:
        """Apply immediate commands to the settings; those that make a difference in the music are to be heard."""
        pending, settings = self._lane.take_pending(), self.base
        for command in pending:
            before, settings = settings, command.enter(settings)
            if command.slow or before.gain != settings.gain:
                self._fresh = newest([*self._fresh, command])
        if pending:
            self._lane.settle(settings)

    def move_to(self, command: Command, due: Due) -> None:
        """Move a command of a group to a later due beat, unless it is too late to stop it from being heard."""
        transport = self._lane.clock.or_standing()
        renderer = None if self._renderer is None else self._renderer()
        if command in self.commands.made and command.stream_sample is not None and renderer is not None:
            here = transport.position_samples - renderer.placement.zero_samples
            soon = command is self._alone or self.base.goes_on(command.update)
            seconds = SOON_SECONDS if soon else self._timing.margin_seconds
            ready = here + int(seconds * transport.sample_rate_hz * transport.playing)
            if (command.update is None and command is not self._alone) or command.stream_sample < ready:
                return
            stream_sample = command.stream_sample
            if command is self._alone:
                self.commands.unmake(StreamSample(stream_sample - 1))
                self.commands.unlist(each for each in list(self.commands.made) if each.immediate)
                self.commands.wait_last(command)
                self._end(command, transport)
            else:
                self.commands.wait_last(command)
                self._make_anew(renderer, transport, stream_sample)
        if command in self.commands.waiting:
            command.go_to(due, transport)

    def margin_samples(self, command: Command, transport: Transport) -> int:
        """How far ahead of the host a command must come to be in time; 0 for a host that waits for its music."""
        if self._lane.waits:
            return 0
        seconds = self._timing.quick_seconds if command.at != NOW else SOON_SECONDS
        if command.order is not None:
            seconds = self._begin_seconds(command, transport)
            command.order.need(seconds)
        elif self._is_slow(command):
            seconds = self._timing.margin_seconds
        return int(seconds * transport.sample_rate_hz)

    def _begin_seconds(self, play: Command, transport: Transport) -> float:
        """How far ahead a play must come; includes the unheard music that lines up its bar."""
        settings = self.commands.settings(self._lane.settings)
        for command in self.commands.waiting:
            settings = command.applied(settings)
        region = settings.continued
        seconds = self._timing.begin_seconds(region is not None)
        for _ in range(TRIES):
            due = due_at(play.at, transport, int(seconds * transport.sample_rate_hz))
            before, unheard = seconds, unheard_seconds(region, due.beats, transport.grid)
            seconds = max(before, self._timing.begin_seconds(region is not None, unheard))
            if seconds == before:
                break
        return seconds

    @property
    def lead_seconds(self) -> float:
        """How far ahead the music before a waiting play must be made."""
        return max((each.order.needs_seconds for each in self.commands.waiting if each.order is not None), default=0.0)

    def _is_slow(self, command: Command) -> bool:
        """Whether the command regenerates music."""
        before = self.commands.settings(self.base)
        return command.update is not None and command.update(before).regenerating() != before.regenerating()

    def cancel(self, which: int, renderer: StreamRenderer | None, transport: Transport) -> int:
        """Cancel commands that wait, or are made and still far enough ahead; returns how many."""
        mine = [each for each in self.commands.waiting if which in (0, each.id)]
        count = self.commands.take_back(mine, Overtaken("it was cancelled"))
        if renderer is None:
            return count
        margin = self._timing.margin_seconds * transport.sample_rate_hz * transport.playing
        ready = transport.position_samples - renderer.placement.zero_samples + int(margin)
        gone = [
            each for each in self.commands.changes()
            if which in (0, each.id) and (each.stream_sample or 0) >= ready
        ]  # fmt: skip
        if gone:
            stream_sample = StreamSample(min(each.stream_sample or 0 for each in gone))
            self.commands.unlist(gone)
            self._make_anew(renderer, transport, stream_sample)
        return count + len(gone)

    def take_back_behind(self, stop: Command, error: Exception) -> None:
        """A stop cancels commands due at its beat or later, or on beats the host will not reach; a mute still ends."""
        later = [each for each in self.commands.waiting if each.ahead is None or each.ahead >= (stop.ahead or 0)]
        ended = [each.then for each in later if each.then is not None]
        gone = [each for each in later if each is not stop and (not each.ends or each in ended)]
        self.commands.take_back(gone, error)

    # -- every turn -----------------------------------------------------------------------------------

    def turn(self, renderer: StreamRenderer | None, transport: Transport) -> bool:
        """Follow the host and apply what is due; True when music was regenerated."""
        self.take_pending()
        self._renderer = ref(renderer) if renderer is not None else None
        self.send_heard(renderer, transport)
        self._go_with(renderer, transport)
        if renderer is None:
            self._fresh.clear()
            self._levels.publish(self._lane.ring, None, transport, self.base)
            self._begin_waiting(transport)
            return False
        anew = False
        for _ in range(PLACES_MAX):
            found = self._due_first(renderer, transport)
            if found is None:
                break
            command, stream_sample = found
            if command.update is None:
                (self._begin if command.order else self._end)(self.commands.take(command), transport)
                return anew
            anew |= self._take_up(renderer, transport, stream_sample)
        self._fresh = self._levels.follow(renderer, transport, self.base, self.commands, self._fresh)
        self._levels.publish(self._lane.ring, renderer, transport, self.base, self._gains_to_come(renderer, transport))
        return anew

    def _gains_to_come(self, renderer: StreamRenderer, transport: Transport) -> list[tuple[StreamSample, float]]:
        """The fader's changes by waiting commands: stream sample, gain from there on."""
        placed: list[tuple[StreamSample, int, Command]] = []
        for number, command in enumerate(self.commands.waiting):
            stream_sample = self.stream_sample(command, renderer, transport)
            if command.update is not None and stream_sample is not None:
                placed.append((stream_sample, number, command))
        in_order = sorted(placed, key=lambda each: each[:2])
        return gain_points(self.commands.settings(self.base), [(at, each) for at, _, each in in_order])

    def _begin_waiting(self, transport: Transport) -> None:
        """Begin the first play that waited for the end of the music before it."""
        plays = [each for each in self.commands.waiting if each.order is not None and each.ahead is not None]
        if plays:
            first = min(plays, key=lambda each: each.ahead or 0)
            self._begin(self.commands.take(first), transport)

    def _go_with(self, renderer: StreamRenderer | None, transport: Transport) -> None:
        before, self._before = self._before, transport
        if before is None or before is transport:
            return
        advanced = advanced_samples(before, transport)
        if advanced is None:
            self.commands.jumped(transport, self.margin_samples)
            return
        for command in self.commands.passed(advanced, transport):
            if command.update is not None and renderer is None:
                self.commands.take(command)
                self.change_settings(command.update)
            elif renderer is not None and not held(command) and self.base.goes_on(command.update):  # as a held bar did
                self.commands.make([command], renderer.placement.stream_of(position_of(transport)))
            elif command.update is None and command.order is None and not held(command):
                self._end(self.commands.take(command), transport)
            else:  # the music was not made in time: due on the next such beat
                command.aim(transport, self.margin_samples(command, transport))

    def _due_first(self, renderer: StreamRenderer, transport: Transport) -> tuple[Command, StreamSample] | None:
        """The nearest command that can be applied, and its stream sample."""
        due: list[tuple[StreamSample, int, Command]] = []
        for number, command in enumerate(self.commands.waiting):
            stream_sample = self.stream_sample(command, renderer, transport)
            if stream_sample is not None and self._is_due(command, stream_sample, renderer, transport):
                due.append((stream_sample, number, command))
        if not due:
            return None
        stream_sample, _, command = min(due, key=lambda each: each[:2])
        return command, stream_sample

    def stream_sample(self, command: Command, renderer: StreamRenderer, transport: Transport) -> StreamSample | None:
        """The stream sample on its due beat, None if the host will not reach it."""
        ahead = None if held(command) else ahead_samples(command.due, transport)
        if ahead is None:
            return None
        if transport.position_samples + ahead == transport.grid.sample_at(command.due.beats):  # in this pass
            return renderer.placement.stream_of(renderer.placement.curve.sample_at(command.due.beats))
        return renderer.placement.stream_of(HostSample(transport.position_samples + ahead))

    def _is_due(
        self, command: Command, stream_sample: StreamSample, renderer: StreamRenderer, transport: Transport
    ) -> bool:
        covered = stream_sample <= renderer.output.stream_made
        if command.order is not None:
            return covered or (renderer.output.finished and not ends_before_a_pass(renderer, stream_sample))
        ahead = (stream_sample - renderer.placement.stream_of(position_of(transport))) / transport.sample_rate_hz
        if self._is_slow(command):
            rests = self._renewal.rests(ahead, self._timing.margin_seconds)
            return covered and stream_sample < renderer.output.stream_end and not rests
        return ahead <= self._timing.quick_seconds + EARLY_SECONDS

    def _take_up(self, renderer: StreamRenderer, transport: Transport, stream_sample: StreamSample) -> bool:
        """Apply all changes for one stream sample together."""
        self.commands.unmake(stream_sample)
        together = [
            each for each in self.commands.waiting
            if each.update is not None and self.stream_sample(each, renderer, transport) == stream_sample
        ]  # fmt: skip
        self.commands.make(together, stream_sample)
        if self.commands.settings(self.base).regenerating() == renderer.settings.regenerating():
            return False
        self._make_anew(renderer, transport, stream_sample)
        return True

    def _make_anew(self, renderer: StreamRenderer, transport: Transport, stream_sample: StreamSample) -> None:
        settings = self.commands.settings(self.base)
        if settings.regenerating() != renderer.settings.regenerating():
            self._remake(renderer, transport, stream_sample, settings)
            self.made_anew(renderer, stream_sample)

    # -- the stream -----------------------------------------------------------------------------------

    def settings_from(self, stream_sample: StreamSample) -> LaneSettings:
        """The settings from a stream sample on, where the stream is regenerated; later changes wait again."""
        self.commands.unmake(stream_sample)
        self._base_made = self.base
        return self.commands.settings(self.base)

    def settings(self) -> LaneSettings:
        """The settings at the end of made music."""
        return self.commands.settings(self.base)

    def changed(self, renderer: StreamRenderer) -> bool:
        """Whether made music is out of date with the settings."""
        behind = self.base is not self._base_made and self.base.regenerating() != self._base_made.regenerating()
        return behind or renderer.settings.regenerating() != self.settings().regenerating()

    def made_anew(self, renderer: StreamRenderer, stream_sample: StreamSample) -> None:
        """The stream was regenerated from a stream sample on: immediate commands are heard from there."""
        if not self.changed(renderer):
            slow = [each for each in self._fresh if each.slow]
            self._fresh = [each for each in self._fresh if not each.slow]
            self.commands.make(slow, stream_sample)

    def look_back(self, renderer: StreamRenderer) -> None:
        """Drop immediate commands that changed nothing: they send no event."""
        if self._fresh and not self.changed(renderer):
            self._fresh = [each for each in self._fresh if not each.slow]

    def settings_for(self, play: Command, before: StreamRenderer | None, transport: Transport) -> LaneSettings:
        """The settings a play begins with, those of commands due by then included."""
        if before is not None:
            self.commands.unmake(self.stream_sample(play, before, transport) or FIRST)
        self.take_pending()
        start = ahead_samples(play.due, transport) or 0
        for command in self.commands.waiting:
            command.look(transport)
        waiting = [each for each in self.commands.waiting if each.update is not None and each.ahead is not None]
        self._early = [each for each in waiting if each.ahead is not None and each.ahead <= start]
        settings = self.commands.settings(self.base)
        for command in self._early:
            settings = command.applied(settings)
        return settings

    def begins(
        self, play: Command, renderer: StreamRenderer, before: StreamRenderer | None, transport: Transport
    ) -> None:
        """Begin a play's renderer, after another one or none."""
        if before is not None:
            self.commands.shift(before.placement.zero_samples - renderer.placement.zero_samples)
        start = renderer.placement.unheard_samples
        self._renderer, self._alone = ref(renderer), play if before is None else None
        self.commands.make([*self._early, *self._fresh, play], start)
        self._early, self._fresh, self._base_made = [], [], self.base

    def wait_again(self, transport: Transport) -> None:
        """The stream failed and is retried: commands not heard wait for their beat, or for the new music."""
        self.commands.jumped(transport, self.margin_samples)
        self.commands.sound_anew(FIRST)

    def handed_over(self) -> None:
        """Another model's renderer goes on with the current settings."""
        self.take_pending()
        self._base_made = self.base

    def send_heard(self, renderer: StreamRenderer | None, transport: Transport) -> None:
        """Send events for the commands that the host has reached."""
        if renderer is None or not transport.playing or transport.seek_id != renderer.placement.seek_id:
            return
        here = renderer.placement.stream_of(position_of(transport))
        self.commands.postpone(here, renderer.output.stream_written, self.base)
        for command in self.commands.heard(here):
            if command.scheduled and command.update is not None:
                self.change_settings(command.update)
                self._base_made = command.update(self._base_made)
            self._send_heard(command, renderer)
        renderer.output.fader.passed(here)

    def _send_heard(self, command: Command, renderer: StreamRenderer) -> None:
        stream_sample = StreamSample(command.stream_sample or 0)
        beats = float(command.due.beats) if command.scheduled else renderer.output.beat_map.beats_at(stream_sample)
        at_seconds = self._lane.clock.was_at_seconds(renderer.placement.host_of(stream_sample))
        seconds = max(0.0, at_seconds - command.arrived_seconds)
        if command.address:
            self.times.add(command.kind, seconds)
            self._lane.events.command_heard(self._lane, command.id, command.address, beats, seconds)
