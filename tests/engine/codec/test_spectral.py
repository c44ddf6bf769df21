"""The embedded codec: any cut gives the same samples, and phases continue those of real audio."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codec import rtisi
from engine.codec.onnx_spectral import OnnxSpectra
from engine.codec.spectral import LEVEL, RUN_FRAMES, SpectralCodec
from engine.codec.spectral_net import SpectralConfig, SpectralNet, from_log

SMALL = SpectralConfig(latent=12, card=32, encoder_width=16, decoder_width=24, decoder_blocks=2)


@pytest.fixture(scope="module", params=[0, 2], ids=["causal", "two frames ahead"])
def codec(request: pytest.FixtureRequest) -> SpectralCodec:
    torch.manual_seed(3)
    net = SpectralNet(replace(SMALL, lookahead_frames=request.param))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(std=0.05)
        net.codebooks.normal_()
    return SpectralCodec(net)


def tone(seconds: float, hz: float = 330.0) -> np.ndarray:
    at = np.arange(int(seconds * 32000)) / 32000
    return (0.3 * np.sin(2 * np.pi * hz * at) + 0.1 * np.sin(2 * np.pi * 2.01 * hz * at)).astype(np.float32)


def test_shapes(codec: SpectralCodec) -> None:
    codes = codec.encode(torch.from_numpy(tone(0.5))[None, None, :15900])
    assert codes.shape == (1, 4, 25)
    assert codec.decode(codes).shape == (1, 1, 25 * 640)


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 9), min_size=1, max_size=12))
def test_any_cut_equals_whole(codec: SpectralCodec, cuts: list[int]) -> None:
    codes = torch.randint(0, 32, (1, 4, 24), generator=torch.Generator().manual_seed(sum(cuts)))
    state, pieces, at = codec.init_decoder(), [], 0
    for cut in cuts:
        audio, state = codec.decode_step(codes[..., at : at + cut], state)
        pieces.append(audio)
        at = min(24, at + cut)
    audio, state = codec.decode_step(codes[..., at:], state, last=True)
    assert torch.equal(torch.cat([*pieces, audio], dim=-1), codec.decode(codes))


@pytest.mark.parametrize("n_frames", [RUN_FRAMES, RUN_FRAMES + 7])
def test_long_codes_at_once_equal_few_at_a_time(codec: SpectralCodec, n_frames: int) -> None:
    codes = torch.randint(0, 32, (1, 4, n_frames), generator=torch.Generator().manual_seed(n_frames))
    state, pieces = codec.init_decoder(), []
    for some in codes.split(5, dim=-1):
        audio, state = codec.decode_step(some, state)
        pieces.append(audio)
    audio, state = codec.decode_step(codes[..., :0], state, last=True)
    assert torch.equal(torch.cat([*pieces, audio], dim=-1), codec.decode(codes))


@pytest.mark.parametrize("ahead", [0, 2])
@pytest.mark.parametrize(("bits", "tolerance"), [(None, 1e-5), (8, 0.05)])
def test_decoder_on_onnx_runtime_equals_the_network(bits: int | None, tolerance: float, ahead: int) -> None:
    """Group by group, each from the state that the previous one left."""
    torch.manual_seed(3)
    sizes = SpectralConfig(latent=32, card=32, decoder_width=64, decoder_blocks=3, lookahead_frames=ahead)
    net = SpectralNet(sizes).eval()
    with torch.no_grad():
        for parameter in net.decoder_out.parameters():
            parameter.normal_(std=0.1)
    fast = OnnxSpectra(net, 4, bits)
    past = fast_past = None
    worst = 0.0
    for _ in range(5):
        latents = torch.randn(1, 4, 32)
        with torch.no_grad():
            whole, past = net.spectra(latents, past)
        spectra, fast_past = fast(latents, fast_past)
        worst = max(worst, float((spectra - whole).abs().max()))
    assert worst < tolerance
    assert bits is None or worst > 1e-4, "these weights are not quantised"


@pytest.mark.parametrize("n_frames", range(1, 10))
def test_every_frame_is_heard_ahead_of_itself(codec: SpectralCodec, n_frames: int) -> None:
    """Spectra of a stream's frames, four at a time and padded at the end, equal those of one call of the network."""
    codes = torch.randint(0, 32, (1, 4, n_frames), generator=torch.Generator().manual_seed(n_frames))
    seen: list[np.ndarray] = []
    push = rtisi.push
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rtisi, "push", lambda state, mags, *rest: seen.append(mags) or push(state, mags, *rest))
        audio, _ = codec.decode_step(codes, codec.init_decoder(), last=True)
    ahead = codec.net.config.lookahead_frames
    with torch.no_grad():
        latents = codec.net.dequantise(codes)
        whole, _ = codec.net.spectra(torch.cat([latents, latents[:, -1:].expand(-1, ahead, -1)], dim=1))
    wanted = (LEVEL * from_log(whole[:, ahead:])).reshape(-1, codec.net.config.n_bins)[: 2 * n_frames]
    assert audio.shape[-1] == 640 * n_frames
    np.testing.assert_allclose(np.concatenate(seen), wanted.numpy(), atol=1e-5)


def test_lookahead_is_what_it_says(codec: SpectralCodec) -> None:
    """A frame's audio is available `lookahead_frames` later."""
    codes = torch.zeros(1, 4, 10, dtype=torch.long)
    audio, _ = codec.decode_step(codes, codec.init_decoder())
    assert audio.shape[-1] >= (10 - codec.lookahead_frames) * 640


def test_phase_reconstruction_keeps_the_spectrum() -> None:
    audio = tone(1.0)
    mags = rtisi.magnitudes(audio)
    again = rtisi.push(rtisi.init_phase(), mags, last=True)
    assert len(again) == len(audio)
    error = np.abs(rtisi.magnitudes(again) - mags)[8:-8].mean() / mags[8:-8].mean()
    assert error < 0.15


def test_phase_follows_on_from_a_prompt() -> None:
    """With the audio before it, a steady tone continues as the same wave."""
    audio = tone(1.0)
    mags = rtisi.magnitudes(audio)
    follow = rtisi.push(rtisi.init_phase(audio[:16000]), mags[50:], last=True)
    fresh = rtisi.push(rtisi.init_phase(), mags[50:], last=True)
    target = audio[16000:17600]
    assert np.corrcoef(follow[:1600], target)[0, 1] > 0.95
    assert abs(follow[0] - audio[15999]) < 0.1
    assert np.corrcoef(follow[:1600], target)[0, 1] > np.corrcoef(fresh[:1600], target)[0, 1]


def test_silence_stays_finite_and_quiet() -> None:
    out = rtisi.push(rtisi.init_phase(), np.zeros((20, rtisi.N_BINS), np.float32), last=True)
    assert np.isfinite(out).all()
    assert np.abs(out).max() == 0.0
