"""Tempo, beats, bars and key of regions; regions stretched to another tempo at their pitch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from beat_rig import RATE_HZ, chord, drums, noise, pad

from bridge.region.tempo import speed_to
from engine.audio.audio_file import load
from engine.audio.convert import at_model_rate
from engine.beat.analyse import analyse, analyse_apart
from engine.beat.key import find_key, pitch_classes, scale_of
from engine.beat.stretch import stretched

REGIONS = sorted((Path(__file__).parents[3] / "presets" / "regions").glob("*.flac"))


def region(path: Path) -> tuple[np.ndarray, float]:
    audio, rate_hz = load(path)
    return at_model_rate(audio, rate_hz, RATE_HZ)[0].numpy(), float(path.stem.rsplit("-", 1)[1].removesuffix("bpm"))


def scale(tonic_hz: float, steps: tuple[int, ...]) -> np.ndarray:
    """A melody up and down a scale, longest on tonic and fifth."""
    parts = []
    for step in (0, *steps, 12, *reversed(steps), 0, 0, 7, 0):
        t = np.arange(RATE_HZ // 4) / RATE_HZ
        hz = tonic_hz * 2 ** (step / 12)
        parts.append(np.sin(2 * np.pi * hz * t) * 0.2 + np.sin(4 * np.pi * hz * t) * 0.05)
    return np.concatenate(parts)


def test_tempo_beats_and_key_of_the_regions_that_ship():
    for path in REGIONS[::4]:
        audio, bpm = region(path)
        found = analyse(audio)
        assert found.bpm == pytest.approx(bpm, rel=0.001), path.stem
        assert found.bpm_sure > 0.5
        assert analyse(audio, hint_bpm=bpm).bpm_sure > 0.9
        assert found.beats == pytest.approx(16, abs=0.02)
        assert min(found.first_beat, 1 - found.first_beat) < 0.03
        assert found.key


def test_the_bar_of_a_region_that_begins_on_its_third_beat():
    audio, bpm = region(next(path for path in REGIONS if "hiphop" in path.stem))
    beat = 60 * RATE_HZ / bpm
    found = analyse(np.concatenate([audio[round(2 * beat) :], audio[: round(6 * beat)]]))
    assert found.bpm == pytest.approx(bpm, rel=0.002)
    assert found.first_bar == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("audio", [pad(8), chord(8), noise(8), np.zeros(8 * RATE_HZ, np.float32)])
def test_what_has_no_beat_gets_no_tempo(audio):
    found = analyse(audio)
    assert (found.bpm, found.bpm_sure, found.first_bar) == (0.0, 0.0, 0.0)


def test_what_is_reported_decides_between_double_and_half():
    audio = drums(75, 10)
    assert analyse(audio, given_bpm=75).bpm == pytest.approx(75, rel=0.002)
    assert analyse(audio, given_bpm=150).bpm == pytest.approx(150, rel=0.002)


def test_a_tempo_that_is_reported_wrong_is_not_believed():
    assert analyse(drums(120, 8), given_bpm=97).bpm == pytest.approx(120, rel=0.002)


@pytest.mark.parametrize(
    ("steps", "mode"), [((2, 4, 5, 7, 9, 11), "major"), ((2, 3, 5, 7, 8, 10), "minor")], ids=["major", "minor"]
)
@pytest.mark.parametrize(("tonic_hz", "name"), [(261.63, "C"), (369.99, "F#"), (440.0, "A")])
def test_keys_of_scales(steps, mode, tonic_hz, name):
    assert find_key(pitch_classes(scale(tonic_hz, steps)))[0] == f"{name} {mode}"


def test_scales_of_keys():
    assert scale_of("C major") == scale_of("A minor") == {0, 2, 4, 5, 7, 9, 11}
    assert scale_of("Eb minor") == scale_of("F# major") == {6, 8, 10, 11, 1, 3, 5}


def test_silence_and_noise_have_no_key_to_be_sure_of():
    assert find_key(pitch_classes(np.zeros(RATE_HZ))) == ("", 0.0)
    assert find_key(pitch_classes(noise(4).astype(np.float64)))[1] < 0.5


def test_a_process_of_its_own_finds_the_same():
    audio = drums(120, 4)
    assert analyse_apart(audio, 120.0, hurry=True) == analyse(audio, 120.0)


# -- another tempo --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "host", "speed"), [(100, 120, 1.2), (75, 150, 1.0), (170, 85, 1.0), (92, 176, 176 / 184), (120, 120, 1.0)]
)
def test_the_nearest_of_tempo_half_and_double_is_gone_to(own, host, speed):
    assert speed_to(own, host) == pytest.approx(speed)


@pytest.mark.parametrize("host", [84.0, 120.0])
def test_stretched_music_is_on_the_hosts_beat_at_its_pitch(host):
    audio = np.stack([drums(100, 9.6)] * 2)
    out = stretched(audio, speed_to(100, host))
    assert out.shape == (2, round(audio.shape[1] * 100 / host))
    found = analyse(out[0], given_bpm=host)
    assert found.bpm == pytest.approx(host, rel=0.002)
    assert min(found.first_beat, 1 - found.first_beat) * 60 / host < 0.008
    tone = stretched(chord(4)[None], host / 100)[0]
    size = 1 << 16
    detected, given = (np.abs(np.fft.rfft(each[RATE_HZ // 2 :][:size], size)) for each in (tone, chord(4)))
    assert abs(int(detected[300:600].argmax()) - int(given[300:600].argmax())) <= 2  # 220 Hz


def test_speeds_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"must be 0\.5 to 2"):
        stretched(chord(1)[None], 2.5)
