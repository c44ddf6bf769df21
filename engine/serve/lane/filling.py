"""Measures a stream's work and its ring's fill for its lane's timing and renewal. All of it [generate]."""

from __future__ import annotations

from torch import Tensor

from engine.serve.lane.renewal import Renewal
from engine.serve.lane.timing import LaneTiming
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.timeline.host_clock import HostClock
from engine.serve.timeline.samples import position_of


def take_noted(
    renderer: StreamRenderer, codes: Tensor, clock: HostClock, timing: LaneTiming, renewal: Renewal, lead_seconds: float
) -> bool:
    """Decode new frames [K, n] and write them to the ring; returns whether anything was written.

    While the host plays, the fill is measured right before writing, at its lowest. What a guard may take back for a
    host that waits is written once it has looked.
    """
    written = renderer.output.stream_written
    renderer.keep(codes)
    transport, placement = clock.or_standing(), renderer.placement
    rate, left = transport.sample_rate_hz, max(0, renderer.output.ahead_samples(position_of(transport)))
    if not renderer.output.held.samples or renderer.guard_input.verdict is None:
        renderer.output.write()
    sounding = transport.playing and transport.position_samples >= placement.start_samples
    goes_on = written > placement.unheard_samples and not renderer.output.catch_up.stream_behind
    if sounding and goes_on and transport.seek_id == placement.seek_id:
        timing.saw_fill(left / rate, sounding)
        renewal.filled(left / rate, renderer.output.ahead_samples(position_of(transport)) / rate, lead_seconds)
    return renderer.output.stream_written > written


def ready_noted(renderer: StreamRenderer, timing: LaneTiming, seconds: float, begins: bool) -> None:
    """Record the seconds to the first block of a play that `begins`, or of regenerated music."""
    unheard = renderer.placement.unheard_samples / renderer.placement.grid.sample_rate_hz if begins else 0.0
    timing.ready_after(seconds, renderer.prompt_frames > 0, unheard)
