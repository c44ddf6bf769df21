"""EnCodec by ONNX Runtime: equal to PyTorch and the reference under any cut; and the choice of runtime."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codec import onnx_runtime
from engine.codec.base import encode_within
from engine.codec.encodec import Encodec, EncodecConfig
from engine.codec.encodec_whole import cuts
from engine.codec.onnx_runtime import OnnxRuntime
from engine.codec.runtime import TorchRuntime
from engine.codec.stereo import StereoCodec
from engine.errors import UnsupportedError
from engine.models import codec_choice as choice
from engine.models.load import load_model
from engine.ort import session
from engine.system import remembered

MODELS = ("text", "melody")  # padded by reflection, and with zeros


@pytest.fixture(scope="module")
def codecs(golden_models) -> dict[str, Encodec]:
    """Copies of the golden codecs, run by ONNX Runtime."""
    made = {}
    for name in MODELS:
        codec = copy.deepcopy(golden_models[f"audiocraft/{name}"].codec)
        codec.runtime = OnnxRuntime(codec)
        made[name] = codec
    return made


def codes_of(codec: Encodec, n_frames: int, seed: int = 0, n_streams: int = 1) -> torch.Tensor:
    return torch.randint(codec.card, (n_streams, 4, n_frames), generator=torch.Generator().manual_seed(seed))


def plainly(codec: Encodec, codes: torch.Tensor) -> torch.Tensor:
    """The whole decode, layer after layer, by PyTorch."""
    with torch.no_grad():
        return codec.decoder(codec.quantizer.decode(codes))


def stream(codec: Encodec, codes: torch.Tensor, cuts: list[int], state) -> torch.Tensor:
    edges = sorted({min(cut, codes.shape[-1]) for cut in cuts} | {0, codes.shape[-1]})
    pieces = []
    for start, end in itertools.pairwise(edges):
        audio, state = codec.decode_step(codes[..., start:end], state)
        pieces.append(audio)
    return torch.cat([*pieces, codec.decode_step(codes[..., :0], state, last=True)[0]], dim=-1)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_cut_equals_the_whole_by_pytorch(codecs, data):
    codec = codecs[data.draw(st.sampled_from(MODELS))]
    n_frames, n_streams = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 3))
    cuts = data.draw(st.lists(st.integers(1, 39), max_size=12))
    codes = codes_of(codec, n_frames, data.draw(st.integers(0, 2**31)), n_streams)
    prompt = data.draw(st.integers(0, n_frames))
    state = codec.init_decoder(prompt_codes=codes[..., :prompt])
    got = stream(codec, codes[..., prompt:], [cut - prompt for cut in cuts if cut > prompt], state)
    torch.testing.assert_close(got, plainly(codec, codes)[..., prompt * 640 :], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", MODELS)
def test_decodes_as_the_reference(golden, codecs, name):
    with np.load(golden / "audiocraft" / name / "codec.npz") as data:
        codes, wanted = torch.from_numpy(data["dec_codes_T24"]).long(), torch.from_numpy(data["dec_wav_T24"])
    torch.testing.assert_close(codecs[name].decode(codes), wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("runtime", ["torch", "onnx"])
@pytest.mark.parametrize("name", MODELS)
def test_the_encoder_in_pieces_equals_the_whole(codecs, monkeypatch, name, runtime):
    codec = copy.copy(codecs[name])
    codec.runtime = codec.runtime if runtime == "onnx" else TorchRuntime(codec)
    monkeypatch.setattr("engine.codec.encodec_whole.PIECE_FRAMES", {"cpu": 7})
    audio = 0.3 * torch.randn(2, 1, 640 * 31 + 77, generator=torch.Generator().manual_seed(1))
    for n_samples in (640 * 13, 640 * 13 + 1, 640 * 16, 640 * 17 - 1, 640 * 31 + 77):
        with torch.no_grad():
            wanted = codec.encoder(audio[..., :n_samples])
        torch.testing.assert_close(codec.latent(audio[..., :n_samples]), wanted, atol=1e-5, rtol=0)


@given(n_whole=st.integers(1, 60), rest=st.booleans(), reach=st.integers(1, 3), piece=st.integers(1, 20))
def test_pieces_cover_a_signal_and_see_what_they_need(n_whole, rest, reach, piece):
    edges = cuts(n_whole + rest, n_whole, reach, piece)
    assert edges == sorted(set(edges))
    assert (edges[0], edges[-1]) == (0, n_whole + rest)
    bulk = [(start, end) for start, end in itertools.pairwise(edges) if start >= reach and end + reach <= n_whole]
    assert sum(end - start for start, end in bulk) >= n_whole - 2 * reach - 1
    assert all(end - start <= piece for start, end in bulk)


@pytest.mark.parametrize("name", MODELS)
def test_a_cut_out_prompt_is_coded_as_in_the_whole(codecs, name):
    codec = codecs[name]
    audio = 0.3 * torch.randn(1, 1, 640 * 40, generator=torch.Generator().manual_seed(2))
    whole = codec.encode(audio)[..., 10:24]
    before, cut, after = audio[..., :6400], audio[..., 6400 : 640 * 24 - 100], audio[..., 640 * 24 - 100 :]
    assert not torch.equal(codec.encode(cut), whole)
    reach = (codec.lookahead_frames + 1) * 640
    assert torch.equal(encode_within(codec, cut, before, after[..., :reach]), whole)
    assert torch.equal(encode_within(codec, cut), codec.encode(cut))
    # samples of `before` that make no whole frame are left out
    assert torch.equal(encode_within(codec, cut, before[..., 50:]), encode_within(codec, cut, before[..., 640:]))


def test_other_sizes_are_written_as_well():
    """Longer kernels, other ratios, one LSTM layer, two channels."""
    torch.manual_seed(0)
    config = EncodecConfig(
        n_filters=2, dim=4, ratios=(2, 3), card=8, residual_kernel=9, kernel=5, lstm_layers=1, channels=2, compress=1
    )
    codec = Encodec(config).eval()
    codec.quantizer.get_buffer("tables").normal_()
    codec.runtime = OnnxRuntime(codec)
    codes = codes_of(codec, 60, 4)
    got = stream(codec, codes, list(range(0, 60, 7)), codec.init_decoder())
    torch.testing.assert_close(got, plainly(codec, codes), atol=1e-5, rtol=0)
    audio = torch.randn(1, 2, 6 * 300)
    with torch.no_grad():
        torch.testing.assert_close(codec.latent(audio), codec.encoder(audio), atol=1e-5, rtol=0)


def test_runtimes_take_over_from_each_other(codecs):
    codec = copy.copy(codecs["melody"])
    runtimes = itertools.cycle([codec.runtime, TorchRuntime(codec)])
    codes, state, pieces = codes_of(codec, 40, 6), codec.init_decoder(), []
    for piece in codes.split(5, dim=-1):
        codec.runtime = next(runtimes)
        audio, state = codec.decode_step(piece, state)
        pieces.append(audio)
    whole = plainly(codec, codes)
    torch.testing.assert_close(torch.cat(pieces, dim=-1), whole[..., : -4 * 640], atol=1e-5, rtol=0)


def real_size() -> Encodec:
    with torch.device("meta"):
        codec = Encodec(EncodecConfig())
    codec = codec.to_empty(device="cpu").eval()
    generator = torch.Generator().manual_seed(0)
    for weight in codec.parameters():
        weight.data.uniform_(-0.03, 0.03, generator=generator)
    codec.quantizer.get_buffer("tables").normal_(generator=generator)
    return codec


def test_the_published_size_is_measured_once_and_remembered(tmp_path: Path, monkeypatch):
    """59 million weights: both runtimes agree, the faster is chosen, and the next start does not measure."""
    codec = real_size()
    monkeypatch.setattr(choice, "BUDGET_SECONDS", 0.0)
    chosen = choice.set_runtime(StereoCodec(codec), "auto", tmp_path)
    [note] = json.loads((tmp_path / "codec_runtime.json").read_text()).values()
    assert note["runtime"] == chosen == codec.runtime.name
    assert chosen == min(note["ms_per_frame"], key=note["ms_per_frame"].get)
    monkeypatch.setattr(choice, "measure", lambda *args: pytest.fail("measured again"))
    other = "torch" if chosen == "onnx" else "onnx"
    text = (tmp_path / "codec_runtime.json").read_text().replace(f'"{chosen}",', f'"{other}",')
    (tmp_path / "codec_runtime.json").write_text(text)
    assert choice.set_runtime(codec, "auto", tmp_path) == other


def test_engines_that_measure_at_once_choose_alike(tmp_path: Path, monkeypatch):
    """The runtimes' audio differs in its last bits: the first stored choice holds for every engine."""
    codec = real_size()

    def measured_meanwhile(faster: str) -> Callable[..., dict[str, float]]:
        spent = {"torch": 1.0, "onnx": 1.0} | {faster: 0.5}
        return lambda *args: spent

    def measured_first(*args: object) -> dict[str, float]:
        monkeypatch.setattr(choice, "measure", measured_meanwhile("onnx"))
        assert choice.set_runtime(codec, "auto", tmp_path) == "onnx"  # another engine, while this one measures
        return measured_meanwhile("torch")()

    monkeypatch.setattr(choice, "measure", measured_first)
    assert choice.set_runtime(codec, "auto", tmp_path) == "onnx"


