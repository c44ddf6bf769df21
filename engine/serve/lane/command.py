"""One command of a lane: what was asked for, set once, and where it stands on its way, which only its methods change.

arrives ---> scheduled: waits for its beat ---> made: audible from a stream sample on ---> heard: event sent, settings
                 ^-- a jump, a cut before it --|                                                          changed
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction

from bridge.control.arguments import NOW, At
from bridge.time.transport import Transport
from engine.serve.lane.meeting import Arrival, Meeting
from engine.serve.lane_settings import Depth, LaneSettings, Update
from engine.serve.timeline.due import Due, ahead_samples, due_at, passes_ahead
from engine.serve.timeline.phase_in import PhaseIn
from engine.serve.timeline.samples import StreamSample

Begun = Callable[[float, int, int, int, float], object]  # start_beats, generation, seed, late, needs_seconds
Failed = Callable[[Exception], object]


@dataclass(eq=False)
class PlayOrder:
    """A play command with its start and end in beats; all [generate].

    Answered once: `begun` with its first block in the ring, or `failed`.
    """

    start_beats: Fraction
    end_beats: Fraction | None
    seed: int
    ordered_seconds: float
    begun: Begun
    failed: Failed
    answered: bool = field(init=False, default=False)
    needs_seconds: float = field(init=False, default=0.0)  # how far ahead of the host it must come
    beginning: PhaseIn = field(init=False, default_factory=PhaseIn)  # the audio prompt
    late: bool = field(init=False, default=False)  # the beat asked for was missed
    seek_id: int = field(init=False, default=0)  # the host's when it begins, if its loop leads there

    def begin(self, generation: int) -> None:
        """Answer that it plays."""
        if not self.answered:
            self.answered = True
            self.begun(float(self.start_beats), generation, self.seed, int(self.late), self.needs_seconds)

    def fail(self, error: Exception) -> None:
        """Answer that it failed, unless already answered."""
        if not self.answered:
            self.answered = True
            self.failed(error)

    def move_to(self, start_beats: Fraction, seek_id: int, late: bool = False) -> None:
        """Move the start, to the pass of the host's loop with that seek id; the length stays."""
        self.seek_id, self.late = seek_id, late
        if self.end_beats is not None:
            self.end_beats += start_beats - self.start_beats
        self.start_beats = start_beats

    def end_at(self, beats: Fraction | None) -> None:
        """Set the end, None for endless."""
        self.end_beats = beats

    def need(self, seconds: float) -> None:
        """Set how long it needs to its first block."""
        self.needs_seconds = seconds

    def continue_from(self, beginning: PhaseIn) -> None:
        """Set the audio prompt."""
        self.beginning = beginning


