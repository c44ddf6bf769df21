"""Measures of recorded loops on sounds whose answer is known, and what is said where the loops are missing."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from engine.errors import UnsupportedError
from engine.train.evaluation import rows_recorded, sound
from engine.train.evaluation.recorded import FOLDER, NAMES, recorded_loops
from engine.train.evaluation.table import EvaluationReport

RATE = 32000


def noise(seconds: float = 2.0, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(int(seconds * RATE))).astype(np.float32)


def tone(hz: float, seconds: float = 2.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def test_levels_of_thirds_are_each_their_own() -> None:
    parts = [tone(100.0), tone(800.0), tone(5000.0)]
    heard = parts[0] * 10 ** (-3 / 20) + parts[1] + parts[2] * 10 ** (2 / 20)
    assert sound.thirds_db(sum(parts), heard.astype(np.float32)) == pytest.approx([-3.0, 0.0, 2.0], abs=0.05)
    assert sound.level_difference_db(parts[2], 2 * parts[2], 8000.0, 16000.0) == pytest.approx(6.02, abs=0.1)


def test_tonal_share_of_the_bass() -> None:
    assert sound.tonal_bass_share(tone(110.0)) > 0.95
    assert sound.tonal_bass_share(noise()) < 0.55


def test_attacks_that_are_smeared_rise_less() -> None:
    audio = np.zeros(2 * RATE, np.float32)
    for at in range(4000, len(audio), 8000):
        audio[at : at + 800] = noise()[:800]
    smeared = np.convolve(audio**2, np.ones(640) / 640, "same") ** 0.5
    assert sound.attacks_db(audio, audio) > 30.0
    assert sound.attacks_db(audio, smeared) < sound.attacks_db(audio, audio) - 10.0


def test_timbre_is_known_again_at_another_level() -> None:
    def dark_even_bright(seed: int, gain: float) -> list[np.ndarray]:
        even = gain * noise(seed=seed)
        return [(np.cumsum(even) / 50).astype(np.float32), even, np.diff(even, append=even[-1:])]

    regions, later = dark_even_bright(0, 1.0), dark_even_bright(1, 0.6)
    assert rows_recorded.timbre_kept(regions, later) == ([1.0] * 3, [1.0] * 3)
    nearest, _ = rows_recorded.timbre_kept(regions, later[1:] + later[:1])
    assert nearest == [0.0] * 3


def test_missing_loops_are_named_and_the_rows_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsupportedError, match=r"apt install sonic-pi-samples.*loop_tabla\.flac"):
        recorded_loops(4.0, tmp_path)
    monkeypatch.setattr(rows_recorded, "recorded_loops", lambda seconds: recorded_loops(seconds, tmp_path))
    report = EvaluationReport()
    rows_recorded.recorded_rows(SimpleNamespace(report=report, plan=SimpleNamespace(seconds=4.0)))
    assert [(row.what, row.count) for row in report.rows] == [("skipped", 0)]
    assert "apt install sonic-pi-samples" in report.rows[0].note


@pytest.mark.skipif(not FOLDER.is_dir(), reason="needs Debian's sonic-pi-samples")
def test_loops_are_repeated_to_one_length_and_loudness() -> None:
    loops = recorded_loops(5.0)
    assert tuple(loop.name for loop in loops) == NAMES
    for loop in loops:
        assert loop.audio.shape == (5 * RATE,)
        assert float(np.sqrt((loop.audio.astype(np.float64) ** 2).mean())) == pytest.approx(0.09, rel=1e-3)
    short = loops[NAMES.index("industrial")].audio
    period = round(0.8837415 * RATE)
    assert np.corrcoef(short[:period], short[period : 2 * period])[0, 1] > 0.8
