"""Text and melody conditions of whole batches against the reference: order, padding, null rows."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.audio.convert import at_model_rate
from engine.conditions.melody import MelodyConditioner, excerpt, without_drums_and_bass
from engine.core.guidance import Guidance
from engine.errors import UnsupportedError
from engine.model import Ask, Reference

CASES = [
    ("text", name) for name in ("gen_text1", "gen_text2", "gen_cfg1", "gen_uncond", "gen_two_step", "gen_continuation")
] + [
    ("melody", name)
    for name in (
        *("gen_text2", "gen_melody_a", "gen_melody_mixed", "gen_cfg1", "gen_uncond"),
        *("gen_two_step", "gen_continuation", "gen_long_melody"),
    )
]


def load(golden: Path, model: str, case: str) -> tuple[dict, dict[str, np.ndarray]]:
    meta = json.loads((golden / "audiocraft" / "meta.json").read_text())[model]
    with np.load(golden / "audiocraft" / model / f"{case}.npz") as stored:
        return meta["cases"][case], {name: stored[name] for name in stored.files}


def reference(golden: Path, name: str | None, whole: bool) -> Reference | None:
    if name is None:
        return None
    name = name.split()[0]
    with np.load(golden / "audiocraft" / "signals_i16.npz") as signals:
        wav = torch.from_numpy(signals[name]).float() / 32768
        return Reference(at_model_rate(wav, int(signals[f"{name}__sr"]), 32000), whole=whole)


def asks_of(golden: Path, case: dict, window_frames: int, exact: bool = False) -> list[Ask]:
    texts = case.get("descriptions", [None] * case.get("num_samples", 1))
    melodies = case.get("melody", [None] * len(texts))
    whole = case["out_frames"] <= window_frames
    return [
        Ask(text, reference(golden, melody, whole), exact=exact) for text, melody in zip(texts, melodies, strict=True)
    ]


def expected(data: dict[str, np.ndarray], model: str, call: str = "") -> np.ndarray:
    text = data[f"cond_description{call}"]
    return text if model == "text" else np.concatenate([data[f"cond_self_wav{call}"], text], axis=1)


def stacked(answers, part: int = 0) -> np.ndarray:
    """The rows of all asks in the reference's order: conditional of all, then null of all."""
    of_ask = [answer[part] for answer in answers]
    values = [conditions.memory if conditions.prefix is None else conditions.prefix for conditions in of_ask]
    return torch.stack(values).transpose(0, 1).flatten(0, 1).numpy()


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(("model", "name"), CASES)
def test_conditions(golden, golden_models, model, name, exact):
    case, data = load(golden, model, name)
    loaded = golden_models[f"audiocraft/{model}"]
    guidance = Guidance(two_step="two_step" in name)
    asks = asks_of(golden, case, loaded.window_frames, exact)
    answers = loaded.conditioner(asks, guidance, 0, case["out_frames"])
    if "cond_description" in data:
        np.testing.assert_allclose(stacked(answers), expected(data, model), atol=2e-5)
    if guidance.two_step:
        np.testing.assert_allclose(stacked(answers, 1), expected(data, model, "__call1"), atol=2e-5)
    assert "cond_description" in data or name == "gen_long_melody"


@pytest.mark.parametrize("exact", [False, True])
def test_chroma_of_melodies_in_a_batch(golden, golden_models, exact):
    case, data = load(golden, "melody", "gen_melody_mixed")
    loaded = golden_models["audiocraft/melody"]
    melody = loaded.conditioner.melody
    got = melody.one_hot(asks_of(golden, case, loaded.window_frames, exact), 0)
    whole = torch.from_numpy(data["chroma_extracted"])[:3]  # 39 frames, of which the prefix takes 32
    assert torch.equal(got.argmax(-1), whole[:, : melody.n_frames].argmax(-1))


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("call", range(4))
def test_chroma_of_later_windows(golden, golden_models, call, exact):
    """Long pieces are conditioned on the repeated melody, each window from its own offset."""
    case, data = load(golden, "melody", "gen_long_melody")
    loaded = golden_models["audiocraft/melody"]
    offset_frames = call * round(case["params"]["extend_stride"] * 50)
    got = loaded.conditioner.melody.one_hot(asks_of(golden, case, loaded.window_frames, exact), offset_frames)
    key = "chroma_extracted" + (f"__call{call}" if call else "")
    assert torch.equal(got.argmax(-1), torch.from_numpy(data[key])[:1].argmax(-1))


def test_one_ask_alone_has_its_own_padding(golden_models):
    conditioner = golden_models["audiocraft/text"].conditioner
    long, short = Ask("slow ambient drone with warm analog pads and choir"), Ask("sad jazz")
    together = conditioner([long, short], Guidance(), 0, 50)
    alone = conditioner([short], Guidance(), 0, 50)
    assert together[1][0].memory.shape[1] > alone[0][0].memory.shape[1]
    assert alone[0][0].memory.shape[0] == 2
    assert not alone[0][0].memory[1].any()


