"""The state of engine and lanes as values of the table's rows, from what threads publish anyway: immutable values.

Nothing here asks [generate] anything. A state is a tuple of (row, values); the same object while nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bridge.control import state_rows as rows
from bridge.control.arguments import Message
from bridge.control.parameters import PARAMETERS
from bridge.errors import SegueError
from bridge.time import units
from bridge.time.transport import Transport
from engine.serve.control.feed.beats import Beats
from engine.serve.control.feed.meter import SILENT, Meter
from engine.serve.control.open_lanes import OpenLanes
from engine.serve.lane.commands import in_order, listed
from engine.serve.lane.lane import Lane
from engine.serve.models.loader import Loader
from engine.serve.state import EngineState
from engine.serve.timeline.due import ahead_samples

LOOK_SECONDS = 0.25  # between two checks whether a host plays
TEXT_BYTES_MAX = 900  # of one text: a datagram stays under 1,400
Values = tuple[object, ...]
States = tuple[tuple[Message, Values], ...]
Key = tuple[str, int]  # kind of state, lane; -1 for the engine as a whole
ENGINE = -1
NO_WORK: Values = ("loading", "", 0, 0, "")


@dataclass(frozen=True)
class Reported:
    """What other programs reported last: takes made, and the progress of their work by its kind.  [any]"""

    take: Values = (0, 0, "", "")  # made, order, name, path
    work: tuple[Values, ...] = ()  # what, name, done, total, text

    def with_take(self, order: int, name: str, path: str) -> Reported:
        """One more take was made.  [control]"""
        return Reported((int(str(self.take[0])) + 1, order, name, path), self.work)

    def with_work(self, what: str, *progress: object) -> Reported:
        """Work has come this far.  [control]"""
        others = tuple(each for each in self.work if each[0] != what)
        return Reported(self.take, (*others, (what, *progress)))


class _LaneSource:
    """What is kept of one lane between two looks.  [feed]"""

    def __init__(self, lane: Lane) -> None:
        self.lane, self.beats = lane, Beats(lane.number)
        self._meter: Meter | None = None
        self._plays = (False, float("-inf"))  # whether a host plays, and when that was asked
        self._values: tuple[object, States] | None = None

    def parameters(self) -> States:
        """The values of all parameters; computed when an order or the view's seed has changed."""
        lane = self.lane
        seen = lane.orders.wanted, lane.orders.next_seed, lane.view.seed, lane.view.excerpt_seconds
        if self._values is None or self._values[0] != seen:
            states = tuple((rows.STATE_PARAMETER, (lane.number, name, lane.value(name))) for name in PARAMETERS)
            self._values = seen, states
        return self._values[1]

    def host_plays(self) -> bool:
        """Whether a host plays the lane; asked four times a second, since it reads about a process."""
        now = self.lane.time.now_seconds()
        if now - self._plays[1] >= LOOK_SECONDS:
            self._plays = self.lane.host_plays(), now
        return self._plays[0]

    def level_db(self, transport: Transport | None) -> tuple[float, float]:
        """Peak and RMS of what is heard."""
        if self._meter is None:
            self._meter = Meter(self.lane.ring.name)
        self._meter.read()
        if transport is None or not self.host_plays():
            return SILENT
        return self._meter.level_db(transport, self.lane.ring.plan)

    def close(self) -> None:
        """Unmap the ring."""
        if self._meter is not None:
            self._meter.close()


