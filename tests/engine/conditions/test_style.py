"""Style: the network and its vectors against the reference, the choice of excerpts, and independence of asks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.audio.convert import at_model_rate
from engine.conditions.cache import ConditionCache
from engine.conditions.style import StyleConditioner
from engine.conditions.style_net import StyleConfig, StyleNet
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.errors import AudioError, UnsupportedError
from engine.lm import Conditions
from engine.model import Ask, ExcerptRange, LoadedModel, Reference, StyleExcerpt
from engine.stream import StreamSettings, TokenStream, WindowSize
from engine.stream.snapshot import keep, resume

ALONE = [f"conditioner_{number}" for number in range(4)]
GENERATED = ("gen_text", "gen_style_only", "gen_double_cfg", "gen_single_cfg", "gen_double_cfg_batch")
CASES = [*GENERATED, "gen_continuation"]


@pytest.fixture(scope="session")
def model(golden_models: dict[str, LoadedModel]) -> LoadedModel:
    return golden_models["audiocraft/style"]


@pytest.fixture(scope="session")
def style(model: LoadedModel) -> StyleConditioner:
    return model.conditioner.style


@pytest.fixture(scope="session")
def signals(golden: Path) -> dict[str, torch.Tensor]:
    """Input audio by name, [1, n] at 32 kHz."""
    with np.load(golden / "audiocraft" / "signals_i16.npz") as stored:
        return {
            name: at_model_rate(torch.from_numpy(stored[name]).float() / 32768, int(stored[f"{name}__sr"]), 32000)
            for name in stored.files
            if not name.endswith("__sr")
        }


def load(golden: Path, name: str) -> tuple[dict, dict[str, np.ndarray]]:
    meta = json.loads((golden / "audiocraft" / "meta.json").read_text())["style"]["cases"]
    with np.load(golden / "audiocraft" / "style" / f"{name}.npz") as stored:
        return meta.get(name, {}), {key: stored[key] for key in stored.files}


def excerpt_of(case: dict, starts: tuple[int, ...] | None) -> StyleExcerpt:
    given = dict(case.get("style_params", {}))
    return StyleExcerpt(seconds=given.pop("excerpt_length", 3.0), start_samples=starts, **given)


def asks_of(case: dict, data: dict, signals: dict[str, torch.Tensor], exact: bool, whole: bool = True) -> list[Ask]:
    """The case as asks, with the excerpt that the reference drew."""
    drawn = data.get("style_excerpt_starts", data.get("start"))
    starts = None if drawn is None else tuple(np.atleast_2d(drawn)[:, 0].tolist())
    texts = case.get("descriptions", [None])
    wavs = case.get("melody", [case.get("wav")] * len(texts))
    return [
        Ask(
            text,
            style=None if name is None else Reference(signals[name.split()[0]], whole=whole),
            excerpt=excerpt_of(case, starts),
            exact=exact,
        )
        for text, name in zip(texts, wavs, strict=True)
    ]


@pytest.mark.parametrize("name", ALONE)
def test_stages_of_the_network(golden, style, signals, name):
    case, data = load(golden, name)
    with np.load(golden / "audiocraft/style/mert_standin.npz") as parts:
        features = torch.from_numpy(data["mert_hidden_rank"] @ parts["B"] + parts["c"])
    eval_q = case["style_params"]["eval_q"]
    with torch.no_grad():
        latent = style.net.latent(features)
        codes = style.net.codes(latent, eval_q)
    np.testing.assert_allclose(latent.numpy(), data["style_latent_pre_rvq"], atol=2e-5)
    np.testing.assert_array_equal(codes.numpy(), data["style_rvq_codes"])
    np.testing.assert_allclose(style.net.coarse(codes).numpy(), data["style_latent_post_rvq"], atol=2e-5)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("name", ALONE)
def test_vectors_of_one_style(golden, style, signals, name, exact):
    case, data = load(golden, name)
    [ask] = asks_of(case, data, signals, exact)
    np.testing.assert_allclose(style([ask], 0).numpy(), data["cond"], atol=2e-5)


def rows_of(answers: list[tuple[Conditions, ...]]) -> np.ndarray:
    """The rows of all asks in the reference's order: conditional of all, wav only of all, null of all."""
    return torch.stack([answer[0].prefix for answer in answers]).transpose(0, 1).flatten(0, 1).numpy()


@pytest.mark.parametrize("name", CASES)
def test_conditions_of_whole_batches(golden, model, signals, name):
    case, data = load(golden, name)
    guidance = Guidance(cfg_coef_beta=case["params"].get("cfg_coef_beta"))
    got = rows_of(model.conditioner(asks_of(case, data, signals, exact=True), guidance, 0, case["out_frames"]))
    want = np.concatenate([data["cond_self_wav"], data["cond_description"]], axis=1)
    np.testing.assert_allclose(got, want, atol=2e-5)