def test_a_damaged_memory_is_as_good_as_none(tmp_path: Path):
    for text in ("", "[]", '{"a": 3}', "\x00"):
        (tmp_path / "codec_runtime.json").write_text(text)
        assert remembered.read(tmp_path / "codec_runtime.json") == {}


def test_a_runtime_can_be_asked_for(golden, golden_models, tmp_path):
    codec = copy.deepcopy(golden_models["audiocraft/text"].codec)
    assert choice.set_runtime(codec, "onnx") == codec.runtime.name == "onnx"
    assert choice.set_runtime(codec, "torch") == codec.runtime.name == "torch"
    assert choice.set_runtime(codec, "auto", tmp_path) == "torch"  # too small to be worth measuring
    with pytest.raises(UnsupportedError, match="known are auto, torch, onnx"):
        choice.set_runtime(codec, "fast")
    model = load_model(golden / "transformers/musicgen_mono/ckpt", t5=golden / "t5_tiny", codec_runtime="onnx")
    assert model.codec.runtime.name == "onnx"
    with pytest.raises(UnsupportedError, match="embedded"):
        load_model("embedded", codec_runtime="onnx")


def test_what_differs_is_not_taken(golden_models, monkeypatch, tmp_path):
    codec = copy.deepcopy(golden_models["audiocraft/text"].codec)
    right = onnx_runtime.decoder_graph

    def wrong(layers, n_latent):
        graph = right(layers, n_latent)
        for values in graph.weights.values():
            values *= 1.01
        return graph

    monkeypatch.setattr(onnx_runtime, "decoder_graph", lambda layers, n: wrong(copy.deepcopy(layers), n))
    with pytest.raises(UnsupportedError, match="differs from PyTorch by"):
        choice.set_runtime(codec, "onnx")
    monkeypatch.setattr(choice, "WORTH_MEASURING", 0)
    assert choice.set_runtime(codec, "auto", tmp_path) == "torch"


def test_half_precision_and_unknown_devices_stay_with_pytorch(golden_models, tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "WORTH_MEASURING", 0)
    half = copy.deepcopy(golden_models["audiocraft/text"].codec).to(torch.bfloat16)
    with pytest.raises(UnsupportedError, match=r"torch\.float32"):
        OnnxRuntime(half)
    assert choice.set_runtime(half, "auto", tmp_path) == "torch"
    with pytest.raises(UnsupportedError, match="nothing for mps"):
        session._providers(torch.device("mps"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_a_gpu_computes_what_the_processor_does(golden_models, runtime):
    codec = copy.deepcopy(golden_models["audiocraft/melody"].codec)
    codes, audio = codes_of(codec, 60, 8, 2), 0.3 * torch.randn(2, 1, 640 * 70)
    wanted, latent = plainly(codec, codes), codec.latent(audio)
    assert choice.set_runtime(codec.cuda(), runtime) == runtime
    torch.testing.assert_close(codec.decode(codes.cuda()).cpu(), wanted, atol=1e-5, rtol=0)
    torch.testing.assert_close(codec.latent(audio.cuda()).cpu(), latent, atol=5e-5, rtol=0)
