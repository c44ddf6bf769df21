"""What beat each own sample of a stream was laid on: the truth about what is made, whatever the host did since.

    own samples   prompt | place of the start   | after a change of tempo | after a loop's end | ...
                         0                      each entry holds from its first own sample to the next one's

A change of tempo, a jump or a loop's return begins a new entry, so that what a window hears of the music before it
has the beats that it was made for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bridge.time import units
from engine.models.model import FrameGrid, GridLeg
from engine.serve.timeline.placement import StreamPlacement, plain_grid
from engine.serve.timeline.tempo_curve import TempoCurve, TempoSegment

ALWAYS = -(1 << 62)  # before everything
SAME_BEATS = 1e-4
KEPT_SECONDS = 60.0  # of what is behind: more than any window reaches back


@dataclass(frozen=True)
class BeatMapEntry:
    """From own sample `from_own` on the stream was laid on `place`, and moved as a whole since.  [any]"""

    from_own: int
    place: StreamPlacement
    moved_samples: int = 0

    def position(self, own_samples: float) -> float:
        """Where in its pass of the host's timeline an own sample sounds.  [any]"""
        return self.place.zero_samples + self.moved_samples + own_samples

    def beats_at(self, own_samples: float) -> float:
        """Beat of the host at an own sample, in floats.  [any]"""
        return self.place.line.quick_beats(self.place.zero_samples + own_samples)


class BeatMap:
    """The entries of one stream, in order; all [generate]."""

    def __init__(self, place: StreamPlacement, prompt: TempoCurve | None = None) -> None:
        """Begin on `place`; a prompt of another tempo lies on its own line, in the same host samples."""
        self.entries = [BeatMapEntry(ALWAYS, place)]
        if prompt is not None:
            self.entries = [BeatMapEntry(ALWAYS, replace(place, line=prompt)), BeatMapEntry(0, place)]

    def lay(self, from_own: int, place: StreamPlacement) -> None:
        """From an own sample on everything lies on `place`."""
        kept = [entry for entry in self.entries if entry.from_own < from_own]
        if kept and kept[-1].place.same_course(place) and not kept[-1].moved_samples:
            kept[-1] = replace(kept[-1], place=place)
            self.entries = kept
            return
        self.entries = [*kept, BeatMapEntry(from_own, place)]
        oldest = from_own - int(KEPT_SECONDS * place.grid.sample_rate_hz)
        while len(self.entries) > 1 and self.entries[1].from_own < oldest:
            self.entries.pop(0)

    def move(self, by_samples: int) -> None:
        """All of it sounds later; what it was made for stays."""
        self.entries = [replace(entry, moved_samples=entry.moved_samples + by_samples) for entry in self.entries]

    def off_seconds(self, line: TempoCurve, own_samples: float) -> float:
        """How much later than on a host's line the beat of an own sample sounds there; negative: earlier."""
        entry = self.at(own_samples)
        position = entry.position(own_samples)
        beats = line.quick_beats(position) - entry.beats_at(own_samples)
        return beats * units.SECONDS_PER_MINUTE / line.tempo_at(position)

    def same_bars(self, line: TempoCurve, own_samples: float) -> bool:
        """Whether an own sample was made for bars as a host's line has them now."""
        grid, now = self.at(own_samples).place.grid, line.grid
        bar = now.signature.beats_per_bar
        apart = units.exact(grid.bar_origin_beats) - units.exact(now.bar_origin_beats)
        return grid.signature.beats_per_bar == bar and abs(apart - bar * round(apart / bar)) < SAME_BEATS

    def at(self, own_samples: float) -> BeatMapEntry:
        """The entry of an own sample."""
        found = self.entries[0]
        for entry in self.entries[1:]:
            if entry.from_own > own_samples:
                break
            found = entry
        return found

    def beats_at(self, own_samples: float) -> float:
        """Beat of the host on which an own sample was laid, in floats."""
        return self.at(own_samples).beats_at(own_samples)

    def tempo_at(self, own_samples: float) -> float:
        """Tempo for which an own sample was made."""
        place = self.at(own_samples).place
        return place.line.tempo_at(place.zero_samples + own_samples)

    def model_grid(
        self, prompt_frames: int, offset_frames: int, n_frames: int, loop: tuple[int, int] | None
    ) -> FrameGrid:
        """What the model hears in the window of `n_frames` at stream frame `offset_frames`.

        Where the host loops, as positions will go on after its end.
        """
        rate = self.entries[-1].place.grid.sample_rate_hz
        first = _own(offset_frames - prompt_frames, rate)
        last = _own(offset_frames - prompt_frames + n_frames, rate)
        entries = self._with_passes(loop, last)
        now = entries[-1].place.line.grid
        origin = float(now.bar_origin_beats)
        legs: list[GridLeg] = []
        for entry, following in zip(entries, [*entries[1:], None], strict=True):
            end = last if following is None else following.from_own
            if end > first and entry.from_own < last:
                legs += _legs(entry, max(entry.from_own, first), min(end, last), prompt_frames, origin)
        grid = plain_grid(entries[-1].place, prompt_frames)
        straight = len(entries) == 1 and len(entries[0].place.line.legs) == 1
        return grid if straight else replace(grid, legs=tuple(legs))

    def _with_passes(self, loop: tuple[int, int] | None, last_own: float) -> list[BeatMapEntry]:
        """The entries, and those of loop passes that are still to come."""
        entries = list(self.entries)
        if loop is None or loop[1] <= loop[0]:
            return entries
        while len(entries) < len(self.entries) + 200:
            here = entries[-1]
            wrap = loop[1] - round(here.position(0))
            if wrap >= last_own or wrap <= here.from_own:
                break
            zero = loop[0] - wrap
            entries.append(BeatMapEntry(wrap, replace(here.place, zero_samples=zero)))
        return entries


def _own(frame: int, rate_hz: int) -> float:
    return float(units.seconds_to_samples(units.frames_to_seconds(frame), rate_hz))


def _legs(entry: BeatMapEntry, first_own: float, end_own: float, prompt_frames: int, origin: float) -> list[GridLeg]:
    """An entry's legs within [first, end), as the model counts: stream frames, beats from a bar line."""
    zero, line = entry.place.zero_samples, entry.place.line
    found = []
    starts = [ALWAYS, *(leg.from_samples - zero for leg in line.legs[1:])]
    for leg, start, following in zip(line.legs, starts, [*starts[1:], None], strict=True):
        begin, end = max(start, first_own), end_own if following is None else min(following, end_own)
        if begin < end:
            found.append(_leg(leg, begin + zero, begin, prompt_frames, origin))
    return found


def _leg(leg: TempoSegment, position: float, own: float, prompt_frames: int, origin: float) -> GridLeg:
    grid = leg.grid
    frame = prompt_frames + float(units.seconds_to_frames(units.samples_to_seconds(own, grid.sample_rate_hz)))
    return GridLeg(
        frame,
        leg.quick_beats(position) - origin,
        leg.tempo_at(position),
        leg.slope,
        float(grid.signature.beats_per_bar),
        grid.bar_origin_beats - origin,
    )
