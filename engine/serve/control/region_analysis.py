"""Analyses each region once, and stretches regions of another tempo to the host's. All of it [regions].

bpm 0                bridge/region/tempo.py finds the tempo; if that needs the audio, it is analysed first
continue, style      stretched to the host's tempo (or half or double of it), at its pitch: `region_tempo` 1
melody               read at the host's tempo by the model itself
melody, style        a tail behind their whole bars is cut off: they loop
any                  analysed in another process, once it is in use; the same audio never twice
"""

from __future__ import annotations

import hashlib
import logging
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bridge.control.parameters import REGION_TEMPO
from bridge.errors import OutOfRange, RegionSilent
from bridge.region.region import SILENCE_DBFS, Region, level_dbfs
from bridge.region.tail import Length, length_of, tail_words
from bridge.region.tempo import counted_bpm, own_tempo, speed_to, with_detected
from bridge.time.transport import Transport
from bridge.time.units import CODEC_RATE_HZ, beats_to_samples, nearest
from engine.beat.analyse import SECONDS_MOST, RegionBeat, analyse_apart
from engine.beat.stretch import SAME, stretched
from engine.listen.rumble import WORTH_SHARE, without_rumble
from engine.serve.lane.lane import Lane
from engine.serve.lane_settings import CONTINUE, MELODY, ReferenceAudio

if TYPE_CHECKING:
    from torch import Tensor

RESULTS_MAX = 64  # results, of the newest regions
SLOWEST_BPM = 20.0
UNKNOWN = RegionBeat()
_log = logging.getLogger("segue.engine")


class RegionAnalysis:
    """Analyses regions and stores the results by content."""

    def __init__(self) -> None:
        self._found: dict[bytes, RegionBeat] = {}

    def analyse(
        self, audio: Tensor, given_bpm: float, beats_per_bar: float, hurry: bool = False, hint_bpm: float = 0.0
    ) -> RegionBeat:
        """Tempo, beats and key of audio [C, n] at 32 kHz; an empty result if they cannot be found.

        `hint_bpm` is the song's tempo, 0 if unknown; `hurry` if a client waits.  [regions]
        """
        from engine.audio.mono import to_mono

        mono = to_mono(audio[:, : SECONDS_MOST * CODEC_RATE_HZ], CODEC_RATE_HZ)[0][0].numpy().astype(np.float32)
        return self._analyse_mono(mono, given_bpm, beats_per_bar, hurry, hint_bpm)

    def _analyse_mono(
        self, mono: NDArray[np.float32], given_bpm: float, beats_per_bar: float, hurry: bool, hint_bpm: float
    ) -> RegionBeat:
        form = np.array([given_bpm, beats_per_bar, hint_bpm]).tobytes()
        name = hashlib.blake2b(mono.tobytes() + form, digest_size=16).digest()
        if name not in self._found:
            try:
                self._found[name] = analyse_apart(mono, given_bpm, beats_per_bar, hurry, hint_bpm)
            except (OSError, ValueError, subprocess.SubprocessError) as fault:
                _log.warning("a region could not be analysed: %s", fault)
                return UNKNOWN
            while len(self._found) > RESULTS_MAX:
                del self._found[next(iter(self._found))]
        return self._found[name]

    def fitted(
        self, lane: Lane, region: Region, audio: Tensor, rate_hz: int, path: str = ""
    ) -> tuple[Region, ReferenceAudio]:
        """A region [C, n] as reference audio with a known tempo; the region's note says what was done.

        `path` is its file, whose name and chunks may hold its tempo.  [regions]
        """
        host = lane.clock.now()
        region = self._timed(lane, region, audio, host, path)
        region, audio = _without_tail(region, audio, rate_hz, lane.clock.or_standing())
        if host is None:
            return region, ReferenceAudio(audio, region.bpm, region.start_beats, rate_hz)
        counted = counted_bpm(region.bpm, host.tempo_bpm)
        if region.role == MELODY or not lane.wanted.get(REGION_TEMPO):
            return region, ReferenceAudio(audio, counted, region.start_beats, rate_hz)
        speed = speed_to(region.bpm, host.tempo_bpm)
        if abs(speed - 1.0) >= SAME:
            import torch

            audio = torch.from_numpy(stretched(audio.numpy(), speed))
            region = _noted(region, f"stretched from {region.bpm:g} to {region.bpm * speed:g} bpm")
            counted = host.tempo_bpm
        return region, ReferenceAudio(audio, counted, region.start_beats, rate_hz)

    def _timed(self, lane: Lane, region: Region, audio: Tensor, host: Transport | None, path: str) -> Region:
        """The region with its tempo, found if the client sent 0."""
        standing, song_bpm = lane.clock.or_standing(), host.tempo_bpm if host else 0.0
        per_bar = float(standing.signature.beats_per_bar)
        own = own_tempo(path, region.seconds, per_bar, song_bpm, region.bpm)
        if region.bpm:
            return _noted(region, own.words if own.doubt else "")
        if own.open:
            found = self.analyse(audio, 0.0, per_bar, hurry=True, hint_bpm=song_bpm)
            own = with_detected(own, found.bpm, found.bpm_sure, region.seconds, per_bar, song_bpm)
        return replace(_noted(region, own.words), bpm=own.bpm)


