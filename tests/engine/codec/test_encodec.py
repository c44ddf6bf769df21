"""EnCodec against vectors of the reference, whole and as a stream under any cut."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.convert import at_model_rate
from engine.codec.base import Codec
from engine.codec.encodec import Encodec, EncodecConfig
from engine.codec.encodec_stream import Reach, reach_frames
from engine.codec.layers import pad_edges
from engine.errors import AudioError

MODELS = ("text", "melody")  # padded by reflection, and with zeros


@pytest.fixture(scope="module")
def codecs(golden_models) -> dict[str, Codec]:
    codecs = {name: golden_models[f"audiocraft/{name}"].codec for name in MODELS}
    assert {codec.config.pad_mode for codec in codecs.values()} == {"reflect", "constant"}
    return codecs


def vectors(golden: Path, name: str) -> dict[str, torch.Tensor]:
    with np.load(golden / "audiocraft" / name / "codec.npz") as stored:
        return {key: torch.from_numpy(stored[key]) for key in stored.files if stored[key].dtype.kind in "if"}


def heard_prompt(golden: Path) -> torch.Tensor:
    with np.load(golden / "audiocraft" / "signals_i16.npz") as signals:
        wav = torch.from_numpy(signals["prompt_48k_stereo"]).float() / 32768
        return at_model_rate(wav, int(signals["prompt_48k_stereo__sr"]), 32000)[None]


@pytest.mark.parametrize("name", MODELS)
def test_decodes_as_the_reference(golden, codecs, name):
    data = vectors(golden, name)
    lengths = [key.removeprefix("dec_codes_T") for key in data if key.startswith("dec_codes_T")]
    assert {"1", "2", "3", "7", "24"} == set(lengths)
    for length in lengths:
        audio = codecs[name].decode(data[f"dec_codes_T{length}"].long())
        torch.testing.assert_close(audio, data[f"dec_wav_T{length}"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", MODELS)
def test_encodes_as_the_reference(golden, codecs, name):
    data, codec, prompt = vectors(golden, name), codecs[name], heard_prompt(golden)
    # the latent is up to 3.7 and has the resampler's rounding errors; its codes are exact
    torch.testing.assert_close(codec.latent(prompt), data["enc_latent"], atol=5e-5, rtol=0)
    assert torch.equal(codec.encode(prompt), data["enc_codes"].long())
    for key in [key for key in data if key.startswith("enc_codes_n")]:
        n_samples = int(key.removeprefix("enc_codes_n"))
        codes = codec.encode(prompt[..., :n_samples])
        assert codes.shape[-1] == -(-n_samples // 640)
        assert torch.equal(codes, data[key].long())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n_samples", [1, 2, 3, 7, 639, 640, 641])
def test_short_audio_has_frames(codecs, name, n_samples):
    codes = codecs[name].encode(torch.rand(1, 1, n_samples, generator=torch.Generator().manual_seed(n_samples)))
    assert codes.shape == (1, 4, -(-n_samples // 640))


@pytest.mark.parametrize("shape", [(1, 1, 0), (1, 2, 640), (1, 640)])
def test_unusable_audio_is_refused(codecs, shape):
    with pytest.raises(AudioError, match="needs"):
        codecs["text"].encode(torch.zeros(shape))


def stream(codec: Codec, codes: torch.Tensor, cuts: list[int], state) -> torch.Tensor:
    """Decode `codes` in pieces that end at `cuts`."""
    edges = sorted({min(cut, codes.shape[-1]) for cut in cuts} | {0, codes.shape[-1]})
    pieces = []
    for start, end in itertools.pairwise(edges):
        audio, state = codec.decode_step(codes[..., start:end], state)
        pieces.append(audio)
    audio, _ = codec.decode_step(codes[..., :0], state, last=True)
    return torch.cat([*pieces, audio], dim=-1)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_cut_equals_the_whole(codecs, data):
    codec = codecs[data.draw(st.sampled_from(MODELS))]
    n_frames = data.draw(st.integers(1, 40))
    cuts = data.draw(st.lists(st.integers(1, 39), max_size=12))
    seed = data.draw(st.integers(0, 2**31))
    codes = torch.randint(codec.card, (1, 4, n_frames), generator=torch.Generator().manual_seed(seed))
    whole = codec.decode(codes)
    torch.testing.assert_close(stream(codec, codes, cuts, codec.init_decoder()), whole, atol=1e-5, rtol=0)
    prompt = data.draw(st.integers(0, n_frames))
    state = codec.init_decoder(prompt_codes=codes[..., :prompt])
    rest = stream(codec, codes[..., prompt:], [cut - prompt for cut in cuts if cut > prompt], state)
    torch.testing.assert_close(rest, whole[..., prompt * 640 :], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", MODELS)
def test_single_frames_equal_the_whole_after_an_audio_prompt(golden, codecs, name):
    codec = codecs[name]
    prompt = heard_prompt(golden)[..., :6400]
    codes = torch.randint(codec.card, (1, 4, 30), generator=torch.Generator().manual_seed(3))
    whole = codec.decode(torch.cat([codec.encode(prompt), codes], dim=-1))[..., 6400:]
    got = stream(codec, codes, list(range(30)), codec.init_decoder(prompt_audio=prompt))
    torch.testing.assert_close(got, whole, atol=1e-5, rtol=0)


def test_audio_comes_out_four_frames_behind(codecs):
    codec = codecs["text"]
    assert codec.lookahead_frames == 4
    codes, state = torch.zeros(1, 4, 1, dtype=torch.long), codec.init_decoder()
    lengths = []
    for _ in range(8):
        audio, state = codec.decode_step(codes, state)
        lengths.append(audio.shape[-1] // 640)
    assert lengths == [0, 0, 0, 0, 1, 1, 1, 1]


def test_a_state_is_a_value(codecs):
    codec = codecs["melody"]
    codes = torch.randint(codec.card, (1, 4, 20), generator=torch.Generator().manual_seed(5))
    _, state = codec.decode_step(codes[..., :10], codec.init_decoder())
    first, _ = codec.decode_step(codes[..., 10:], state, last=True)
    codec.decode_step(codes[..., :7], state)  # another branch from the same state
    again, done = codec.decode_step(codes[..., 10:], state, last=True)
    assert torch.equal(first, again)
    with pytest.raises(ValueError, match="init_decoder"):
        codec.decode_step(codes, done)


def test_the_stream_keeps_little(codecs):
    codec, state = codecs["text"], codecs["text"].init_decoder()
    for _ in range(50):
        _, state = codec.decode_step(torch.zeros(1, 4, 3, dtype=torch.long), state)
    assert state.waiting.shape[-1] == 0
    assert state.ready.shape[-1] < 640
    assert {past.shape[-1] for past in state.past} <= {1, 2, 6, codec.decoder.layers[1].hidden_size}
    assert all(past.untyped_storage().nbytes() == past.nbytes for past in state.past)


def test_published_sizes_reach_one_frame_to_each_side():
    with torch.device("meta"):
        codec = Encodec(EncodecConfig())
    assert reach_frames(list(codec.decoder.layers), 640) == (1, 1)
    assert codec.reach == Reach(4, 1, 2402, 2, 640)
    assert (codec.lookahead_frames, codec.encoder_reach_frames, codec.frame_samples) == (4, 1, 640)


def test_other_ratios_know_their_reach():
    """A residual with a long kernel reaches more frames; the stream must wait for them."""
    torch.manual_seed(0)
    codec = Encodec(EncodecConfig(n_filters=2, dim=4, ratios=(2, 2), card=8, residual_kernel=9, kernel=5)).eval()
    codec.quantizer.get_buffer("tables").normal_()
    assert sum(reach_frames(list(codec.decoder.layers), 4)) > 2
    codes = torch.randint(8, (1, 4, 40))
    got = stream(codec, codes, list(range(0, 40, 3)), codec.init_decoder())
    torch.testing.assert_close(got, codec.decode(codes), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("signal", "padded"),
    [
        ([1, 2, 3, 4], [4, 3, 2, 1, 2, 3, 4, 3, 2, 1]),
        ([1, 2], [0, 0, 2, 1, 2, 0, 0, 0]),
        ([5], [0, 0, 0, 5, 0, 0, 0]),
    ],
)
def test_reflection_fills_short_signals_with_zeros_first(signal, padded):
    """A signal not longer than the pad gets zeros to pad + 1, is mirrored, and the zeros are cut again."""
    x = torch.tensor([[signal]], dtype=torch.float32)
    assert pad_edges(x, 3, 3, "reflect").tolist() == [[padded]]