class Collector:
    """Looks at engine and lanes. All of it [feed], but `reported`, which [control] replaces as a whole."""

    def __init__(self, state: EngineState, lanes: OpenLanes, loader: Loader) -> None:
        self._state, self._lanes, self._loader = state, lanes, loader
        self.reported = Reported()
        self._sources: dict[int, _LaneSource] = {}
        self._of_engine: dict[str, Callable[[], States]] = {
            "engine": self._engine, "takes": self._takes, "progress": self._progress,
        }  # fmt: skip
        self._of_lane: dict[str, Callable[[_LaneSource, Transport | None], States]] = {
            "lane": _lane, "parameters": lambda source, _: source.parameters(), "time": _time, "levels": _levels,
            "ring": _ring, "pending": _pending,
        }  # fmt: skip

    def report(self, reported: Reported) -> None:
        """Set what other programs reported.  [control]"""
        self.reported = reported

    def look(self, kinds: Iterable[str]) -> dict[Key, States]:
        """The state of these kinds at this moment; a lane that is just being closed is left out."""
        kinds = set(kinds)
        found = {(kind, ENGINE): of() for kind, of in self._of_engine.items() if kind in kinds}
        for source in self._open():
            transport = source.lane.clock.seen()
            for kind, of in self._of_lane.items():
                if kind in kinds:
                    try:
                        found[kind, source.lane.number] = of(source, transport)
                    except (SegueError, ValueError, OSError):  # its ring is being freed
                        continue
        return found

    def beats(self) -> list[tuple[int, Values]]:
        """The beats that have come within reach: lane, values of `state/beat`."""
        found = []
        for source in self._open():
            transport = source.lane.clock.seen()
            if transport is not None:
                found += [(source.lane.number, values) for values in source.beats.turn(transport)]
        return found

    def _open(self) -> list[_LaneSource]:
        lanes = {lane.number: lane for lane in self._lanes}
        for number, source in list(self._sources.items()):
            if lanes.get(number) is not source.lane:
                self._sources.pop(number).close()
        for number, lane in lanes.items():
            if number not in self._sources:
                self._sources[number] = _LaneSource(lane)
        return list(self._sources.values())

    def close(self) -> None:
        """Unmap all rings."""
        for source in self._sources.values():
            source.close()
        self._sources = {}

    # -- the engine -----------------------------------------------------------------------------------

    def _engine(self) -> States:
        now = self._state.now
        name = now.hot.wanted.name if now.hot else ""
        return ((rows.STATE_ENGINE, (now.name, name[:500], now.device, len(self._lanes), now.text[:400])),)

    def _takes(self) -> States:
        return ((rows.STATE_TAKE, self.reported.take),)

    def _progress(self) -> States:
        loading = self._loader.progress()
        values = NO_WORK if loading is None else ("loading", *loading)
        return tuple((rows.STATE_PROGRESS, each) for each in (values, *self.reported.work))


def closed(lane: int) -> States:
    """The state of a lane that was closed.  [any]"""
    return ((rows.STATE_LANE, (lane, "closed", 0, 0, "", 0, 0, "")),)


def _lane(source: _LaneSource, transport: Transport | None) -> States:
    lane = source.lane
    view, wanted = lane.view, lane.wanted
    references = " ".join(sorted(wanted.regions))
    values = (
        lane.number, view.state, view.plan_revision, view.seed, references, int(wanted.muted), int(source.host_plays()),
        view.fault[:400],
    )  # fmt: skip
    return (rows.STATE_LANE, values), (rows.STATE_PROMPT, (lane.number, _clipped(wanted.prompt)))


def _time(source: _LaneSource, transport: Transport | None) -> States:
    if transport is None:
        return ()
    grid, position = transport.grid, transport.position_samples
    bar = grid.bar_at(position)
    beats = grid.beats_at(position)
    in_bar = max(0.0, float(beats - grid.bar_start_beats(bar)))
    meter = grid.signature.numerator, grid.signature.denominator
    values = source.lane.number, int(transport.playing), float(beats), bar, in_bar, grid.tempo_bpm, *meter
    return ((rows.STATE_TIME, (*values, transport.seek_id)),)


def _levels(source: _LaneSource, transport: Transport | None) -> States:
    return ((rows.STATE_LEVELS, (source.lane.number, *source.level_db(transport))),)


def _ring(source: _LaneSource, transport: Transport | None) -> States:
    lane = source.lane
    view, counters = lane.view, lane.ring.host_counters()
    bpm = 120.0 if transport is None else transport.tempo_bpm
    beats = view.fill_seconds * bpm / units.SECONDS_PER_MINUTE
    values = lane.number, 1000 * view.fill_seconds, float(beats), view.written_beats
    return ((rows.STATE_RING, (*values, counters["late_blocks"], counters["underruns"])),)


def _pending(source: _LaneSource, transport: Transport | None) -> States:
    lane = source.lane
    scheduled = in_order(lane.view.scheduled)
    n_waiting, text = listed(scheduled)
    if not scheduled:
        return ((rows.STATE_PENDING, (lane.number, 0, "", "", -1.0, -1.0)),)
    due = scheduled[0].due
    ahead = None if transport is None else ahead_samples(due, transport)
    until = -1.0
    if ahead is not None and transport is not None:
        until = float(units.samples_to_beats(ahead, transport.tempo_bpm, transport.sample_rate_hz))
    values = lane.number, n_waiting, _clipped(text), scheduled[0].kind, float(due.beats), until
    return ((rows.STATE_PENDING, values),)


def _clipped(text: str) -> str:
    whole = text.encode("utf-8", "replace")
    if len(whole) <= TEXT_BYTES_MAX:
        return text
    return whole[: TEXT_BYTES_MAX - 3].decode("utf-8", "ignore") + "..."
