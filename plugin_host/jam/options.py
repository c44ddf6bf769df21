"""The options of a jam."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bridge.control.jam_rows import JAM_PORT
from bridge.time.units import Signature
from plugin_host.client.engine_request import EngineRequest
from plugin_host.jam.state import Mode
from plugin_host.sync.sync import SyncRequest

DEFAULT_BPM = 120.0
GENERATION_SECONDS = 0.5  # offline, where it is not measured


@dataclass(frozen=True)
class JamOptions:
    """Options of `segue jam`. `source`: a device, a file as the player, or None for the default device.

    `bars` None takes the mode's own number, `bpm` None 120 or the first loop's; `total_bars` 0 ends with the file, or
    never. `generation_seconds` and `round_trip_ms` None are measured. `midi_switch` is the port of a foot switch,
    `switches` what its messages mean, `latching` that it sends on at one press and off at the next; `controller` the
    port of a controller, and its map; `script` is the journal of a jam whose presses are repeated.
    """

    mode: Mode = "trade"
    source: str | int | Path | None = None
    out: Path = Path("segue-jam")
    bars: int | None = None
    bpm: float | None = None
    signature: Signature = Signature(4, 4)  # noqa: RUF009 - frozen
    sync: SyncRequest = field(default_factory=SyncRequest)
    prompts: tuple[str, ...] = ()
    preset: str = ""
    lanes: int = 1
    count_in_beats: int = 4
    total_bars: int = 0
    offline: bool = False
    keep: bool = False
    reference: str = "melody"
    sound_device: str | int | None = None
    rate_hz: int = 48_000
    seed: int = -1
    control_port: int = JAM_PORT
    generation_seconds: float | None = None
    round_trip_ms: float | None = None
    midi_switch: str = ""
    switches: str = ""
    latching: bool = False
    controller: tuple[str, Path | None] = ("", None)
    script: Path | None = None
    engine: EngineRequest = field(default_factory=EngineRequest)
