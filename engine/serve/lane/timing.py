"""A lane's measured speed: time to its first block, its ring's fill; and the process's memory."""

from __future__ import annotations

import os
import resource
import sys
from collections import deque
from pathlib import Path
from statistics import median

from bridge.ring.writer import RingWriter
from bridge.time import units

START_MARGIN_SECONDS = 0.4  # before anything is measured
MARGIN_RANGE_SECONDS = (0.08, 4.0)
START_RATIO = 2.0  # real-time factor before one is measured
MOST_CUSHION_SECONDS = 1.5
QUICK_SECONDS = 0.1
ENOUGH_RATIO = 1.05  # real-time factor that refills the ring
SPREAD = 1.3  # factor over the slowest of the last streams
SLOWEST_RATIO = 0.5  # lowest real-time factor assumed for music that is discarded
HOP_SECONDS = 0.2  # of music, made in a turn at most


class LaneTiming:
    """Measured times of one lane; all [generate]."""

    def __init__(self) -> None:
        self._ready: deque[float] = deque(maxlen=8)
        self._read = False  # whether one of those read an audio prompt
        self.expected_seconds = 0.0  # for reading one, measured when the model was loaded
        self.lead_at_least_seconds = 0.0  # while another model prepares to take over
        self.first_sound_seconds = 0.0
        self.change_seconds = 0.0  # from a change of settings to its sound
        self.fill_low_seconds = 0.0
        self._filled = False
        self._made_seconds = self._worked_seconds = 0.0

    @property
    def margin_seconds(self) -> float:
        """How far ahead of the host a stream can begin or change in time."""
        if not self._ready:
            return START_MARGIN_SECONDS
        return self._margin(max(self._ready))

    def _margin(self, ready_seconds: float) -> float:
        low, high = MARGIN_RANGE_SECONDS
        return min(max(SPREAD * ready_seconds + self.cushion_seconds, low), high)

    @property
    def cushion_seconds(self) -> float:
        """What must be left in the ring when something new begins: the slower the engine, the more.

        An engine that barely keeps up cannot make up for discarded music.
        """
        spare = (self.realtime_ratio or START_RATIO) - 0.7
        return min(MOST_CUSHION_SECONDS, 0.4 / spare) if spare > 0 else MOST_CUSHION_SECONDS

    @property
    def quick_seconds(self) -> float:
        """How far ahead of the host made music can be written again in time: a turn of the loop lies between."""
        return QUICK_SECONDS + HOP_SECONDS / max(self.realtime_ratio or START_RATIO, 1.0)

    @property
    def in_window_seconds(self) -> float:
        """How far ahead of the host a stream can change in its open window: a short turn is enough.

        Only an engine faster than real time can make up for discarded music.
        """
        fast = (self.realtime_ratio or START_RATIO) > ENOUGH_RATIO
        return min(self.quick_seconds + QUICK_SECONDS, self.margin_seconds) if fast else self.margin_seconds

    def begin_seconds(self, reads: bool, unheard_seconds: float = 0.0) -> float:
        """How far ahead of the host a play can begin that reads an audio prompt or makes unheard music first.

        The margin plus the time for that music, which is made and discarded.
        """
        unknown = reads and not self._read
        margin = max(self.margin_seconds, self._margin(self.expected_seconds)) if unknown else self.margin_seconds
        return margin + SPREAD * self._making_seconds(unheard_seconds)

    def _making_seconds(self, music_seconds: float) -> float:
        return music_seconds / max(self.realtime_ratio or START_RATIO, SLOWEST_RATIO)

    def ready_after(self, seconds: float, reads: bool = False, unheard_seconds: float = 0.0) -> None:
        """Record the seconds from a command to the first block; they include music that was discarded."""
        self._ready.append(max(0.0, seconds - self._making_seconds(unheard_seconds)))
        self._read = self._read or reads

    def model_changed(self, expected_seconds: float) -> None:
        """Another model plays from now on; reading an audio prompt takes it `expected_seconds`."""
        self.expected_seconds, self.lead_at_least_seconds = expected_seconds, 0.0

    def keep_ahead(self, seconds: float) -> None:
        """Set the least lead until the model has changed."""
        self.lead_at_least_seconds = seconds

    def changed_after(self, seconds: float) -> None:
        """Record the seconds from a change of settings to its sound."""
        self.change_seconds = seconds

    def begun_after(self, seconds: float) -> None:
        """Record the seconds from a play to its first sound; the low-water mark starts here."""
        self.first_sound_seconds = seconds
        self.restart()

    def restart(self) -> None:
        """Restart the low-water mark, for a new stream."""
        self._filled = False
        self.fill_low_seconds = 0.0

    def saw_fill(self, seconds: float, sounding: bool) -> None:
        """Record the ring's fill, from when the stream sounds."""
        if sounding:
            self.fill_low_seconds = min(self.fill_low_seconds, seconds) if self._filled else seconds
            self._filled = True

    def worked(self, made_seconds: float, worked_seconds: float) -> None:
        """Record the seconds of audio made and the seconds that took."""
        self._made_seconds = 0.98 * self._made_seconds + made_seconds
        self._worked_seconds = 0.98 * self._worked_seconds + worked_seconds

    @property
    def realtime_ratio(self) -> float:
        """Real-time factor: recent seconds of audio per second of work."""
        return self._made_seconds / self._worked_seconds if self._worked_seconds else 0.0


class Medians:
    """Medians of the last measurements, by name."""

    def __init__(self, keep: int = 256) -> None:
        self._keep = keep
        self._figures: dict[str, deque[float]] = {}

    def add(self, name: str, value: float) -> None:
        """Add one measurement.  [generate]"""
        self._figures.setdefault(name, deque(maxlen=self._keep)).append(value)

    def median(self, name: str) -> float:
        """The median of the last measurements, 0 without any.  [any]"""
        values = list(self._figures.get(name, ()))
        return median(values) if values else 0.0


def resident_mb() -> float:
    """Resident memory of this process in MB.  [any]"""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def lead_limit_seconds(ring: RingWriter) -> float:
    """The longest lead of a ring: half of it, so that regenerated music fits beside what it replaces.  [any]"""
    capacity = units.samples_to_seconds(ring.form.capacity_samples, ring.form.sample_rate_hz)
    return float(capacity) / 2 - 1.0
