"""Figures and picture of a run with known results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridge.ring.layout import ENDLESS_SAMPLES
from bridge.time.transport import Grid
from plugin_host.console.screen import Screen
from plugin_host.demo.picture import save_picture
from plugin_host.host.headless import Column, HostRecording
from plugin_host.playback.processor import BlockState, Processor
from plugin_host.run import report

RATE, BLOCK = 8000, 100


def made_take(stretch: report.MusicStretch, low: int) -> HostRecording:
    """A run with a fill of 1600 samples, `low` in one block, and an empty ring at the end, as intended."""
    n = stretch.end_samples // BLOCK
    log = np.zeros((n, len(Column)), np.int64)
    log[:, Column.POSITION] = log[:, Column.RECORDED] = np.arange(n) * BLOCK
    log[:, Column.N_SAMPLES] = BLOCK
    log[:, Column.STATE] = BlockState.PLAYING
    left = stretch.end_samples - log[:, Column.POSITION] - BLOCK
    log[:, Column.FILL] = np.minimum(1600, left)
    log[: stretch.start_samples // BLOCK, Column.FILL] = 0  # not due yet: does not count
    log[n // 2, Column.FILL] = low
    log[n // 2 : n // 2 + 20, Column.STATE] = BlockState.HOLDING
    at = np.arange(stretch.end_samples)
    audio = (0.5 * np.sin(at * 0.05))[:, None].repeat(2, axis=1).astype(np.float32)
    return HostRecording(audio, log)


@pytest.fixture
def stretch() -> report.MusicStretch:
    grid = Grid(RATE, 120.0)
    return report.MusicStretch(grid, 2, 4)


def test_lowest_fill_is_the_one_that_mattered(stretch: report.MusicStretch) -> None:
    assert report.fill_low(made_take(stretch, 700), stretch) == 700
    assert report.fill_low(made_take(stretch, 1600), stretch) == 1600
    empty = HostRecording(np.zeros((0, 2), np.float32), np.zeros((0, len(Column)), np.int64))
    assert report.fill_low(empty, stretch) is None


def test_music_is_asked_for_at_the_bar_not_at_its_rounded_sample() -> None:
    """At 146 bpm bar 4 begins 0.44 after a sample; eight beats from that sample would end one early."""
    made = report.MusicStretch(Grid(48_000, 146.0), 4, 2)
    assert made.start_beats == 16.0
    assert (made.start_samples, made.end_samples) == (315_616, 473_425)
    assert report.MusicStretch(Grid(48_000, 146.0), 4, 0).end_samples == ENDLESS_SAMPLES


def test_report_names_every_figure(stretch: report.MusicStretch) -> None:
    processor = Processor(RATE)
    processor.counters.underruns, processor.counters.missed_samples = 2, 4000
    processor.counters.held_samples, processor.drops.late_blocks = 6000, 7
    take = made_take(stretch, 400)
    found = report.figures(take, stretch, processor, 0.123, 4.56, 321.0, host_late=3, engine_losses=1)
    text = "\n".join(report.lines(found, stretch.grid))
    for part in (
        "123 ms",
        "4.6 x",
        "50 ms (0.10 beats)",
        "0.50 s",
        "0.75 s held",
        "321 MB",
        "taken up again",
    ):
        assert part in text, text
    values = {line.split("  ")[1]: line.split()[-1] for line in text.splitlines()}
    assert values["late blocks"] == "7"
    assert values["underruns"] == "2"


def test_envelope_keeps_every_peak() -> None:
    audio = np.zeros((1000, 2), np.float32)
    audio[123, 1], audio[999, 0] = 0.9, -0.8
    found = report.envelope(audio, 10)
    assert found[1, 1] == np.float32(0.9)
    assert found[9, 0] == np.float32(-0.8)
    assert not found[2:9].any()


def test_picture_shows_region_continuation_and_held_apart(stretch: report.MusicStretch, tmp_path: Path) -> None:
    from matplotlib import image

    path = tmp_path / "demo.png"
    save_picture(path, made_take(stretch, 400), stretch, "a run", 400)
    pixels = image.imread(path)[:, :, :3]
    assert pixels.shape[:2] == (800, 1600)
    upper = pixels[100:400]

    def share(colour: tuple[float, float, float], columns: slice) -> float:
        return float((np.abs(upper[:, columns] - np.array(colour)).max(axis=2) < 0.12).mean())

    grey, orange = (0x8A / 255, 0x8F / 255, 0x98 / 255), (0xD9 / 255, 0x82 / 255, 0x2B / 255)
    assert share(grey, slice(150, 500)) > 0.1 > 0.01 > share(orange, slice(150, 500))
    assert share(orange, slice(650, 750)) > 0.1
    assert share(grey, slice(1200, 1500)) < 0.02


def test_progress_line_is_written_over_on_a_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.show("one")
    screen.show("two")
    screen.say("stays")
    assert capsys.readouterr().out == "one\nstays\n"
    screen._terminal = True
    screen.show("one")
    screen.say("stays")
    assert capsys.readouterr().out == "one\r\x1b[Kstays\n"


@pytest.mark.filterwarnings("error")
def test_a_picture_of_a_file_with_any_name(stretch: report.MusicStretch, tmp_path: Path) -> None:
    """Bytes that are not UTF-8, an invalid formula, escapes, letters missing from the font."""
    save_picture(tmp_path / "a.png", made_take(stretch, 400), stretch, "n\udcffon $x_$ \x1b[31m ループ", 400)
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
