"""Where regions lie and takes begin."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.errors import RegionMissing, RegionSilent
from bridge.transport import Grid
from bridge.units import Signature
from plugin_host.takes.chunks import acid
from plugin_host.takes.place import RegionWish, place
from plugin_host.takes.wave import format_chunk, put, wave_bytes

RATE = 48_000
FOUR = Signature(4, 4)


def region(folder: Path, beats: float, bpm: float = 120.0, name: str = "riff") -> Path:
    n = round(beats * 60 / bpm * RATE)
    path = folder / f"{name}.wav"
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, n).astype(np.float32), RATE, "FLOAT")
    return path


def heard(flac: bytes) -> np.ndarray:
    return soundfile.read(io.BytesIO(flac), dtype="float32")[0]


@pytest.mark.parametrize(
    ("beats", "start", "role", "bar", "bars"),
    [
        (16, 0.0, "continue", 4, 8),
        (16, 8.0, "continue", 6, 8),
        (14, 8.0, "continue", 6, 8),  # ends in bar 5: two beats of silence
        (16, 8.0, "melody", 2, 4),
        (15, 9.0, "style", 2, 4),
        (3, 9.0, "melody", 2, 1),
    ],
)
def test_take_begins_on_a_bar(tmp_path: Path, beats: float, start: float, role: str, bar: int, bars: int) -> None:
    placed = place(RegionWish(region(tmp_path, beats), role, 120.0, start), None, FOUR, RATE)
    assert (placed.bpm, placed.start_bar, placed.bars) == (120.0, bar, bars)
    assert placed.region.start_beats == start


def test_what_is_gone_on_from_ends_on_the_bar_line(tmp_path: Path) -> None:
    """In 7/8 at a crooked tempo: cut to it, or filled up with silence."""
    grid, meter = Grid(RATE, 137.5, Signature(7, 8)), Signature(7, 8)
    for beats in (7.01, 6.2):
        placed = place(RegionWish(region(tmp_path, beats, 137.5), "continue", 137.5, 3.5), None, meter, RATE)
        audio = heard(placed.region.flac)
        assert placed.start_bar == 3
        assert len(audio) == pytest.approx(grid.bar_start(3) - grid.bar_start(1), abs=1)
    assert "silence" in placed.words
    assert np.abs(audio[-100:]).max() == 0


def test_unplaced_region_ends_on_a_bar_line_as_it_is(tmp_path: Path) -> None:
    placed = place(RegionWish(region(tmp_path, 6), "continue", 120.0), None, FOUR, RATE)
    assert (placed.region.start_beats, placed.start_bar) == (2.0, 2)
    assert len(heard(placed.region.flac)) == 6 * RATE // 2


def test_other_tempo_is_met(tmp_path: Path) -> None:
    path = region(tmp_path, 4, 100.0, "riff 100bpm")
    follow = place(RegionWish(path, "melody"), 120.0, FOUR, RATE)
    assert (follow.bpm, follow.region.bpm) == (120.0, 100.0)  # the engine hears it faster
    on = place(RegionWish(path, "continue"), 120.0, FOUR, RATE)
    assert on.region.bpm == 120.0
    assert len(heard(on.region.flac)) == 2 * RATE
    assert "at its pitch" in on.words


def test_tempo_is_what_the_file_says_before_its_name(tmp_path: Path) -> None:
    data = (np.random.default_rng(1).normal(0, 3000, 4 * RATE)).astype("<i2").tobytes()
    body = acid(87.5, 8, FOUR, "", True)
    put(tmp_path / "riff 120bpm.wav",
        wave_bytes([(b"fmt ", format_chunk(RATE, 1, 16)), (b"acid", body), (b"data", data)]))  # fmt: skip
    placed = place(RegionWish(tmp_path / "riff 120bpm.wav", "style"), None, FOUR, RATE)
    assert placed.bpm == 87.5
    assert "as the file says" in placed.words


def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(RegionMissing):
        place(RegionWish(tmp_path / "none.wav", "style"), None, FOUR, RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    with pytest.raises(RegionSilent):
        place(RegionWish(tmp_path / "silent.wav", "style"), None, FOUR, RATE)


def test_region_above_full_scale_is_kept_without_clipping(tmp_path: Path) -> None:
    path = region(tmp_path, 4)
    audio, _ = soundfile.read(path, dtype="float32")
    soundfile.write(path, audio * 8, RATE, "FLOAT")
    placed = place(RegionWish(path, "style", 120.0), None, FOUR, RATE)
    assert "scaled down" in placed.words
    kept = heard(placed.region.flac)
    assert np.abs(kept - audio / np.abs(audio).max()).max() < 1e-6


def test_a_region_that_is_missing_is_told_before_an_engine_starts(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "plugin_host.cli", "take", "--region", str(tmp_path / "none.wav")]
    done = subprocess.run([*command, "--out", str(tmp_path / "takes")], capture_output=True, text=True, timeout=60)
    assert done.returncode
    assert "none.wav' cannot be opened" in done.stderr
    assert not done.stdout  # where it says that an engine starts
