"""Ableton Link: one tempo and one beat with all Link programs in the network.

Link has a tempo and a phase within a quantum, but no song position: the host begins with the next bar of the session,
as bar 0. Start and stop count once a peer has used them. Joining a session sends multicast to the local network; it
happens only on request.
"""

from __future__ import annotations

import math
import time
from typing import Any

from bridge.time.units import SECONDS_PER_MINUTE, Signature
from plugin_host.sync.host_time import HostTime
from plugin_host.sync.reading import Reading, SourceError

MICROS = 1e6
SAME_BPM = 0.005
APART_SECONDS = 0.005


class LinkSession:
    """One membership in the session. As a source it leads once there is another peer; `lead` sends this host's beat."""

    name = "Ableton Link"

    def __init__(self, tempo_bpm: float, signature: Signature | None = None) -> None:
        try:
            import link
        except ImportError:
            raise SourceError("Ableton Link needs its library: pip install 'segue[link]'") from None
        self._link: Any = link.Link(tempo_bpm)
        self._link.startStopSyncEnabled = True
        self._link.enabled = True
        self._quantum = float((signature or Signature()).beats_per_bar)
        self._origin_beats: float | None = None  # the session's beat at this host's beat 0
        self._uses_start_stop = False

    @property
    def peers(self) -> int:
        """Other programs in the session.  [any]"""
        return int(self._link.numPeers())

    def reading(self, now_seconds: float) -> Reading | None:
        """The session's reading; None without other peers.  [main]"""
        if not self.peers:
            self._origin_beats = None
            return None
        state, micros = self._link.captureSessionState(), self._micros(now_seconds)
        beats = float(state.beatAtTime(micros, self._quantum))
        runs = bool(state.isPlaying())
        self._uses_start_stop = self._uses_start_stop or runs
        playing = runs or not self._uses_start_stop
        if self._origin_beats is None or not playing:
            self._origin_beats = self._quantum * (math.floor(beats / self._quantum) + 1)
        return Reading(now_seconds, playing, beats - self._origin_beats if playing else 0.0, float(state.tempo()))

    def lead(self, now_seconds: float, host: HostTime) -> None:
        """Send this host's tempo, beat and playing state to the session.  [main]"""
        state, micros = self._link.captureSessionState(), self._micros(now_seconds)
        tempo, playing = host.beats_per_second * SECONDS_PER_MINUTE, host.transport.playing
        beats, changed = host.beats_at(now_seconds), False
        if abs(state.tempo() - tempo) > SAME_BPM:
            state.setTempo(tempo, micros)
            changed = True
        theirs = float(state.phaseAtTime(micros, self._quantum))
        away = (theirs - beats + self._quantum / 2) % self._quantum - self._quantum / 2
        if playing and abs(away) / host.beats_per_second > APART_SECONDS:
            state.forceBeatAtTime(beats, micros, self._quantum)
            changed = True
        if bool(state.isPlaying()) != playing:
            state.setIsPlaying(playing, micros)
            changed = True
        if changed:
            self._link.commitSessionState(state)

    def _micros(self, seconds: float) -> int:
        return int(self._link.clock().micros()) + round((seconds - time.monotonic()) * MICROS)

    def close(self) -> None:
        """Leave the session.  [main]"""
        self._link.enabled = False
