"""The beat for which each stream sample was made, whatever the host did since.

    stream samples   prompt | first placement      | after a change of tempo | after a loop's end | ...
                         0                      each entry holds from its first stream sample to the next one's

A change of tempo, a jump or a loop's return begins a new entry, so that a window's past frames keep the beats for
which they were made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bridge.time import units
from engine.model import FrameGrid, GridSegment
from engine.serve.timeline.placement import FIRST, StreamPlacement, plain_grid
from engine.serve.timeline.samples import HostSample, StreamSample
from engine.serve.timeline.tempo_curve import TempoCurve, TempoSegment

ALWAYS = StreamSample(-(1 << 62))  # before everything
SAME_BEATS = 1e-4
PAST_SECONDS = 60.0  # of the past: more than any window reaches back


@dataclass(frozen=True)
class BeatMapEntry:
    """From `from_stream_sample` on the stream was made for `placement`, and moved as a whole since.  [any]"""

    from_stream_sample: StreamSample
    placement: StreamPlacement
    moved_samples: int = 0

    def position(self, stream_samples: float) -> float:
        """Host position of a stream sample in its pass.  [any]"""
        return self.placement.zero_samples + self.moved_samples + stream_samples

    def beats_at(self, stream_samples: float) -> float:
        """The host's beat at a stream sample, in floats.  [any]"""
        return self.placement.curve.quick_beats(self.placement.zero_samples + stream_samples)


