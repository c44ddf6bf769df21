"""What the model is given before it answers, and that the real model's answer is no copy of it."""

from __future__ import annotations

import numpy as np
import pytest

from plugin_host.jam.listening.features import similarity
from plugin_host.jam.listening.handover import given_to_model
from plugin_host.jam.listening.level import levelled, loudness_lufs
from tests.plugin_host.jam.players import RATE, player

BPM = 84.0
BAR = round(4 * 60 / BPM * RATE)


def test_only_the_end_and_the_level_are_changed() -> None:
    music = np.repeat(player("lofi", 2 * BAR / RATE)[:, None], 2, axis=1) * np.float32(0.1)
    given = given_to_model(music, RATE, BPM)
    assert given.audio.shape == music.shape
    assert loudness_lufs(given.audio, RATE) == pytest.approx(-18.0, abs=0.3)
    faded = round(0.25 * 60 / BPM * RATE)
    assert np.array_equal(given.audio[:-faded], levelled(music, RATE).audio[:-faded])
    assert not given.audio[-faded // 2 + 1 :].any()


def test_a_note_that_comes_early_is_left_out() -> None:
    music = player("lofi", BAR / RATE)[:, None]
    early = music.copy()
    early[-round(0.04 * RATE) :] += np.float32(0.3)
    assert np.array_equal(given_to_model(music, RATE, BPM, -30.0).audio[-2000:], np.zeros((2000, 1), np.float32))
    assert not given_to_model(early, RATE, BPM, -30.0).audio[-2000:].any()


@pytest.mark.parametrize("n", [0, 1, 100, 5000])
def test_short_music_is_faded_too(n: int) -> None:
    given = given_to_model(np.full((n, 1), 0.1, np.float32), RATE, 300.0)
    assert given.audio.shape == (n, 1)
    assert np.isfinite(given.audio).all()


def test_the_embedded_models_answer_is_no_copy() -> None:
    torch = pytest.importorskip("torch")
    from engine import MusicGen

    music = player("lofi", 2 * BAR / RATE)[:, None]
    model = MusicGen.get_pretrained("embedded", device="cpu")
    model.set_generation_params(duration=3 * BAR / RATE, bpm=BPM)
    prompt = torch.from_numpy(given_to_model(music, RATE, BPM).audio.T.copy())[None]
    whole = model.generate_continuation(prompt, RATE, [""], seed=1)[0].numpy().T
    rate = model.sample_rate
    bar = round(BAR * rate / RATE)
    answer = whole[2 * bar : 3 * bar]
    spectrum = np.fft.rfft(music[-BAR:, 0])[: bar // 2 + 1]
    last = (np.fft.irfft(spectrum, bar) * bar / BAR)[:, None].astype(np.float32)
    assert len(answer) > 0.99 * bar
    assert 0.3 < similarity(answer, last, rate) < 0.85
    assert similarity(last, last, rate) == pytest.approx(1.0, abs=0.02), "a straight repeat"
