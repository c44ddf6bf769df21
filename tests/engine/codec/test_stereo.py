"""Two channels from the mono codec: against the reference's vectors, whole, streamed, and at the host's rate."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.convert import at_model_rate
from engine.audio.resample import StreamResampler
from engine.codec.encodec import Encodec, EncodecConfig
from engine.codec.stereo import StereoCodec, interleave, sides_of
from engine.errors import AudioError
from engine.serve.render.codec_output import CodecOutput


@pytest.fixture(scope="module")
def codec(golden_models) -> StereoCodec:
    return golden_models["audiocraft/stereo"].codec


def random_codes(codec: StereoCodec, n_frames: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(codec.card, (1, codec.n_codebooks, n_frames), generator=generator)


def test_codebooks_stand_left_right_left_right():
    left, right = torch.zeros(1, 4, 2), torch.ones(1, 4, 2)
    mixed = interleave(left, right)
    assert mixed[0, :, 0].tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    assert all(torch.equal(got, want) for got, want in zip(sides_of(mixed), (left, right), strict=True))


@pytest.mark.parametrize(
    ("case", "signal", "channels"),
    [("gen_continuation", "prompt_48k_stereo", 2), ("gen_continuation_monoprompt", "prompt_32k_mono", 1)],
)
def test_prompts_are_coded_as_the_reference_does(golden, codec, case, signal, channels):
    with np.load(golden / "audiocraft" / "signals_i16.npz") as stored:
        wav, rate = torch.from_numpy(stored[signal]).float() / 32768, int(stored[f"{signal}__sr"])
    with np.load(golden / "audiocraft" / "stereo" / f"{case}.npz") as want:
        assert wav.shape[0] == channels
        heard = at_model_rate(wav, rate, 32000, 2)
        if channels == 2:
            begin = torch.from_numpy(want["prompt_wav_32k_first3000"][0])
            torch.testing.assert_close(heard[:, :3000], begin, atol=1e-5, rtol=0)
        codes = codec.encode(heard[None])
        assert np.array_equal(codes.numpy(), want["prompt_tokens"])
        assert torch.equal(codec.encode(heard[None, :1]), interleave(*[codec.mono.encode(heard[None, :1])] * 2))


def test_decodes_each_side_as_the_reference_does(golden, codec):
    with np.load(golden / "audiocraft" / "stereo" / "codec.npz") as want:
        codes, audio = torch.from_numpy(want["dec_codes_T24"]).long(), torch.from_numpy(want["dec_wav_T24"])
        other, other_audio = torch.from_numpy(want["dec_codes_T7"]).long(), torch.from_numpy(want["dec_wav_T7"])
    got = codec.decode(interleave(codes, codes))
    torch.testing.assert_close(got, audio.expand(-1, 2, -1), atol=1e-5, rtol=0)
    got = codec.decode(interleave(other, codes[..., :7]))
    torch.testing.assert_close(got[:, :1], other_audio, atol=1e-5, rtol=0)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_cut_equals_the_whole(codec, data):
    n_frames, prompt = data.draw(st.integers(1, 30)), data.draw(st.integers(0, 10))
    cuts = sorted({min(cut, n_frames) for cut in data.draw(st.lists(st.integers(0, 29), max_size=6))} | {0, n_frames})
    codes = random_codes(codec, prompt + n_frames, data.draw(st.integers(0, 99)))
    state = codec.init_decoder(prompt_codes=codes[..., :prompt])
    pieces = []
    for start, end in itertools.pairwise(cuts):
        audio, state = codec.decode_step(codes[..., prompt + start : prompt + end], state)
        pieces.append(audio)
    pieces.append(codec.decode_step(codes[..., :0], state, last=True)[0])
    whole = codec.decode(codes)[..., prompt * 640 :]
    torch.testing.assert_close(torch.cat(pieces, dim=-1), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("n_channels", [1, 2])
def test_the_chain_to_the_host_carries_both_sides(codec, n_channels):
    resampler = StreamResampler(32_000, 48_000)
    codes = random_codes(codec, 30)[0]
    chain = CodecOutput(codec, resampler, n_channels)
    got = torch.cat([chain.push(codes[:, :13]), chain.push(codes[:, 13:], last=True)])
    whole = resampler.whole(codec.decode(codes[None])[0])
    want = whole if n_channels == 2 else whole.mean(dim=0, keepdim=True)
    torch.testing.assert_close(got.T, want, atol=1e-5, rtol=0)
    if n_channels == 2:
        assert not torch.equal(got[:, 0], got[:, 1])


def test_a_stream_follows_a_stereo_prompt(codec):
    before_codes = random_codes(codec, 20, seed=5)
    before = codec.decode(before_codes)[0]
    chain = CodecOutput(codec, StreamResampler(32_000, 32_000), 2, before, before_codes[0])
    out = chain.push(random_codes(codec, 10)[0], last=True)
    torch.testing.assert_close(out[0], before[:, -1], atol=0.05, rtol=0)


def test_what_it_cannot_take_is_refused(codec):
    for shape in [(1, 3, 640), (2, 640), (1, 2, 0)]:
        with pytest.raises(AudioError, match="needs"):
            codec.encode(torch.zeros(shape))
    with pytest.raises(ValueError, match="2 channels"):
        StereoCodec(Encodec(EncodecConfig(channels=2, n_filters=2, dim=4, card=8)))
