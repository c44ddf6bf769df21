"""When the host's samples are heard: the jittering times of its blocks, filtered to a line.

The card's clock and the computer's differ by some 50 millionths; a conversion of beats and seconds needs the line
between them, not the time at which a block was requested.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.time.transport import Transport
from bridge.time.units import SECONDS_PER_MINUTE
from plugin_host.host.timeline import BlockTime, Timeline
from plugin_host.sync.line_filter import LineFilter

DRIFT_MAX = 1e-3  # of a sound card's rate
WANDER = 1e-10  # of the rate, per sample


@dataclass(frozen=True, slots=True)
class HostTime:
    """Sample `rendered_samples` since the host's start, at the transport's position, is heard at `seconds`."""

    seconds: float
    rendered_samples: int
    seconds_per_sample: float
    transport: Transport

    @property
    def beats_per_second(self) -> float:
        """Beats of the timeline per second of the computer's clock, as if it runs.  [any]"""
        per_sample = self.transport.tempo_bpm / (SECONDS_PER_MINUTE * self.transport.sample_rate_hz)
        return per_sample / self.seconds_per_sample

    @property
    def slowness(self) -> float:
        """The length of a second of the card in seconds of the computer: about 1.  [any]"""
        return self.seconds_per_sample * self.transport.sample_rate_hz

    def beats_at(self, seconds: float) -> float:
        """Beat that is heard at a time.  [any]"""
        passed = seconds - self.seconds if self.transport.playing else 0.0
        return self.transport.position_beats + passed * self.beats_per_second

    def seconds_at(self, beats: float) -> float:
        """Time at which a beat is heard, if the host plays on like this.  [any]"""
        return self.seconds + (beats - self.transport.position_beats) / self.beats_per_second

    def heard_at(self, rendered_samples: int) -> float:
        """Time at which a rendered sample is heard.  [any]"""
        return self.seconds + (rendered_samples - self.rendered_samples) * self.seconds_per_sample


class HostWatch:
    """Keeps the line; call `look` often. `latency_seconds` is from a block's time to the speaker."""

    def __init__(self, timeline: Timeline, latency_seconds: float = 0.0) -> None:
        self._timeline = timeline
        self._latency_seconds = latency_seconds
        self._line: LineFilter | None = None
        self._seen: BlockTime | None = None

    def look(self) -> HostTime | None:
        """The host's time now; None before its first block.  [main]"""
        stamp, seen = self._timeline.stamp, self._seen
        rate = stamp.transport.sample_rate_hz
        if seen is None or stamp.rendered_samples < seen.rendered_samples:
            self._seen = stamp
            return None
        if self._line is None:
            jitter = {"jitter_seconds": 0.001, "jitter_range": (0.00005, 0.02)}
            self._line = LineFilter(stamp.seconds, 1 / rate, spread=DRIFT_MAX, wander=WANDER, **jitter)  # type: ignore[arg-type]
        elif stamp is not seen and stamp.rendered_samples > seen.rendered_samples:
            self._line.see(stamp.seconds, stamp.rendered_samples - seen.rendered_samples)
        self._seen = stamp
        seconds = self._line.seconds + self._latency_seconds
        return HostTime(seconds, stamp.rendered_samples, self._line.step_seconds, stamp.transport)
