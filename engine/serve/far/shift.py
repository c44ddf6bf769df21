"""Where a host elsewhere will be when music that is made now can sound there."""

from __future__ import annotations

from bridge.time.transport import Transport
from bridge.time.units import seconds_to_samples
from engine.serve.timeline.host_clock import through_the_loop

AGE_MAX_SECONDS = 1.0  # of a snapshot, after which its host is not taken to have gone on


def shifted(transport: Transport, written_ns: int, buffer_seconds: float, now_ns: int) -> tuple[Transport, int]:
    """A host's snapshot, written at `written_ns` of this clock, as far ahead as its buffer is long, and when it is so.

    So all margins of the engine count to the moment at which the music is there. A negative buffer means a host that
    waits for its music: it stays where it is.  [any]
    """
    if buffer_seconds < 0 or not transport.playing:
        return transport, written_ns
    age_seconds = min(max(now_ns - written_ns, 0) / 1e9, AGE_MAX_SECONDS)
    samples = int(seconds_to_samples(age_seconds + buffer_seconds, transport.sample_rate_hz))
    return through_the_loop(transport, transport.advanced(samples)), now_ns + int(buffer_seconds * 1e9)
