"""The guard: no alarm for music, breaks included; each fault and its start are reported, under any cut."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from engine.audio.audio_file import audio_read
from engine.audio.convert import resample
from engine.listen import faults
from engine.listen.faults import CLIPPING, ENDING, JUMP, LOOP, SILENCE, Verdict
from engine.listen.guard import Guard
from engine.listen.seeds import derived_seed

RATE, FRAME, BPM = 32_000, 640, 120.0
REGIONS = Path(__file__).parents[3] / "presets" / "regions"


def music(seconds: float, seed: int = 0, level: float = 0.1) -> np.ndarray:
    """Chords that change with each bar, an unsteady tune, hits of noise on the eighths."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    sound = np.zeros(len(t))
    for start in np.arange(0, seconds, 0.25):
        begin = int(start * RATE)
        along = t[begin : begin + RATE // 2] - t[begin]
        freq = 110 * 2 ** (rng.integers(0, 30) / 12)
        note = np.sin(2 * np.pi * freq * along) + 0.3 * rng.standard_normal(len(along)) * np.exp(-along * 60)
        sound[begin : begin + len(along)] += note * np.exp(-along * rng.uniform(2, 8)) * rng.uniform(0.6, 1.2)
    sound = sound.astype(np.float32)
    return sound * np.float32(level / np.sqrt(np.mean(sound**2)))


def codes_for(audio: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1024, (4, len(audio) // FRAME)).astype(np.int16)


def verdicts(audio: np.ndarray, codes: np.ndarray, chunk: int = 3200, bpm: float | None = BPM) -> list[Verdict]:
    guard, found = Guard(RATE, 4, bpm), []
    for at in range(0, len(audio), chunk):
        end = min(at + chunk, len(audio))
        verdict = guard.add(audio[at:end], codes[:, at // FRAME : end // FRAME])
        while verdict is not None:
            found.append(verdict)
            guard.pardon(verdict)
            verdict = guard.go_on()
    return found


def only(audio: np.ndarray, codes: np.ndarray | None = None) -> Verdict:
    found = verdicts(audio, codes_for(audio) if codes is None else codes)
    assert found
    assert {each.what for each in found} == {found[0].what}
    return found[0]


def test_music_and_its_breaks_pass():
    audio = music(16.0)
    assert verdicts(audio, codes_for(audio)) == []
    for beats in (1, 2):
        broken = audio.copy()
        broken[8 * RATE : 8 * RATE + int(beats * 60 / BPM * RATE)] = 0.0
        assert verdicts(broken, codes_for(audio)) == []


@pytest.mark.parametrize("path", sorted(REGIONS.glob("*.flac")), ids=lambda path: path.stem)
def test_rendered_pieces_pass(path):
    audio, rate = audio_read(path)
    sound = resample(audio.mean(dim=0, keepdim=True), rate, RATE)[0].numpy()
    sound = np.tile(sound, 2)  # a region played twice is no stuck loop
    sound = sound[: len(sound) // FRAME * FRAME]
    assert verdicts(sound, codes_for(sound), bpm=float(path.stem.split("-")[1].removesuffix("bpm"))) == []


def test_silence_is_detected_after_two_beats():
    audio = music(14.0)
    audio[8 * RATE + 1000 :] = 0.0
    found = only(audio)
    assert found.what == SILENCE
    assert found.sure > 0.9
    assert abs(found.begin_frame - 400) <= 12  # the last note's decay
    assert found.seen_frame - found.begin_frame <= faults.patience_frames(BPM) + 15


def test_an_ending_is_detected_while_it_rings_out():
    audio = music(16.0)
    t = np.arange(len(audio) - 8 * RATE) / RATE
    last = np.sin(2 * np.pi * 220 * t).astype(np.float32) * 0.15
    audio[8 * RATE :] = last * np.exp(-t * 1.6).astype(np.float32)
    found = only(audio)
    assert found.what == ENDING
    assert 400 <= found.begin_frame < found.seen_frame < 600


def test_clipping_and_a_jump_are_detected():
    audio = music(14.0)
    clipped = audio.copy()
    clipped[9 * RATE :] = np.clip(clipped[9 * RATE :] * 9.0, -1, 1)
    found = [each for each in verdicts(clipped, codes_for(audio)) if each.what == CLIPPING]
    assert found
    assert abs(found[0].begin_frame - 450) < 40
    soft = music(14.0, level=0.01)
    soft[9 * RATE :] *= 25.0
    found = [each for each in verdicts(soft, codes_for(soft)) if each.what == JUMP]
    assert found
    assert abs(found[0].begin_frame - 450) <= 15


@pytest.mark.parametrize("lag", [1, 37, 120])
def test_a_loop_of_tokens_is_detected(lag):
    audio = music(24.0)
    codes = codes_for(audio)
    for frame in range(400, codes.shape[1]):
        codes[:, frame] = codes[:, frame - lag]
    found = only(audio, codes)
    assert found.what == LOOP
    assert 400 - 50 <= found.begin_frame <= 400 + lag
    assert found.seen_frame <= 400 + max(200, 2 * lag) + 50


def test_a_loop_of_sound_is_detected():
    audio = music(24.0)
    lag = 30 * FRAME
    for at in range(8 * RATE, len(audio), lag):
        audio[at : at + lag] = audio[8 * RATE - lag : 8 * RATE][: len(audio) - at]
    assert only(audio).what == LOOP


def test_what_is_detected_does_not_depend_on_the_cut():
    audio = music(13.0)
    audio[8 * RATE :] *= 1e-4
    codes = codes_for(audio)
    want = verdicts(audio, codes)
    assert want
    for seed in range(3):
        chooser, guard, found, at = random.Random(seed), Guard(RATE, 4, BPM), [], 0
        while at < len(audio):
            end = min(len(audio), at + FRAME * chooser.randrange(1, 30))
            verdict = guard.add(audio[at:end], codes[:, at // FRAME : end // FRAME])
            while verdict is not None:
                found.append(verdict)
                guard.pardon(verdict)
                verdict = guard.go_on()
            at = end
        assert found == want


def test_taken_back_it_detects_as_if_the_rest_had_never_been():
    audio = music(20.0)
    bad = audio.copy()
    bad[8 * RATE :] = 0.0
    codes = codes_for(audio)
    guard = Guard(RATE, 4, BPM)
    verdict = guard.add(bad[: 11 * RATE], codes[:, : 11 * 50])
    assert verdict is not None
    cut = verdict.begin_frame
    guard.back_to(cut, bad[: cut * FRAME])
    assert guard.checked_frames == cut
    assert guard.add(audio[cut * FRAME :], codes[:, cut:]) is None


def test_it_knows_the_music_before_the_stream():
    before, codes = music(6.0), codes_for(music(6.0))
    guard = Guard(RATE, 4, BPM)
    guard.begin(before, codes)
    silent = np.zeros(2 * RATE, np.float32)
    verdict = guard.add(silent, codes[:, :100])
    assert verdict is not None
    assert verdict.what == SILENCE
    assert -15 <= verdict.begin_frame <= 0


def test_a_loop_that_was_given_and_goes_on_a_while_is_no_fault():
    """A given drum loop repeats: only generated music counts as stuck, and is reported if it is."""
    bar = music(2.0)
    looped, codes = np.tile(bar, 12), np.tile(codes_for(bar), 12)
    guard = Guard(RATE, 4, BPM)
    guard.begin(looped[: 8 * RATE], codes[:, :400])
    assert guard.add(looped[8 * RATE : 13 * RATE], codes[:, 400:650]) is None
    verdict = guard.add(looped[13 * RATE :], codes[:, 650:])
    assert verdict is not None
    assert verdict.what == LOOP
    assert verdict.begin_frame >= 0


def test_seeds_are_the_same_for_the_same_and_else_others():
    assert derived_seed(5, 1, 300, 2) == derived_seed(5, 1, 300, 2)
    assert len({derived_seed(5, 1, 300, 2), derived_seed(5, 1, 300, 3), derived_seed(6, 1, 300, 2)}) == 3
    assert 0 <= derived_seed(-1) < 2**62
