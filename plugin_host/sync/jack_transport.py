"""JACK's transport: position and tempo from the timebase master (Ardour, Hydrogen, a looper).

JACK reports the position and time of a cycle; beats in between are extrapolated. Without a timebase master there is no
tempo: the host keeps its own, and follows start, stop and position. If the server ends, the source waits for the next.
Beats are quarter notes here; JACK counts beats of the signature's denominator.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bridge.time.units import SECONDS_PER_MINUTE, Signature, samples_to_seconds
from plugin_host.host.jack_client import JackError, LastingClient
from plugin_host.sync.reading import Reading, SourceError

BBT = 0x10  # JackPositionBBT: bar, beat and tempo are valid
ROLLING = 1  # JackTransportRolling
OLD_SECONDS = 1.0


class JackTransport:
    """Follows the running JACK server; SourceError if there is none. Without a master the tempo is `own_bpm()`.

    With `needs_master` it is silent without one: a sound server alone is no leader.
    """

    name = "JACK"

    def __init__(self, own_bpm: Callable[[], float], needs_master: bool = False) -> None:
        try:
            self._lasting = LastingClient("segue-sync", lambda client: None)
        except JackError as fault:
            raise SourceError(str(fault)) from None
        self._own_bpm = own_bpm
        self._needs_master = needs_master

    def reading(self, now_seconds: float) -> Reading | None:
        """JACK's transport; None if the server, or a required master, is missing.  [main]"""
        client = self._lasting.client
        if client is None or not self._lasting.here:
            return None
        state, position = client.transport_query_struct()
        seconds = now_seconds - _age_seconds(position.usecs / 1e6)
        rolling = int(state) == ROLLING
        if not position.valid & BBT or position.beats_per_minute <= 0:
            if self._needs_master:
                return None
            tempo = self._own_bpm()
            beats = float(samples_to_seconds(position.frame, position.frame_rate)) * tempo / SECONDS_PER_MINUTE
            return Reading(seconds, rolling, beats, tempo)
        return Reading(seconds, rolling, quarters(position), position.beats_per_minute, signature_of(position))

    def close(self) -> None:
        """Disconnect from the server.  [main]"""
        self._lasting.close()


def quarters(position: Any) -> float:
    """Quarter notes from the song's start, from JACK's ticks or from bars of this signature.  [any]"""
    before = position.bar_start_tick / position.ticks_per_beat
    if before <= 0 and position.bar > 1:
        before = (position.bar - 1) * position.beats_per_bar
    return float((before + position.beat - 1 + position.tick / position.ticks_per_beat) * 4 / position.beat_type)


def signature_of(position: Any) -> Signature | None:
    """The signature, if it is valid here.  [any]"""
    try:
        return Signature(round(position.beats_per_bar), round(position.beat_type))
    except ValueError:
        return None


def _age_seconds(stamp_seconds: float) -> float:
    """The age of JACK's timestamp, by the monotonic or the raw clock, whichever JACK uses."""
    clocks = [time.monotonic()]
    if hasattr(time, "CLOCK_MONOTONIC_RAW"):
        clocks.append(time.clock_gettime(time.CLOCK_MONOTONIC_RAW))
    ages = [clock - stamp_seconds for clock in clocks if -0.001 < clock - stamp_seconds < OLD_SECONDS]
    return min(ages, default=0.0)
