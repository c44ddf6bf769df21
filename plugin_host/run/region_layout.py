"""The layout of a region on the host's timeline, and its file for the engine."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from bridge.region.tail import length_of, tail_words
from bridge.system.plain_text import is_plain
from bridge.time.transport import Grid
from bridge.time.units import Signature
from plugin_host.client.lane_session import RegionFile
from plugin_host.console.output import OutputError, save_wav
from plugin_host.host.clip import Clip, fit, place_before_bar, tempo_of
from plugin_host.run.region_tempo import Detector, ReadRegion, no_detector, read_requested
from plugin_host.run.report import MusicStretch

CHANNELS = 2


@dataclass(frozen=True)
class RegionRequest:
    """The user's options; `bpm` is the song's tempo, None takes the region's own, `bars` 0 is endless.

    `leader_bpm` is the leader's tempo, if known: the host begins with it, and it is the song's. `region_bpm` is the
    region's own tempo, None lets `bridge.region.tempo` find it.
    """

    role: str = "continue"
    region: Path | None = None
    bpm: float | None = None
    bars: int = 16
    rate_hz: int = 48_000
    signature: Signature = Signature(4, 4)  # noqa: RUF009 - frozen
    leader_bpm: float | None = None
    region_bpm: float | None = None

    @property
    def song_bpm(self) -> float | None:
        """Tempo of the song, if it is given.  [any]"""
        return self.leader_bpm or self.bpm


@dataclass(frozen=True)
class RegionLayout:
    """The region on the host's timeline, and the file that the engine reads."""

    clip: Clip | None
    stretch: MusicStretch
    region: RegionFile | None
    words: str


def shipped_regions() -> dict[str, Path]:
    """The regions in the package, by name.  [main]"""
    folder = Path(str(resources.files("presets"))) / "regions"
    return {path.stem: path for path in sorted(folder.glob("*.*")) if path.suffix in (".flac", ".wav")}


def find_region(request: RegionRequest) -> Path:
    """The requested file, an included region by name, or the included one nearest to the tempo.

    OutputError if the package has none.  [main]
    """
    shipped = shipped_regions()
    if request.region is not None:
        return shipped.get(str(request.region), request.region.expanduser().absolute())
    if not shipped:
        raise OutputError("the package has no regions: is it installed whole? Give one of yours: --region FILE")
    wanted = request.song_bpm or 120.0
    return min(shipped.values(), key=lambda path: abs(tempo_of(path, 8.0)[0] - wanted))


def read_for(request: RegionRequest) -> ReadRegion:
    """Read the region; its tempo may still be open. Raises a RegionError.  [main]"""
    return read_requested(find_region(request), request.role, request.signature, request.song_bpm, request.region_bpm)


def lay_out_region(
    request: RegionRequest, copies: Path, read: ReadRegion | None = None, detect: Detector = no_detector
) -> RegionLayout:
    """Lay the region, `read` or read now, on the timeline, so that it ends on the bar line where the music continues.

    A region of another tempo than the host's is stretched and written to `copies`, as is one whose name is not safe
    to send. Raises a RegionError, or OutputError if the copy cannot be written.  [main]
    """
    found = (read or read_for(request)).with_tempo(detect)
    path, region, own_bpm, bpm = found.path, found.region, found.counted_bpm, found.bpm
    grid = Grid(request.rate_hz, bpm, request.signature)
    audio = fit(region.audio, region.rate_hz, own_bpm, grid, CHANNELS)
    goes_on = request.role == "continue"
    length = length_of(audio, request.rate_hz, bpm, request.signature.beats_per_bar)
    tail = tail_words(length, bpm, "cut where Segue goes on" if goes_on else "they ring on while Segue begins")
    clip, bar = place_before_bar(audio, grid, fade_out=not goes_on)
    if own_bpm != bpm or not is_plain(str(path)):  # a copy replaces a file whose name is not safe to send
        path = copies / "region.wav"
        save_wav(path, clip.audio, request.rate_hz, as_floats=True)
    start_beats = float(grid.beats_at(clip.start_samples))
    handed = RegionFile(request.role, path, bpm, start_beats)
    words = "; ".join(filter(None, [*found.words, tail]))
    return RegionLayout(clip, MusicStretch(grid, bar, request.bars), handed, words)


def lay_out_nothing(request: RegionRequest) -> RegionLayout:
    """The layout without a region: the music begins with the timeline.  [main]"""
    grid = Grid(request.rate_hz, request.song_bpm or 120.0, request.signature)
    return RegionLayout(None, MusicStretch(grid, 0, request.bars), None, "none: Segue begins by itself")
