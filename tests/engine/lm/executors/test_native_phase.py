"""Phase reconstruction in native code: numpy's result hop by hop, and the same bits for any cut."""

import numpy as np
import pytest

from engine.codec import rtisi
from engine.codec.initial_phase import frames_of
from engine.errors import UnsupportedError
from engine.lm.executors.native.phase import NativeSettle

RATE = 32000


@pytest.fixture(scope="module")
def native() -> NativeSettle:
    try:
        return NativeSettle()
    except UnsupportedError as fault:
        pytest.skip(str(fault))


def magnitudes() -> np.ndarray:
    """Tones, noise, silence, and attacks out of silence and out of tones."""
    rng, at = np.random.default_rng(2), np.arange(RATE // 2) / RATE
    audio = 0.2 * np.sin(2 * np.pi * 330 * at) + 0.02 * rng.standard_normal(len(at))
    audio[5000:9000] = 0.0
    for start in (8000, 12000):
        audio[start : start + 1500] += rng.standard_normal(1500) * np.exp(-np.arange(1500) / 400)
    return rtisi.magnitudes(audio.astype(np.float32))


@pytest.mark.parametrize("prompted", [False, True])
def test_each_hop_equals_numpys(native: NativeSettle, prompted: bool) -> None:
    """Both from the same state, numpy's: differences would grow to another waveform."""
    prompt = np.random.default_rng(1).standard_normal(4000).astype(np.float32) if prompted else None
    frames, state = frames_of(magnitudes(), None), rtisi.init_phase(prompt)
    assert sum(frame.sudden for frame in frames) >= 2

    def both(state: rtisi.PhaseState, later: object) -> np.ndarray:
        wanted, got = rtisi.settled(state, later), native(state, later)[: 1 if later is None else 2]
        np.testing.assert_allclose(got, wanted, atol=2e-5 * max(1.0, float(np.abs(wanted).max())))
        return wanted

    rtisi.push(state, magnitudes(), last=True, settle=both)


def test_any_cut_gives_the_same_bits(native: NativeSettle) -> None:
    mags = magnitudes()
    whole = rtisi.push(rtisi.init_phase(), mags, last=True, settle=native)
    state, pieces = rtisi.init_phase(), []
    for at in range(0, len(mags), 3):
        pieces.append(rtisi.push(state, mags[at : at + 3], settle=native))
    pieces.append(rtisi.push(state, mags[:0], last=True, settle=native))
    assert np.array_equal(np.concatenate(pieces), whole)


def test_the_embedded_codec_uses_it(native: NativeSettle) -> None:
    from engine.models.load import load_model

    assert isinstance(load_model("embedded").codec.settle, NativeSettle)
