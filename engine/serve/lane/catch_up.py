"""A stream that begins behind its host: what lies before the host is made and thrown away. All of it [generate].

    start |====== made, thrown away ======| host ==== heard ====>        a song that is opened in the middle of its take

The music is the same as if the host had come there by playing, so what made it must be, too: faults are dealt with
as for a host that waits at the start.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.time.transport import Transport
from engine.serve.lane.commands import Command
from engine.serve.lane.timing import START_RATIO, LaneTiming
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.timeline.samples import HostSample, StreamSample, position_of

REMADE_SECONDS = 5.0  # that a take may take to be made again up to a place that its host was moved to


def begin_behind(renderer: StreamRenderer, command: Command, transport: Transport, generation: int) -> None:
    """A play begins; one that the host is past is answered at once: its sound takes as long as the music before it."""
    behind = renderer.output.catch_up
    here = renderer.placement.stream_of(position_of(transport))
    behind.begin(command.past, StreamSample(here - renderer.placement.unheard_samples))
    if behind.stream_behind and command.order is not None:
        command.order.begin(generation)


def catch_up(renderer: StreamRenderer, transport: Transport) -> Transport:
    """Note where the host is; the transport by which faults are dealt with."""
    behind = renderer.output.catch_up
    if not behind.stream_behind or transport.timeline != renderer.placement.timeline:
        return transport
    here = renderer.placement.stream_of(position_of(transport))
    if here <= renderer.placement.unheard_samples or renderer.output.stream_written > here:
        behind.done()
        return transport
    behind.host_at(here)
    return replace(transport, playing=False, position_samples=renderer.placement.start_samples)


def made_from_start(renderer: StreamRenderer, transport: Transport, to_samples: HostSample, timing: LaneTiming) -> bool:
    """Whether a take is made from its start once more, and caught up with, for a host that was moved into it.

    So is one that keeps its place, for a host that stands: one that rolls is not kept waiting, nor one far into the
    take. They get what fits the bar.
    """
    if to_samples >= renderer.placement.end_samples:
        return False
    seconds = (to_samples - renderer.placement.start_samples) / transport.sample_rate_hz
    near = seconds <= REMADE_SECONDS * (timing.realtime_ratio or START_RATIO)
    behind = renderer.output.catch_up
    if behind.stream_behind or (behind.keeps_place and not transport.playing and near):
        behind.from_start()
        return True
    return False
