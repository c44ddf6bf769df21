"""Measures of form tell sections from one long section, on sounds whose form is known."""

import numpy as np
import pytest

from engine.train.evaluation.form import attacks_a_second, density_change, level_change_db, novelty

RATE_HZ = 32000


def clicks(a_second: float, seconds: float, hz: float) -> np.ndarray:
    """Short tones, so many a second."""
    at = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    since = at % (1.0 / a_second)
    return (0.3 * np.sin(2 * np.pi * hz * at) * np.exp(-since / 0.03)).astype(np.float32)


def test_sections_are_heard_and_repetition_is_not() -> None:
    one = clicks(2.0, 64.0, 500.0)
    two = np.concatenate([clicks(2.0, 32.0, 500.0), clicks(2.0, 32.0, 4000.0)])
    assert novelty(one) == pytest.approx(0.0, abs=0.05)
    assert novelty(two) > 1.0
    moved = np.concatenate([two[40 * RATE_HZ :], two[: 40 * RATE_HZ]])
    assert novelty(moved) > 0.5, "wherever the boundary is"


def test_density_and_level_change_with_the_music() -> None:
    steady, denser = clicks(4.0, 48.0, 500.0), np.concatenate([clicks(1.0, 24.0, 500.0), clicks(4.0, 24.0, 500.0)])
    assert attacks_a_second(steady) == pytest.approx(4.0, abs=0.2)
    assert density_change(steady) < 0.1
    assert density_change(denser) == pytest.approx(1.5, abs=0.2)
    louder = np.concatenate([steady[: 24 * RATE_HZ] * 0.1, steady[24 * RATE_HZ :]])
    assert level_change_db(steady) < 0.1
    assert level_change_db(louder) == pytest.approx(10.0, abs=0.3)
