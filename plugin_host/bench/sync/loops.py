"""Recorded drum loops as material, not made by a sequencer. They are in Debian's package (CC0), not in Segue.

A loop is cut on its beats, so its tempo follows from its length: `LOOPS` has the number of beats of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bridge.region.region_file import read_region
from plugin_host.bench.sync.results import SceneResults
from plugin_host.bench.sync.stage import RATE_HZ, Stage
from plugin_host.bench.sync.steady import measure_steady
from plugin_host.console.output import save_wav
from plugin_host.run.region_layout import RegionLayout, RegionRequest, lay_out_region

FOLDER = Path("/usr/share/sonic-pi/samples")
PACKAGE = "sonic-pi-samples"
LEAST_SECONDS = 7.0  # of a region: shorter loops are repeated
LOOPS = {"loop_breakbeat.flac": 4, "loop_compus.flac": 16, "loop_mika.flac": 16, "loop_garzul.flac": 16}


@dataclass(frozen=True)
class BeatLoop:
    """A recording of whole beats."""

    path: Path
    beats: int


def recorded_loops(folder: Path = FOLDER) -> list[BeatLoop]:
    """The loops on this computer.  [main]"""
    return [BeatLoop(folder / name, beats) for name, beats in LOOPS.items() if (folder / name).is_file()]


def laid_out(loop: BeatLoop, folder: Path) -> tuple[RegionLayout, float]:
    """A loop, repeated to a usable length, on a host's timeline at its own tempo; and that tempo in bpm.  [main]"""
    region = read_region(str(loop.path), "continue", 120.0, 0.0)
    bpm = 60.0 * loop.beats / region.seconds
    bars = max(loop.beats // 4, 1)
    times = max(-(-int(LEAST_SECONDS * 1000) // int(region.seconds * 1000)), 1)
    path = folder / f"{loop.path.stem}-{bars * times}-bars.wav"
    save_wav(path, np.tile(region.audio, (times, 1)), region.rate_hz)
    return lay_out_region(RegionRequest(region=path, bpm=bpm, rate_hz=RATE_HZ), folder), bpm


def measure_loops(stage: Stage, seconds: float) -> SceneResults:
    """Measure each loop, continued at its own tempo; a row says so if there are none.  [main]"""
    found, loops = SceneResults(), recorded_loops()
    if not loops:
        stage.screen.say(f"  no recorded loops on this computer: apt install {PACKAGE}")
    for loop in loops:
        layout, bpm = laid_out(loop, stage.folder)
        found.take(measure_steady(stage, layout, bpm, seconds, f"{loop.path.stem} at {bpm:.2f} bpm"))
    return found