def test_teacher_forced_logits(golden, model):
    _, data = load(golden, "teacher_forced")
    prefix = np.concatenate([data["cond_self_wav"], data["cond_description"]], axis=1)
    sequence = torch.from_numpy(data["sequence"]).long()
    rows = len(prefix) // len(sequence)
    with torch.no_grad():
        logits = model.lm(sequence.repeat(rows, 1, 1), Conditions(prefix=torch.from_numpy(prefix)))
    n_frames, delays = data["codes"].shape[-1], model.lm.config.delays
    for k, lag in enumerate(delays):
        there = min(n_frames, logits.shape[2] - lag)
        got, want = logits[:, k, lag : lag + there].numpy(), data["logits"][:, k, :there]
        known = data["mask"][:, k, :there].astype(bool)
        np.testing.assert_allclose(got[known], want[known], atol=2e-5)


@pytest.mark.parametrize("window", range(3))
def test_excerpts_of_later_windows(golden, style, signals, window):
    """In long pieces each window reads the repeated reference from its offset, and has its own excerpt."""
    case, data = load(golden, "gen_long_double")
    [ask] = asks_of(case, data, signals, exact=False, whole=False)
    stride = round(case["params"]["extend_stride"] * 50)
    ask = replace(ask, excerpt=replace(ask.excerpt, stride_frames=stride))
    [excerpt] = style.excerpts([ask], window * stride)
    assert excerpt == ExcerptRange(int(data["style_excerpt_starts"][window, 0]), 48000)
    audio = signals["melody_a_44k_stereo"][0]
    extended = audio[(torch.arange(250 * 640) + window * stride * 640) % len(audio)]
    cut = extended[excerpt.start_samples : excerpt.start_samples + excerpt.count_samples]
    alone = Ask(style=Reference(cut[None], whole=True), excerpt=StyleExcerpt(1.5, start_samples=(0,)))
    assert torch.equal(style([ask], window * stride), style([alone], 0))


def test_a_drawn_excerpt_lies_inside_and_is_drawn_anew_per_stretch(style):
    reference = Reference(torch.randn(1, 200_000, generator=torch.Generator().manual_seed(2)), whole=True)
    excerpt = {}
    for seed in range(20):
        ask = Ask(style=reference, seed=seed)
        for offset in (0, 149, 150, 300):
            [excerpt[seed, offset]] = style.excerpts([ask], offset)
            assert style.excerpts([ask], offset) == [excerpt[seed, offset]]
            assert 0 <= excerpt[seed, offset].start_samples <= 200_000 - 96_000
    assert all(excerpt[seed, 0] == excerpt[seed, 149] != excerpt[seed, 150] for seed in range(20))
    starts = [excerpt[seed, 0].start_samples for seed in range(20)]
    assert len(set(starts)) == 20
    assert min(starts) < 30_000 < 74_000 < max(starts)


def test_short_references_are_read_round_and_round(style):
    audio = torch.randn(1, 40_000, generator=torch.Generator().manual_seed(3))
    excerpt = StyleExcerpt(3.0, start_samples=(1000,))
    short = style([Ask(style=Reference(audio, whole=True), excerpt=excerpt)], 0)
    looped = style([Ask(style=Reference(audio.repeat(1, 3), whole=True), excerpt=excerpt)], 0)
    assert torch.equal(short, looped)
    assert style.excerpts([Ask(style=Reference(audio, whole=True))], 0) == [ExcerptRange(0, 96_000)]
    with pytest.raises(AudioError, match=r"40000 samples long, must be 96000"):
        style([Ask(style=Reference(audio, whole=True), excerpt=excerpt, exact=True)], 0)


def test_asks_do_not_change_one_another(model):
    """Alone, each text has its own length, each style its own excerpt."""
    long = torch.randn(1, 200_000, generator=torch.Generator().manual_seed(4))
    asks = [
        Ask("sad jazz", style=Reference(long[:, :100_000], whole=True), seed=1),
        Ask("slow ambient drone with warm analog pads and choir", style=Reference(long, whole=True), seed=2),
    ]
    alone = [model.conditioner([ask], Guidance(), 0, 50)[0][0] for ask in asks]
    excerpt = model.conditioner.excerpts(asks, 0)
    assert excerpt == [model.conditioner.excerpts([ask], 0)[0] for ask in asks]
    assert alone[0].prefix.shape[1] < alone[1].prefix.shape[1]
    together = [answer[0].prefix for answer in model.conditioner(asks, Guidance(), 0, 50)]
    assert torch.equal(together[0][:, : alone[0].prefix.shape[1]], alone[0].prefix)
    exact = [replace(ask, exact=True) for ask in asks]
    shared = model.conditioner.excerpts(exact, 0)
    assert shared[0] == shared[1]


