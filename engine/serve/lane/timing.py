"""How fast a lane is: what it needs before its first block, how its ring fills; and the process's memory."""

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
START_RATIO = 2.0  # realtime ratio before one is measured
MOST_CUSHION_SECONDS = 1.5
QUICK_SECONDS = 0.1
ENOUGH_RATIO = 1.05  # of an engine that fills its ring again
SPREAD = 1.3  # a stream may need so much longer than the slowest of the last ones
SLOWEST_RATIO = 0.5  # by which the time for music that is thrown away is reckoned, at worst
HOP_SECONDS = 0.2  # of music, that a turn makes at most


class LaneTiming:
    """Measured times of one lane; all [generate]."""

    def __init__(self) -> None:
        self._ready: deque[float] = deque(maxlen=8)
        self._read = False  # whether one of those read given music
        self.expected_seconds = 0.0  # that reading it takes, as it was measured when the model was loaded
        self.lead_at_least_seconds = 0.0  # while another model gets ready to take over
        self.first_sound_seconds = 0.0
        self.change_seconds = 0.0  # from a change of settings to its sound
        self.fill_low_seconds = 0.0
        self._filled = False
        self._made_seconds = self._worked_seconds = 0.0

    @property
    def margin_seconds(self) -> float:
        """How far ahead of the host a stream can begin or change and stay in time from there on."""
        if not self._ready:
            return START_MARGIN_SECONDS
        return self._margin(max(self._ready))

    def _margin(self, ready_seconds: float) -> float:
        low, high = MARGIN_RANGE_SECONDS
        return min(max(SPREAD * ready_seconds + self.cushion_seconds, low), high)

    @property
    def cushion_seconds(self) -> float:
        """What should be left in the ring when something new begins: the slower the engine, the more.

        An engine that hardly keeps up cannot win back what it throws away.
        """
        spare = (self.realtime_ratio or START_RATIO) - 0.7
        return min(MOST_CUSHION_SECONDS, 0.4 / spare) if spare > 0 else MOST_CUSHION_SECONDS

    @property
    def quick_seconds(self) -> float:
        """How far ahead of the host what is made can be written anew in time: a turn of the engine lies between."""
        return QUICK_SECONDS + HOP_SECONDS / max(self.realtime_ratio or START_RATIO, 1.0)

    @property
    def in_window_seconds(self) -> float:
        """How far ahead of the host a stream can go on otherwise in its open window: a short turn is enough.

        Only an engine that makes music faster than it is played can win back what it throws away.
        """
        fast = (self.realtime_ratio or START_RATIO) > ENOUGH_RATIO
        return min(self.quick_seconds + QUICK_SECONDS, self.margin_seconds) if fast else self.margin_seconds

    def begin_seconds(self, reads: bool, unheard_seconds: float = 0.0) -> float:
        """How far ahead of the host a play can begin that reads given music, and makes so much before its first sample.

        The margin, and that music besides: it is made and thrown away.
        """
        unknown = reads and not self._read
        margin = max(self.margin_seconds, self._margin(self.expected_seconds)) if unknown else self.margin_seconds
        return margin + SPREAD * self._making_seconds(unheard_seconds)

    def _making_seconds(self, music_seconds: float) -> float:
        return music_seconds / max(self.realtime_ratio or START_RATIO, SLOWEST_RATIO)

    def ready_after(self, seconds: float, reads: bool = False, unheard_seconds: float = 0.0) -> None:
        """A stream needed so long from the command to its first block, what it made and threw away included."""
        self._ready.append(max(0.0, seconds - self._making_seconds(unheard_seconds)))
        self._read = self._read or reads

    def model_changed(self, expected_seconds: float) -> None:
        """Another model plays what begins from now on; reading given music takes it so long."""
        self.expected_seconds, self.lead_at_least_seconds = expected_seconds, 0.0

    def keep_ahead(self, seconds: float) -> None:
        """Music is to be made so far ahead until the model has changed."""
        self.lead_at_least_seconds = seconds

    def changed_after(self, seconds: float) -> None:
        """A change of settings took so long to its sound."""
        self.change_seconds = seconds

    def begun_after(self, seconds: float) -> None:
        """A play took so long to its first sound; the low-water mark counts from here."""
        self.first_sound_seconds = seconds
        self.restart()

    def restart(self) -> None:
        """A new stream: the low-water mark counts from here."""
        self._filled = False
        self.fill_low_seconds = 0.0

    def saw_fill(self, seconds: float, sounding: bool) -> None:
        """The ring held so much; counted from when the stream sounds."""
        if sounding:
            self.fill_low_seconds = min(self.fill_low_seconds, seconds) if self._filled else seconds
            self._filled = True

    def worked(self, made_seconds: float, worked_seconds: float) -> None:
        """So much audio was made in so much time."""
        self._made_seconds = 0.98 * self._made_seconds + made_seconds
        self._worked_seconds = 0.98 * self._worked_seconds + worked_seconds

    @property
    def realtime_ratio(self) -> float:
        """Seconds of audio per second of work, lately."""
        return self._made_seconds / self._worked_seconds if self._worked_seconds else 0.0


class Medians:
    """Medians of the last measurements, by name."""

    def __init__(self, keep: int = 256) -> None:
        self._keep = keep
        self._figures: dict[str, deque[float]] = {}

    def add(self, name: str, value: float) -> None:
        """One more measurement.  [generate]"""
        self._figures.setdefault(name, deque(maxlen=self._keep)).append(value)

    def median(self, name: str) -> float:
        """The median of the last ones, 0 where there is none.  [any]"""
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
    """The longest lead of a ring: half of it, so that music made anew fits beside what it replaces.  [any]"""
    capacity = units.samples_to_seconds(ring.form.capacity_samples, ring.form.sample_rate_hz)
    return float(capacity) / 2 - 1.0
