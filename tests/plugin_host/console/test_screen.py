"""Printed names with control characters, and audio files at full scale."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.region.region_file import read_region
from bridge.system.plain_text import is_plain
from plugin_host.console.screen import Screen
from plugin_host.host.full_scale import FULL_SCALE, within_full_scale
from plugin_host.run.region_layout import RegionRequest, lay_out_region, save_wav

EVIL = "riff\x1b]0;owned\x07\u202e"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_screen_obeys_no_name(encoding: str) -> None:
    memory = io.BytesIO()
    screen = Screen(io.TextIOWrapper(memory, encoding, newline="\n"))
    screen.say(f"{EVIL} Grüße {os.fsdecode(bytes([255]))}")
    screen.show(EVIL)
    text = memory.getvalue().decode(encoding)
    assert is_plain(text.replace("\n", ""))
    assert r"riff\x1b]0;owned\x07\u202e" in text


def music(peak: float) -> np.ndarray:
    noise = np.random.default_rng(1).standard_normal((96_000, 2)).astype(np.float32)
    return noise * np.float32(peak / np.abs(noise).max())


@pytest.mark.parametrize("peak", [0.5, 0.999, 1.0, 1.00001, 2.0, 3.9])
def test_nothing_that_is_written_is_clipped(tmp_path: Path, peak: float) -> None:
    audio, text = within_full_scale(music(peak))
    save_wav(tmp_path / "demo.wav", audio, 48_000)
    whole, _ = soundfile.read(tmp_path / "demo.wav", dtype="int32")
    assert np.count_nonzero(np.abs(whole >> 8) >= 2**23 - 1) <= 1
    assert bool(text) == (peak > FULL_SCALE)
    if peak == 2.0:
        assert "+6.0 dBFS" in text
    np.testing.assert_allclose(audio * max(1.0, peak), music(peak), atol=1e-5)


def test_a_region_above_full_scale_is_reported_and_reaches_the_engine_whole(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud-96bpm.wav", music(2.0), 48_000, subtype="FLOAT")
    layout = lay_out_region(RegionRequest(region=tmp_path / "loud-96bpm.wav", bpm=120.0), tmp_path)
    assert "it peaks at +6.0 dBFS" in layout.words
    assert layout.region is not None
    given = read_region(str(layout.region.path), "style", 120.0, 0.0).audio
    assert np.abs(given).max() == pytest.approx(np.abs(layout.clip.audio).max(), abs=1e-6)


@pytest.mark.parametrize("name", ["non-\udcff-utf8.wav", f"{EVIL}.wav"])
def test_a_file_whose_name_cannot_be_sent_is_handed_over_under_another(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / "plain.wav", music(0.5), 48_000)
    (tmp_path / "plain.wav").rename(tmp_path / name)
    layout = lay_out_region(RegionRequest(region=tmp_path / name, bpm=120.0), tmp_path)
    assert layout.region is not None
    assert layout.region.path == tmp_path / "region.wav"
    assert layout.clip is not None
    np.testing.assert_allclose(soundfile.read(layout.region.path)[0], layout.clip.audio, atol=1e-6)