@pytest.mark.parametrize("two_step", [False, True])
def test_guidance_rows(model, two_step):
    wav = Reference(torch.randn(1, 100_000, generator=torch.Generator().manual_seed(5)), whole=True)
    asks = [Ask("sad jazz", style=wav)]
    [answer] = model.conditioner(asks, Guidance(two_step=two_step), 0, 50)
    if two_step:
        assert answer[0].prefix.shape[1] > answer[1].prefix.shape[1] == 2  # one null vector of each condition
        return
    [[double]] = model.conditioner(asks, Guidance(cfg_coef_beta=5.0), 0, 50)
    both, wav_only, null = double.prefix
    assert torch.equal(both[:15], wav_only[:15])
    assert both[15:].any()
    assert not wav_only[15:].any()
    assert not null.any()
    assert torch.equal(answer[0].prefix, double.prefix[[0, 2]])


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"seconds": 0.01}, "0.02 s or more"),
        ({"seconds": float("nan")}, "nan s long"),
        ({"eval_q": 0}, "eval_q is 0"),
        ({"ds_factor": 0}, "ds_factor"),
        ({"start_samples": ()}, "start_samples"),
        ({"start_samples": (-1,)}, "start_samples"),
    ],
)
def test_settings_out_of_range(wrong, text):
    with pytest.raises(ValueError, match=text):
        StyleExcerpt(**wrong)


def test_what_this_model_does_not_have(style, model):
    wav = Reference(torch.ones(1, 100_000), whole=True)
    with pytest.raises(ValueError, match="eval_q is 7, must be 1 to 6"):
        style([Ask(style=wav, excerpt=StyleExcerpt(eval_q=7))], 0)
    with pytest.raises(ValueError, match="excerpts of one length"):
        style([Ask(style=wav), Ask(style=wav, excerpt=StyleExcerpt(1.5))], 0)
    with pytest.raises(UnsupportedError, match="cannot follow melody; it can follow: style, text"):
        model.conditioner([Ask(melody=wav)], Guidance(), 0, 50)


def test_features_are_computed_once_and_must_fit():
    net = StyleNet(StyleConfig(16, 2, 1, 2, 8, features=4)).eval()
    calls = []

    def features(wav: torch.Tensor) -> torch.Tensor:
        calls.append(wav.shape)
        return wav.unfold(-1, 400, 320)[..., : 4 if len(calls) < 3 else 5]

    style = StyleConditioner(net, torch.nn.Linear(16, 8), features, 32000, 160_000, 900)
    wav = torch.randn(1, 100_000, generator=torch.Generator().manual_seed(6))
    for text in ("a", "b"):
        style([Ask(text, style=Reference(wav.clone(), whole=True), excerpt=StyleExcerpt(eval_q=1))], 0)
    style([Ask(style=Reference(wav, whole=True), excerpt=StyleExcerpt(eval_q=2, ds_factor=3))], 100)
    assert calls == [(1, 72_000)]
    style([Ask(style=Reference(wav, whole=True), excerpt=StyleExcerpt(1.5, eval_q=2))], 0)
    with pytest.raises(ValueError, match=r"shape \[1, 149, 5\], must be \[1, F, 4\]"):
        style([Ask(style=Reference(wav, whole=True), excerpt=StyleExcerpt(2.0, eval_q=2))], 0)


def test_kept_results_stay_within_their_bound():
    kept = ConditionCache(lambda audio: audio.repeat(1, 2), max_bytes=100 * 4)
    a, b, c = (torch.full((1, 25), float(value)) for value in range(3))
    first = kept(a)
    assert kept(a.clone()) is first
    kept(b)
    assert kept(a) is first
    kept(c)
    assert kept.held_bytes == 400
    assert kept(a) is first
    assert torch.equal(kept(torch.ones(1, 500)), torch.ones(1, 1000))  # the newest is cached, whatever its size
    assert kept.held_bytes == 4000


def test_a_stream_gets_the_same_excerpts_however_it_is_cut(model):
    """Three windows, each with its own drawn excerpt: whole, in pieces, and resumed from a snapshot."""
    wav = Reference(torch.randn(1, 200_000, generator=torch.Generator().manual_seed(8)), whole=True)
    ask = Ask("sad jazz", style=wav, excerpt=StyleExcerpt(1.5), seed=11)
    asked: list[ExcerptRange | None] = []

    def conditions(offset_frames: int, window_frames: int) -> tuple[Conditions, ...]:
        asked.extend(model.conditioner.excerpts([ask], offset_frames))
        return model.conditioner([ask], settings.guidance, offset_frames, window_frames)[0]

    size = WindowSize(model.window_frames, model.stride_frames)
    settings = StreamSettings(Sampling(top_k=50), Guidance(cfg_coef_beta=5.0), size)
    whole = TokenStream.begin(model.executor, conditions, None, settings, seed=11).advance(420)
    assert len(set(asked)) == len(asked) == 3
    pieces = TokenStream.begin(model.executor, conditions, None, settings, seed=11)
    parts = [pieces.advance(n) for n in (1, 97, 170)]
    resumed = resume(model.executor, conditions, keep(pieces))
    parts.append(resumed.advance(152))
    assert torch.equal(torch.cat(parts, dim=1), whole)
    assert asked[3:6] == [asked[0], asked[1], asked[1]]
    resumed.roll()  # as when a word of the prompt changes
    resumed.advance(1)
    assert resumed.window_offset == 320
    assert asked[-1] == asked[2]
