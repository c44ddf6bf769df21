"""Pairs of answers to recorded loops: the grid, and the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.conditions.frames import SAMPLE_RATE_HZ
from engine.train.evaluation.recorded import Loop
from engine.train.examples import Example, notes_of
from engine.train.loop_pairs import Pair, grid_of, page


def test_a_loop_gets_the_grid_that_is_detected_in_it_and_a_drone_none() -> None:
    rng = np.random.default_rng(1)
    audio = np.zeros(10 * SAMPLE_RATE_HZ, np.float32)
    for beat in range(20):  # 120 bpm
        at = beat * SAMPLE_RATE_HZ // 2
        audio[at : at + 1600] += rng.normal(0, 0.2, 1600).astype(np.float32) * np.linspace(1, 0, 1600, dtype=np.float32)
    grid = grid_of(Loop("clicks", audio))
    assert grid is not None
    assert abs(grid.bpm - 120) < 0.1
    tone = np.sin(np.arange(10 * SAMPLE_RATE_HZ) * 2 * np.pi * 98 / SAMPLE_RATE_HZ).astype(np.float32)
    assert grid_of(Loop("drone", tone)) is None


def test_what_is_written_below_a_picture_stays(tmp_path: Path) -> None:
    sound = np.zeros(8, np.float32)
    found = {"style": [Pair(Loop("a", sound), Example("a_old", "", sound), Example("a_new", "", sound))]}
    path = tmp_path / "index.md"
    path.write_text(page(found, {"style": "Looked at."}))
    assert "| a | [a_old.ogg](a_old.ogg) | [a_new.ogg](a_new.ogg) |" in path.read_text()
    assert page(found, notes_of(path)) == path.read_text()