class BeatMap:
    """The entries of one stream, in order; all [generate]."""

    def __init__(self, placement: StreamPlacement, prompt: TempoCurve | None = None) -> None:
        """Begin on `placement`; a prompt of another tempo lies on its own tempo curve, in the same host samples."""
        self.entries = [BeatMapEntry(ALWAYS, placement)]
        if prompt is not None:
            before = BeatMapEntry(ALWAYS, replace(placement, curve=prompt))
            self.entries = [before, BeatMapEntry(FIRST, placement)]

    def lay(self, from_stream_sample: StreamSample, placement: StreamPlacement) -> None:
        """Add an entry: `placement` from a stream sample on."""
        kept = [entry for entry in self.entries if entry.from_stream_sample < from_stream_sample]
        if kept and kept[-1].placement.same_course(placement) and not kept[-1].moved_samples:
            kept[-1] = replace(kept[-1], placement=placement)
            self.entries = kept
            return
        self.entries = [*kept, BeatMapEntry(from_stream_sample, placement)]
        oldest = from_stream_sample - int(PAST_SECONDS * placement.grid.sample_rate_hz)
        while len(self.entries) > 1 and self.entries[1].from_stream_sample < oldest:
            self.entries.pop(0)

    def move(self, by_samples: int) -> None:
        """Move the whole stream later; the beats for which it was made stay."""
        self.entries = [replace(entry, moved_samples=entry.moved_samples + by_samples) for entry in self.entries]

    def led_to(self, placement: StreamPlacement, stream_sample: StreamSample) -> StreamPlacement:
        """`placement` with a tempo curve led there from the beat of a stream sample."""
        entry = self.at(stream_sample)
        position = HostSample(round(entry.position(stream_sample)))
        return replace(placement, curve=placement.curve.reached(position, entry.beats_at(stream_sample)))

    def off_seconds(self, curve: TempoCurve, stream_samples: float) -> float:
        """How much later than on the host's tempo curve a stream sample's beat sounds; negative: earlier."""
        entry = self.at(stream_samples)
        position = entry.position(stream_samples)
        beats = curve.quick_beats(position) - entry.beats_at(stream_samples)
        return beats * units.SECONDS_PER_MINUTE / curve.tempo_at(position)

    def same_bars(self, curve: TempoCurve, stream_samples: float) -> bool:
        """Whether a stream sample was made for the bars of the host's present tempo curve."""
        grid, now = self.at(stream_samples).placement.grid, curve.grid
        bar = now.signature.beats_per_bar
        apart = units.exact(grid.bar_origin_beats) - units.exact(now.bar_origin_beats)
        return grid.signature.beats_per_bar == bar and abs(apart - bar * round(apart / bar)) < SAME_BEATS

    def at(self, stream_samples: float) -> BeatMapEntry:
        """The entry of a stream sample."""
        found = self.entries[0]
        for entry in self.entries[1:]:
            if entry.from_stream_sample > stream_samples:
                break
            found = entry
        return found

    def beats_at(self, stream_samples: float) -> float:
        """The host's beat for which a stream sample was made, in floats."""
        return self.at(stream_samples).beats_at(stream_samples)

    def tempo_at(self, stream_samples: float) -> float:
        """Tempo for which a stream sample was made."""
        placement = self.at(stream_samples).placement
        return placement.curve.tempo_at(placement.zero_samples + stream_samples)

    def model_grid(
        self, prompt_frames: int, offset_frames: int, n_frames: int, loop: tuple[HostSample, HostSample] | None
    ) -> FrameGrid:
        """The beats that condition the window of `n_frames` at stream frame `offset_frames`.

        In a loop they continue behind its end as positions will.
        """
        rate = self.entries[-1].placement.grid.sample_rate_hz
        first = _own(offset_frames - prompt_frames, rate)
        last = _own(offset_frames - prompt_frames + n_frames, rate)
        entries = self._with_passes(loop, last)
        now = entries[-1].placement.curve.grid
        origin = float(now.bar_origin_beats)
        segments: list[GridSegment] = []
        for entry, following in zip(entries, [*entries[1:], None], strict=True):
            end = last if following is None else following.from_stream_sample
            if end > first and entry.from_stream_sample < last:
                segments += _segments(
                    entry, max(entry.from_stream_sample, first), min(end, last), prompt_frames, origin
                )
        grid = plain_grid(entries[-1].placement, prompt_frames)
        straight = len(entries) == 1 and len(entries[0].placement.curve.segments) == 1
        return grid if straight else replace(grid, segments=tuple(segments))

    def _with_passes(self, loop: tuple[HostSample, HostSample] | None, last_stream_sample: float) -> list[BeatMapEntry]:
        """The entries, and those of loop passes to come."""
        entries = list(self.entries)
        if loop is None or loop[1] <= loop[0]:
            return entries
        while len(entries) < len(self.entries) + 200:
            here = entries[-1]
            wrap = StreamSample(loop[1] - round(here.position(0)))
            if wrap >= last_stream_sample or wrap <= here.from_stream_sample:
                break
            zero = HostSample(loop[0] - wrap)
            entries.append(BeatMapEntry(wrap, replace(here.placement, zero_samples=zero)))
        return entries


def _own(frame: int, rate_hz: int) -> float:
    return float(units.seconds_to_samples(units.frames_to_seconds(frame), rate_hz))


def _segments(
    entry: BeatMapEntry, first_stream_sample: float, stream_end: float, prompt_frames: int, origin: float
) -> list[GridSegment]:
    """An entry's segments within [first, end), as the model counts: stream frames, beats from a bar line."""
    zero, curve = entry.placement.zero_samples, entry.placement.curve
    found = []
    starts = [ALWAYS, *(segment.from_samples - zero for segment in curve.segments[1:])]
    for segment, start, following in zip(curve.segments, starts, [*starts[1:], None], strict=True):
        begin, end = max(start, first_stream_sample), stream_end if following is None else min(following, stream_end)
        if begin < end:
            found.append(_segment(segment, begin + zero, begin, prompt_frames, origin))
    return found


def _segment(
    segment: TempoSegment, position: float, stream_sample: float, prompt_frames: int, origin: float
) -> GridSegment:
    grid = segment.grid
    frame = prompt_frames + float(units.seconds_to_frames(units.samples_to_seconds(stream_sample, grid.sample_rate_hz)))
    return GridSegment(
        frame,
        segment.quick_beats(position) - origin,
        segment.tempo_at(position),
        segment.slope,
        float(grid.signature.beats_per_bar),
        grid.bar_origin_beats - origin,
    )
