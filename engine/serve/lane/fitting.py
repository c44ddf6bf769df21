"""Which of the music that is made fits a place of the host, and where its loop lies in samples."""

from __future__ import annotations

from bridge.ring.layout import ENDLESS_SAMPLES
from bridge.time import units
from bridge.time.transport import Transport
from engine.serve.lane.commands import PlayOrder
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.timeline.placement import StreamPlacement
from engine.serve.timeline.tempo_curve import TempoCurve

LOOK_SECONDS = 0.1  # apart, at which what is made is compared with the host's line
OFF_SECONDS = 0.004  # beats that are further from the host's are made anew


def fitting_own(player: StreamRenderer, to_samples: int, line: TempoCurve) -> int:
    """The newest own sample that is made and whose place in the bar is that of `to_samples` on `line`.

    Where there is none, or it is not kept any more, one whose place in the beat is that; the newest of all where not
    even a beat has been made.  [generate]
    """
    made = player.made_own
    entry, grid = player.score.at(made), line.grid
    bar = float(grid.signature.beats_per_bar)
    newest = entry.beats_at(made) - entry.place.grid.bar_origin_beats
    wanted = line.beats_at(to_samples) - units.exact(grid.bar_origin_beats)
    tempo, rate = player.score.tempo_at(made), grid.sample_rate_hz
    back = units.nearest(units.beats_to_samples((newest - float(wanted)) % bar, tempo, rate))
    for _ in range(3):  # the tempo may have moved within that bar
        found = player.score.at(made - back)
        off = (found.beats_at(made - back) - found.place.grid.bar_origin_beats - float(wanted)) % bar
        off = off - bar if off > bar / 2 else off
        back += units.nearest(units.beats_to_samples(off, player.score.tempo_at(made - back), rate))
    kept = player.chain.history.shape[1] * player.resampler.new // player.resampler.orig - rate // 10
    for fits in (back, back % units.nearest(units.beats_to_samples(1, tempo, rate))):
        if 0 <= fits <= made and (fits < kept or fits == made):
            return made - fits
    return made


def first_off(player: StreamRenderer, line: TempoCurve, ready_samples: int) -> int | None:
    """First position, from one on that can be made anew in time, from which what is made is heard off the beat.

    None where it lies on the host's line.  [generate]
    """
    rate, zero, made = line.grid.sample_rate_hz, player.place.zero_samples, player.made_own
    soon = max(ready_samples - zero, player.place.unheard_samples)
    if not player.score.same_bars(line, made):
        return zero + soon
    looked = [*range(soon, made, int(LOOK_SECONDS * rate)), made] if soon < made else []
    offs = [abs(player.score.off_seconds(line, own)) for own in looked]
    if max(offs, default=0.0) <= OFF_SECONDS:
        return None
    wrong = next(index for index, off in enumerate(offs) if off > OFF_SECONDS / 2)
    first = looked[max(0, wrong - 1)]
    return zero + first if first < made - rate // 50 else None


def first_kept_own(player: StreamRenderer) -> int:
    """First own sample whose sound is kept.  [generate]"""
    kept = player.chain.first_kept_frame * player.model.codec.frame_samples
    return max(-(-kept * player.resampler.new // player.resampler.orig), player.tape.begin_own)


def loop_samples(transport: Transport, line: TempoCurve | None = None) -> tuple[int, int] | None:
    """First sample of the host's loop and the one behind its last, on its line; None where it does not loop.  [any]"""
    if transport.loop_beats is None:
        return None
    start, end = ((line or transport.grid).sample_at(beats) for beats in transport.loop_beats)
    return (start, end) if end > start else None


def place_of(order: PlayOrder, line: TempoCurve, transport: Transport) -> StreamPlacement:
    """Where an order's music lies on the host's line; endless where a loop hides its end.  [generate]"""
    start, zero = (line.sample_at(order.start_beats - ahead) for ahead in (0, order.beginning.ahead_beats))
    end = ENDLESS_SAMPLES if order.end_beats is None else line.sample_at(order.end_beats)
    loop = loop_samples(transport, line)
    if loop is not None and start < loop[1] < end and transport.position_samples < loop[1]:
        end = ENDLESS_SAMPLES
    return StreamPlacement(line, zero, end, transport.timeline, start - zero)
