"""The tempo of a command's region: by the rules of `bridge.region.tempo`, and by the engine's detection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import UnknownAddress
from bridge.region.region import Region
from bridge.region.region_file import read_region
from bridge.region.tempo import OwnTempo, counted_bpm, own_tempo, with_detected
from bridge.system.plain_text import plain
from bridge.time.units import Signature
from plugin_host.client.client import EngineClient

DETECTING = "detecting its tempo: neither the file nor its name says its tempo"
Detector = Callable[[Path, float, Signature], tuple[float, float]]  # file, hint in bpm or 0: tempo and certainty


def no_detector(path: Path, hint_bpm: float, signature: Signature) -> tuple[float, float]:
    """Detects nothing.  [any]"""
    return 0.0, 0.0


def detector_of(client: EngineClient, say: Callable[[str], None]) -> Detector:
    """Tempo detection by a client's engine.  [main]"""

    def detect(path: Path, hint_bpm: float, signature: Signature) -> tuple[float, float]:
        say(DETECTING)
        try:
            found = client.listen(path, hint_bpm, signature)
        except UnknownAddress:  # an engine older than this host
            return 0.0, 0.0
        return found.bpm, found.sure

    return detect


@dataclass(frozen=True)
class ReadRegion:
    """A region and its tempo; `song_bpm` is 0 if the song takes the region's tempo."""

    path: Path
    region: Region
    tempo: OwnTempo
    signature: Signature
    song_bpm: float = 0.0

    @property
    def bpm(self) -> float:
        """Tempo of the song: the region's own, unless another is given.  [any]"""
        return self.song_bpm or self.tempo.bpm

    @property
    def counted_bpm(self) -> float:
        """The region's tempo with its beats counted like the song's: 87 with a song at 174 is 174.  [any]"""
        return counted_bpm(self.tempo.bpm, self.bpm)

    def with_tempo(self, detect: Detector) -> ReadRegion:
        """The same with a final tempo: detected if the rules leave it open.  [main]"""
        if not self.tempo.open:
            return self
        bpm, sure = detect(self.path, self.song_bpm, self.signature)
        per_bar = float(self.signature.beats_per_bar)
        tempo = with_detected(self.tempo, bpm, sure, self.region.seconds, per_bar, self.song_bpm)
        return ReadRegion(self.path, self.region, tempo, self.signature, self.song_bpm)

    @property
    def words(self) -> list[str]:
        """The file, its tempo, and how it is played, as text.  [any]"""
        said = [f"{plain(self.path.name)}, {self.region.seconds:.1f} s at {self.tempo.words}"]
        if self.counted_bpm != self.bpm:
            half = f", counted as {self.counted_bpm:g}" if self.counted_bpm != self.tempo.bpm else ""
            said.append(f"played at {self.bpm:g} bpm{half}, at its pitch")
        elif self.tempo.bpm != self.bpm:
            said.append(f"half or double of {self.bpm:g} bpm: on its beat as it is")
        return [*said, self.region.note] if self.region.note else said


def read_requested(
    path: Path, role: str, signature: Signature, song_bpm: float | None = None, given_bpm: float | None = None
) -> ReadRegion:
    """Read a region, and find its tempo by the rules without detection. Raises a RegionError.  [main]"""
    region = read_region(str(path), role, 120.0, 0.0)
    tempo = own_tempo(str(path), region.seconds, float(signature.beats_per_bar), song_bpm or 0.0, given_bpm or 0.0)
    return ReadRegion(path, region, tempo, signature, song_bpm or 0.0)
