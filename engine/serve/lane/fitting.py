"""Which made music fits a host position, and where the host's loop lies in samples."""

from __future__ import annotations

from dataclasses import replace

from bridge.time import units
from bridge.time.transport import Transport
from engine.serve.lane.command import PlayOrder
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.timeline.placement import ENDLESS, StreamPlacement
from engine.serve.timeline.samples import HostSample, StreamSample
from engine.serve.timeline.tempo_curve import TempoCurve

LOOK_SECONDS = 0.1  # between two comparisons of made music with the host's tempo curve
OFF_SECONDS = 0.004  # beats further from the host's are regenerated


def fitting_sample(renderer: StreamRenderer, to_samples: HostSample, curve: TempoCurve) -> StreamSample:
    """The newest made stream sample at the same position in the bar as `to_samples` on `curve`.

    If there is none, or it is no longer stored, one at the same position in the beat; the newest made sample
    if less than a beat has been made.  [generate]
    """
    made, beat_map = renderer.output.stream_made, renderer.output.beat_map
    entry, grid = beat_map.at(made), curve.grid
    bar = float(grid.signature.beats_per_bar)
    newest = entry.beats_at(made) - entry.placement.grid.bar_origin_beats
    wanted = curve.beats_at(to_samples) - units.exact(grid.bar_origin_beats)
    tempo, rate = beat_map.tempo_at(made), grid.sample_rate_hz
    back = units.nearest(units.beats_to_samples((newest - float(wanted)) % bar, tempo, rate))
    for _ in range(3):  # the tempo may have moved within that bar
        found = beat_map.at(made - back)
        off = (found.beats_at(made - back) - found.placement.grid.bar_origin_beats - float(wanted)) % bar
        off = off - bar if off > bar / 2 else off
        back += units.nearest(units.beats_to_samples(off, beat_map.tempo_at(made - back), rate))
    kept = renderer.codec_output.rates.stream_length(renderer.codec_output.history_samples) - rate // 10
    for fits in (back, back % units.nearest(units.beats_to_samples(1, tempo, rate))):
        if 0 <= fits <= made and (fits < kept or fits == made):
            return StreamSample(made - fits)
    return made


def first_off(renderer: StreamRenderer, curve: TempoCurve, ready_samples: HostSample) -> HostSample | None:
    """First position behind `ready_samples` from which made music is off the beat.

    None if it agrees with the host's tempo curve.  [generate]
    """
    rate, placement, made = curve.grid.sample_rate_hz, renderer.placement, renderer.output.stream_made
    soon = max(placement.stream_of(ready_samples), placement.unheard_samples)
    if not renderer.output.beat_map.same_bars(curve, made):
        return placement.host_of(soon)
    looked = [*range(soon, made, int(LOOK_SECONDS * rate)), made] if soon < made else []
    offs = [abs(renderer.output.beat_map.off_seconds(curve, stream_sample)) for stream_sample in looked]
    if max(offs, default=0.0) <= OFF_SECONDS:
        return None
    wrong = next(index for index, off in enumerate(offs) if off > OFF_SECONDS / 2)
    first = StreamSample(looked[max(0, wrong - 1)])
    return placement.host_of(first) if first < made - rate // 50 else None


def loop_samples(transport: Transport, curve: TempoCurve | None = None) -> tuple[HostSample, HostSample] | None:
    """First sample of the host's loop and the one behind its last, on its curve; None without a loop.  [any]"""
    if transport.loop_beats is None:
        return None
    start, end = (HostSample((curve or transport.grid).sample_at(beats)) for beats in transport.loop_beats)
    return (start, end) if end > start else None


def ends_before_a_pass(renderer: StreamRenderer, stream_sample: StreamSample) -> bool:
    """Whether the host's loop leads back between the music's end and a stream sample: the host must hear of that end.

    [generate]
    """
    loop, placement = renderer.output.loop, renderer.placement
    return loop is not None and placement.end_samples < loop[1] <= placement.host_of(stream_sample)


def placement_of(order: PlayOrder, curve: TempoCurve, transport: Transport) -> StreamPlacement:
    """The placement of an order's music on the host's tempo curve; endless if a loop hides its end.

    Music for a later pass of the loop lies behind its end, as the present pass counts.  [generate]
    """
    start, zero = (curve.sample_at(order.start_beats - ahead) for ahead in (0, order.beginning.ahead_beats))
    end = ENDLESS if order.end_beats is None else curve.sample_at(order.end_beats)
    loop = loop_samples(transport, curve)
    if loop is not None and start < loop[1] < end and transport.position_samples < loop[1]:
        end = ENDLESS
    placement = StreamPlacement(curve, zero, end, transport.seek_id, StreamSample(start - zero))
    passes = order.seek_id - transport.seek_id
    if loop is None or passes <= 0 or not loop[0] <= start < loop[1]:
        return placement
    return replace(placement.later(loop[1] - loop[0], -passes), seek_id=transport.seek_id)
