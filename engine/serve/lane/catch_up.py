"""A stream that begins behind its host: the music before the host is made and discarded. All of it [generate].

    start |====== made, discarded ======| host ==== heard ====>        a song opened in the middle of its take

The music equals that of a host that played from the start, so the guard acts as for a host that waits at the start.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.time.transport import Transport
from engine.serve.lane.command import Command
from engine.serve.lane.timing import START_RATIO, LaneTiming
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.timeline.samples import HostSample, StreamSample, position_of

REMADE_SECONDS = 5.0  # limit for regenerating a take up to the position its host was moved to


def begin_behind(renderer: StreamRenderer, command: Command, transport: Transport, plan_revision: int) -> None:
    """Begin a play; one that the host is past is answered at once, since its sound comes only after catching up."""
    behind = renderer.output.catch_up
    here = renderer.placement.stream_of(position_of(transport))
    behind.begin(command.past, StreamSample(here - renderer.placement.unheard_samples))
    if behind.stream_behind and command.order is not None:
        command.order.begin(plan_revision)


def catch_up(renderer: StreamRenderer, transport: Transport) -> Transport:
    """Update the host position; the transport by which the guard acts."""
    behind = renderer.output.catch_up
    if not behind.stream_behind or transport.seek_id != renderer.placement.seek_id:
        return transport
    here = renderer.placement.stream_of(position_of(transport))
    if here <= renderer.placement.unheard_samples or renderer.output.stream_written > here:
        behind.done()
        return transport
    behind.host_at(here)
    return replace(transport, playing=False, position_samples=renderer.placement.start_samples)


def made_from_start(renderer: StreamRenderer, transport: Transport, to_samples: HostSample, timing: LaneTiming) -> bool:
    """Whether a stream catches up from its start with a host that was moved into it; sets its catch-up if so.

    A stream that is catching up does, and a take with a fixed placement if the host is stopped near its start. A
    rolling host, or one far into the take, gets music that fits the bar.
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