def _without_tail(region: Region, audio: Tensor, rate_hz: int, host: Transport) -> tuple[Region, Tensor]:
    """A looped region without the tail behind its whole bars; its note names the tail."""
    bar = host.signature.beats_per_bar
    length: Length = length_of(audio.T.numpy(), rate_hz, region.bpm, bar, region.start_beats)
    whole = length.beats % bar == 0
    if region.role == CONTINUE or not whole:
        used = "cut where it is gone on from" if region.role == CONTINUE and whole else ""
        return (_noted(region, tail_words(length, region.bpm, used)) if used else region), audio
    words = tail_words(length, region.bpm, "left out, since it goes round and round")
    if not words:
        return region, audio
    return _noted(region, words), audio[:, : nearest(beats_to_samples(length.beats, region.bpm, rate_hz))]


def cleaned(region: Region, audio: Tensor) -> tuple[Region, Tensor]:
    """A region [C, n] at 32 kHz without DC and rumble, mono unless it is an audio prompt; its note says what was done.

    The continuation behind its end keeps what lies below 25 Hz, so that no step is heard there.  [regions]
    """
    import torch

    from engine.audio.mono import LOST_SHARE, lost_share, to_mono

    clean, share = without_rumble(audio.numpy(), CODEC_RATE_HZ)
    if share >= WORTH_SHARE:
        words = f"{100 * share:.0f} % of its power is DC or rumble below 25 Hz, which is taken out before it is used"
        region, audio = _noted(region, words), torch.from_numpy(clean)
        if level_dbfs(clean.T) <= SILENCE_DBFS:
            raise RegionSilent("the region holds nothing but DC and rumble below 25 Hz")
    if audio.shape[0] == 2 and lost_share(audio, CODEC_RATE_HZ) >= LOST_SHARE:
        region = _noted(region, "its channels cancel each other (out of phase): each is used in turn, not their sum")
    return region, audio if region.role == CONTINUE else to_mono(audio, CODEC_RATE_HZ)[0]


def check_bpm(bpm: float) -> float:
    """A region's tempo as a client sent it, 0 for "analyse it"; OutOfRange for one that is too slow.  [control]"""
    if 0 < bpm < SLOWEST_BPM:
        raise OutOfRange(f"bpm is {bpm:g}, must be {SLOWEST_BPM:g} to 999, or 0 to have it found out")
    return bpm


def found_values(found: RegionBeat) -> tuple[object, ...]:
    """The result in the order of the message table: tempo, first bar, beats, key, each with confidence.  [any]"""
    tempo, bar = (found.bpm, found.bpm_sure), (found.first_bar, found.bar_sure)
    return *tempo, *bar, found.beats, found.key, found.key_sure


def _noted(region: Region, note: str) -> Region:
    return replace(region, note="; ".join(part for part in (region.note, note) if part))