@dataclass(eq=False)
class Command:
    """A command and its time: a change of settings (`update`), a play (`order`), or with neither a stop.

    `about`: what it sets; a newer immediate command with the same `about` that is heard no later replaces an older one.
    `past`: a play that begins on its beat even if the host is past it. With `undo`, its end is a command too, `then`,
    due `length_beats` after it. `ends`: it is such an end.

    `immediate`: has no due beat, changes the settings at once, is heard as soon as possible; `scheduled`: a change with
    a due beat. Then where it stands, [generate]: `due`; `ahead`, samples from the host to its due beat at the last
    turn, None if the host will not reach it; `fresh`: its due beat is newer than that; `stream_sample`: from which it
    is audible, None while it waits; `slow`: it regenerates music.
    """

    at: At = NOW
    id: int = 0
    address: str = ""
    update: Update | None = None
    order: PlayOrder | None = None
    about: str = ""
    past: bool = False
    undo: Update | None = None
    length_beats: Fraction = Fraction(0)
    ends: bool = False
    meeting: Meeting | None = None  # with those sent together with it
    arrival: Arrival | None = None  # at the meeting, of a command whose region is still being read
    arrived_seconds: float = field(kw_only=True)

    immediate: bool = field(init=False)
    scheduled: bool = field(init=False)
    then: Command | None = field(init=False, default=None)
    due: Due = field(init=False, default_factory=lambda: Due(Fraction(0)))
    ahead: int | None = field(init=False, default=None)
    fresh: bool = field(init=False, default=True)
    stream_sample: StreamSample | None = field(init=False, default=None)
    slow: bool = field(init=False, default=False)
    _joined: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        if self.undo is not None:
            named = self.at, self.id, self.address, self.undo
            about = f"{self.about}'s end"
            self.then = Command(*named, about=about, ends=True, arrived_seconds=self.arrived_seconds)
        now = self.at == NOW and self.then is None and not self.ends
        self.immediate = self.update is not None and now
        self.scheduled = self.update is not None and not now

    def doing(self, update: Update) -> Command:
        """The command with its change of settings, before it is scheduled.  [any]"""
        return replace(self, update=update)

    def playing(self, order: PlayOrder) -> Command:
        """The command with its play, before it is scheduled.  [generate]"""
        return replace(self, order=order)

    @property
    def explicit(self) -> bool:
        """Whether it names a beat or bar; else it means the next one, wherever the host jumps.  [any]"""
        return not self.at.word or self.at.bar is not None

    @property
    def kind(self) -> str:
        """The kind in one word: prompt, region, play, ...  [any]"""
        parts = self.address.strip("/").split("/")
        word = parts[-1] if parts else ""
        return "region" if parts[1:2] == ["region"] and word != "clear" else word or "change"

    def changed(self, settings: LaneSettings) -> LaneSettings:
        """The settings with this change.  [any]"""
        return settings if self.update is None else self.update(settings)

    def applied(self, settings: LaneSettings) -> LaneSettings:
        """The lane's settings from its due beat on; they contain immediate changes already.  [any]"""
        return settings if self.immediate else self.changed(settings)

    # -- on its way, [generate] -----------------------------------------------------------------------

    @property
    def group(self) -> Meeting | None:
        """The meeting that gave it its due beat.  [generate]"""
        return self.meeting if self._joined else None

    def enter(self, settings: LaneSettings) -> LaneSettings:
        """The settings with this immediate change; notes whether it regenerates music.  [generate]"""
        after = self.changed(settings)
        self.slow = settings.depth(after) > Depth.SOUND
        return after

    def aim(self, transport: Transport, margin_samples: int) -> Due:
        """Set and return the due beat for a host at `transport`.  [generate]"""
        if self.past and self.explicit:
            due = Due(self.at.resolve(transport.grid, transport.position_samples))
        else:
            due = due_at(self.at, transport, margin_samples)
            if self.meeting is not None and not self._joined:
                due = self.meeting.join(due, transport, margin_samples)
                self._joined = True
        self.go_to(Due(due.beats, due.late or self.due.late, due.seek_id), transport)
        return self.due

    def go_to(self, due: Due, transport: Transport) -> None:
        """Take effect at `due`.  [generate]"""
        self.due, self.ahead, self.fresh = due, ahead_samples(due, transport), True
        self._place(transport)
        if self.then is not None:
            self.then.end_on(self._end(transport), transport)

    def _place(self, transport: Transport) -> None:
        """A play begins on the due beat, in the pass of the host's loop in which that lies."""
        if self.order is not None:
            passes = 0 if self.past and self.explicit else passes_ahead(self.due, transport)
            self.order.move_to(self.due.beats, transport.seek_id + passes, self.due.late)

    def _end(self, transport: Transport) -> Due:
        """The due beat `length_beats` after this one, counted through the host's loop."""
        begin, after = (transport.grid.sample_at(self.due.beats + beats) for beats in (0, self.length_beats))
        found = Due(self.due.beats + self.length_beats)
        if self.ahead is not None:
            wrapped = due_at(NOW, replace(transport, playing=True), self.ahead + after - begin)
            found = found if transport.grid.sample_at(wrapped.beats) == after else wrapped
        return found

    def end_on(self, due: Due, transport: Transport) -> None:
        """The command that this one ends has its due beat.  [generate]"""
        self.at = At(beats=float(due.beats))
        self.go_to(due, transport)

    def look(self, transport: Transport) -> None:
        """Count anew how far the host is from the due beat.  [generate]"""
        self.ahead = ahead_samples(self.due, transport)

    def jump(self, transport: Transport, margin_samples: Callable[[Command, Transport], int]) -> None:
        """The host has jumped: an explicit command waits for its beat, another is due on the next one from here.

        [generate]
        """
        self.due = Due(self.due.beats, self.due.late)
        if self.explicit:
            self.look(transport)
            self._place(transport)
        else:
            self.aim(transport, margin_samples(self, transport))

    def pass_by(self, advanced_samples: int, transport: Transport) -> bool:
        """Follow the host; returns whether it has passed the due beat of this waiting command.  [generate]"""
        ahead = ahead_samples(self.due, transport)
        past = ahead is None if self.fresh else 0 < advanced_samples >= (self.ahead or 0)
        gone, self.fresh = past and self.ahead is not None, False
        if not gone:
            self.ahead = ahead
        return gone

    def pass_made(self, advanced_samples: int, transport: Transport) -> None:
        """Follow the host with a command that is made; once its due beat is passed, `ahead` is 0.  [generate]"""
        past = self.ahead is not None and 0 < advanced_samples >= self.ahead
        self.ahead = 0 if past else ahead_samples(self.due, transport)

    def sound_from(self, stream_sample: StreamSample | None) -> None:
        """Set from where it is audible; None: it waits.  [generate]"""
        self.stream_sample = stream_sample
