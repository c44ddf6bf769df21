"""MusicGen-Style's whole path against the reference, token for token, with every combination of conditions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.api.musicgen import MusicGen
from engine.audio.convert import at_model_rate
from engine.model import LoadedModel

META = json.loads((Path(__file__).parents[2] / "data" / "golden" / "audiocraft" / "meta.json").read_text())
CASES = {name: case for name, case in META["style"]["cases"].items() if name.startswith("gen_")}
ALONE = [name for name, case in CASES.items() if len(case["descriptions"]) == 1]


@pytest.fixture(scope="session")
def model(golden_models: dict[str, LoadedModel]) -> LoadedModel:
    return golden_models["audiocraft/style"]


@pytest.fixture(scope="session")
def signals(golden: Path) -> dict[str, torch.Tensor]:
    """Input audio by name, [C, n] at 32 kHz."""
    with np.load(golden / "audiocraft" / "signals_i16.npz") as stored:
        return {
            name: at_model_rate(torch.from_numpy(stored[name]).float() / 32768, int(stored[f"{name}__sr"]), 32000)
            for name in stored.files
            if not name.endswith("__sr")
        }


def call(model: MusicGen, case: dict, want: dict, signals: dict) -> tuple[torch.Tensor, torch.Tensor]:
    model.set_generation_params(**case["params"])
    model.set_style_conditioner_params(**case.get("style_params", {}))
    if case["call"] == "generate_continuation":
        prompt = signals[case["prompt"]]
        return model.generate_continuation(prompt, 32000, case["descriptions"], return_tokens=True)
    if case["call"] == "generate":
        return model.generate(case["descriptions"], return_tokens=True)
    wavs = [None if name is None else signals[name.split()[0]] for name in case["melody"]]
    starts = want["style_excerpt_starts"][:, 0].tolist()
    return model.generate_with_chroma(case["descriptions"], wavs, 32000, return_tokens=True, style_starts=starts)


@pytest.mark.parametrize(("reference", "name"), [(True, name) for name in CASES] + [(False, name) for name in ALONE])
def test_greedy_tokens_and_sound(golden, model, signals, reference, name):
    with np.load(golden / "audiocraft" / "style" / f"{name}.npz") as stored:
        want = {key: stored[key] for key in stored.files}
    audio, tokens = call(MusicGen(model, reference=reference), CASES[name], want, signals)
    assert np.array_equal(tokens.numpy(), want["tokens"])
    if "wav_i16" in want:
        assert np.abs(np.round(np.clip(audio.numpy(), -1, 1) * 32767) - want["wav_i16"]).max() <= 1


@pytest.mark.parametrize("kind", ["melody", "style"])
def test_text_music_and_a_beginning_in_any_mix(golden_models, signals, kind):
    """Each of the three changes the music, alone and with the others; pieces of a batch are independent."""
    model = MusicGen(golden_models[f"audiocraft/{kind}"])
    model.set_generation_params(use_sampling=False, duration=1.2)
    tune, beginning = signals["melody_b_32k_mono"], signals["prompt_32k_mono"][:, :19200]
    made = {}
    for text in (None, "sad jazz"):
        for music in (None, tune):
            for prompt in (None, beginning):
                music_wavs = None if music is None else [music]
                made[text, music is None, prompt is None] = model.generate_with_references(
                    [text],
                    **{f"{kind}_wavs": music_wavs},
                    prompt=None if prompt is None else prompt[None],
                    return_tokens=True,
                    seed=3,
                )[1]
    new = [tokens[0, :, 30:].numpy().tobytes() for tokens in made.values()]
    assert len(set(new)) == 8
    begun = model.generate_audio(made[None, True, False])
    assert all(tokens.shape == (1, 4, 60) for tokens in made.values())
    assert begun.shape[-1] == 60 * 640
    texts = ["slow ambient drone with warm analog pads and choir", "sad jazz"]
    together = model.generate_with_references(texts, **{f"{kind}_wavs": [None, tune]}, return_tokens=True, seed=2)[1]
    assert torch.equal(together[1:], made["sad jazz", False, True])
