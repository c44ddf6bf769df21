"""The estimator: the phase of beats against a grid, their drift, and no beat in material without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from beat_rig import RATE_HZ, chord, drums, noise, pad
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.audio_file import load
from engine.audio.convert import at_model_rate
from engine.beat import onsets
from engine.beat.estimate import NOTHING, Estimate, estimate
from engine.beat.steer import TAKEN_UP

REGIONS = sorted((Path(__file__).parents[3] / "presets" / "regions").glob("*.flac"))


def looked(audio: np.ndarray, bpm: float, off_beats: float = 0.0, near: Estimate | None = NOTHING) -> Estimate:
    """The estimate at the end of audio whose host is `off_beats` ahead."""
    found = onsets.strengths(audio)[-1200:]
    first = len(onsets.strengths(audio)) - len(found)
    beats = onsets.places(first, len(found)) * bpm / 60.0 / RATE_HZ + off_beats
    return estimate(found, beats, 60.0 / bpm, near)


def test_onset_strengths_are_the_same_however_the_audio_is_cut():
    audio = drums(120, 1.5).astype(np.float64)
    whole = onsets.strengths(audio)
    for cut in (1, 159, 160, 512, 700, 3333):
        state, parts = onsets.begin(), []
        for first in range(0, len(audio), cut if cut > 100 else 20_000 + cut):
            found, state = onsets.step(audio[first : first + (cut if cut > 100 else 20_000 + cut)], state)
            parts.append(found)
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-12)


@settings(max_examples=8, deadline=None)
@given(st.floats(-0.4, 0.4), st.sampled_from([72.0, 93.7, 128.0, 170.0]))
def test_the_phase_of_drums_is_found_to_a_few_milliseconds(off, bpm):
    found = looked(drums(bpm, 7.0), bpm, off, Estimate(off, 0.0, 1.0))
    assert abs(found.off_beats - off) * 60.0 / bpm < 0.004
    assert found.confidence > TAKEN_UP


@pytest.mark.parametrize("slower", [-0.03, -0.01, 0.015, 0.04])
def test_drift_is_found_where_nothing_is_expected(slower):
    audio = drums(120.0 * (1 - slower), 7.0)
    found = looked(audio, 120.0, near=None)
    assert found.drift == pytest.approx(slower, abs=0.003)
    assert found.confidence > TAKEN_UP


def test_half_and_double_time_lie_on_the_same_grid():
    for host in (60.0, 240.0):
        found = looked(drums(120.0, 7.0), host, near=None)
        assert abs(found.off_beats) * 60.0 / host < 0.005


@pytest.mark.parametrize(
    "audio", [pad(8), chord(8), noise(8), noise(8, 5) * chord(8)], ids=["pad", "chord", "noise", "hiss"]
)
@pytest.mark.parametrize("bpm", [76.0, 120.0])
def test_what_has_no_beat_is_not_believed_to_have_one(audio, bpm):
    assert looked(audio, bpm, near=None).confidence < 0.3
    assert looked(audio, bpm).confidence < 0.3


def test_onsets_in_bands_are_those_of_all_bands_and_say_what_begins():
    audio = drums(120, 4).astype(np.float64)
    banded = onsets.banded(audio)
    np.testing.assert_allclose(banded[0], onsets.strengths(audio), atol=1e-12)
    beat = round(0.5 * RATE_HZ / onsets.HOP_SAMPLES)
    low, high = (row[: 7 * beat].copy() for row in banded[[1, 3]])
    assert abs(int(low[beat:].argmax()) + beat - 2 * beat) < 3 or abs(int(low[beat:].argmax()) + beat - 4 * beat) < 3
    assert high[round(2.5 * beat) - 3 : round(2.5 * beat) + 3].max() > low[round(2.5 * beat) - 3 :][:6].max()
    assert onsets.banded(np.zeros(100)).shape == (4, 0)


def test_silence_says_nothing():
    assert looked(np.zeros(5 * RATE_HZ), 120.0) == NOTHING
    assert looked(drums(120, 1.0), 120.0) == NOTHING  # too short


def test_every_region_that_ships_is_on_its_grid_within_milliseconds():
    offs = []
    for path in REGIONS:
        bpm = float(path.stem.rsplit("-", 1)[1].removesuffix("bpm"))
        audio, rate_hz = load(path)
        found = looked(at_model_rate(audio, rate_hz, RATE_HZ)[0].numpy(), bpm)
        assert found.confidence > TAKEN_UP, path.stem
        assert abs(found.drift) < 0.004
        offs.append(abs(found.off_beats) * 60.0 / bpm)
    assert len(offs) == 9
    assert np.median(offs) < 0.005
    assert max(offs) < 0.012