def test_double_guidance_has_a_row_with_the_wav_alone(golden, golden_models):
    conditioner = golden_models["audiocraft/melody"].conditioner
    ask = Ask("sad jazz", reference(golden, "melody_b_32k_mono", True))
    [[conditions]] = conditioner([ask], Guidance(cfg_coef_beta=2.0), 0, 50)
    both, wav_only, null = conditions.prefix
    n_chroma = conditioner.melody.n_frames
    assert torch.equal(both[:n_chroma], wav_only[:n_chroma])
    assert both[n_chroma:].any()
    assert not wav_only[n_chroma:].any()
    assert not null[n_chroma:].any()
    assert not torch.equal(wav_only[:n_chroma], null[:n_chroma])


@pytest.mark.parametrize(("model", "what"), [("text", "melody"), ("text", "style"), ("melody", "style")])
def test_what_the_model_cannot_follow_is_named(golden_models, model, what):
    conditioner = golden_models[f"audiocraft/{model}"].conditioner
    ask = Ask("a", **{what: Reference(torch.zeros(1, 100))})
    with pytest.raises(UnsupportedError, match=f"cannot follow {what}"):
        conditioner([ask], Guidance(), 0, 50)


def test_excerpts_go_round():
    audio = torch.arange(1000.0)[None]
    got = excerpt(Reference(audio, start_samples=-3), 2, 2500)
    assert torch.equal(got[0], (torch.arange(2500) + 2 * 640 - 3) % 1000)
    assert excerpt(Reference(audio, speed=0.5), 0, 100).shape == (1, 50)
    assert excerpt(Reference(audio, whole=True), 9, 100).shape == (1, 1000)


def last_c(classes: torch.Tensor) -> int:
    """Index of the last frame with pitch class C, of a tune that begins with C."""
    return int((classes == 0).nonzero().max())


def test_a_faster_host_gets_the_melody_faster(golden_models):
    """Two seconds of C, then A: at speed 2 the change comes in half as many frames of the prefix."""
    melody = golden_models["audiocraft/melody"].conditioner.melody
    hz = torch.where(torch.arange(32000 * 16) < 64000, 261.63, 440.0)
    tune = torch.sin(2 * torch.pi * torch.cumsum(hz, 0) / 32000)[None]
    asks = [Ask(melody=Reference(tune, speed=speed)) for speed in (1.0, 2.0)]
    slow, fast = (last_c(melody.one_hot([ask], 0)[0].argmax(-1)) for ask in asks)
    assert 13 <= slow <= 17
    assert 6 <= fast <= 8


def test_without_a_separator_the_mix_is_used(golden_models):
    melody = copy.copy(golden_models["audiocraft/melody"].conditioner.melody)
    melody.separator = None
    tone = torch.sin(2 * torch.pi * 440 * torch.arange(64000) / 32000)[None]
    assert melody.one_hot([Ask(melody=Reference(tone, whole=True))], 0)[0, 2:12].argmax(-1).eq(9).all()


class CountingSeparator:
    """A separator that returns the mix as vocals, and records the lengths of its inputs."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def __call__(self, mix: torch.Tensor) -> torch.Tensor:
        self.lengths.append(mix.shape[-1])
        return torch.stack([0 * mix, 0 * mix, 0 * mix, mix], dim=1)


def with_separator(golden_models, separator) -> MelodyConditioner:
    m = golden_models["audiocraft/melody"].conditioner.melody
    return MelodyConditioner(m.chroma, m.projection, m.n_frames, m.sample_rate, separator, m.window_samples)


def test_a_region_is_separated_once_whatever_windows_are_notified_of_it(golden_models):
    counting = CountingSeparator()
    melody = with_separator(golden_models, counting)
    region = torch.randn(1, 32000 * 2, generator=torch.Generator().manual_seed(1))
    for offset in (0, 77, 500):
        melody.one_hot([Ask(melody=Reference(region.clone(), start_samples=5 * offset))], offset)
    assert counting.lengths == [88200]
    melody.one_hot([Ask(melody=Reference(region * 0.5))], 0)
    assert counting.lengths == [88200] * 2


def test_long_music_is_separated_only_as_far_as_it_is_used(golden_models):
    counting = CountingSeparator()
    melody = with_separator(golden_models, counting)
    song = torch.zeros(1, 32000 * 61)
    melody.one_hot([Ask(melody=Reference(song, whole=True))], 0)
    melody.one_hot([Ask(melody=Reference(song))], 100)
    needed, window = (melody.n_frames + 2) * 4096 + 8 * 32000, melody.window_samples
    assert counting.lengths == [needed * 441 // 320, window * 441 // 320]


def test_vocals_and_other_are_what_is_used(golden, golden_models):
    """The audio before and after separation, at 32 kHz mono, as the reference had it."""
    case, data = load(golden, "melody", "gen_melody_a")
    loaded = golden_models["audiocraft/melody"]
    [ask] = asks_of(golden, case, loaded.window_frames)
    assert ask.melody is not None
    before, after = (torch.from_numpy(data[f"sep_{name}_32k_first4000"])[0] for name in ("input", "mix"))
    torch.testing.assert_close(ask.melody.audio[:, :4000], before, atol=1e-5, rtol=0)
    separated = without_drums_and_bass(ask.melody.audio, 32000, loaded.conditioner.melody.separator)
    torch.testing.assert_close(separated[:, :4000], after, atol=2e-5, rtol=0)
