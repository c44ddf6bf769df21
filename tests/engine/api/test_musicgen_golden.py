"""MusicGen's whole path, from text and audio to tokens and audio, against the reference: token for token."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import engine.api.reference
from engine.api.musicgen import MusicGen
from engine.audio.convert import at_model_rate
from engine.core.guidance import combine
from engine.lm import Conditions
from engine.lm.executors.native import library
from engine.model import LoadedModel
from engine.stream.window import Window

META = json.loads((Path(__file__).parents[2] / "data" / "golden" / "audiocraft" / "meta.json").read_text())
MODELS = ("text", "melody", "stereo", "style")
CASES = [(model, case) for model in MODELS for case in META[model]["cases"] if case.startswith("gen_")]


@pytest.fixture(autouse=True, params=["", "0"], ids=["native where it is", "torch"])
def taken_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.SWITCH, request.param)


@pytest.fixture(scope="session")
def models(golden_models) -> dict[str, LoadedModel]:
    return {name: golden_models[f"audiocraft/{name}"] for name in MODELS}


@pytest.fixture(scope="session")
def signals(golden) -> dict[str, tuple[torch.Tensor, int]]:
    with np.load(golden / "audiocraft" / "signals_i16.npz") as stored:
        names = [name for name in stored.files if not name.endswith("__sr")]
        return {n: (torch.from_numpy(stored[n].astype(np.float32) / 32768), int(stored[f"{n}__sr"])) for n in names}


def call(model: MusicGen, case: dict, signals: dict, want: dict) -> tuple[torch.Tensor, torch.Tensor]:
    model.set_generation_params(**case["params"])
    if "style_params" in case:
        model.set_style_conditioner_params(**case["style_params"])
    if case["call"] == "generate_unconditional":
        return model.generate_unconditional(case["num_samples"], return_tokens=True)
    if case["call"] == "generate_continuation":
        prompt, rate = signals[case["prompt"]]
        return model.generate_continuation(prompt, rate, case["descriptions"], return_tokens=True)
    if case["call"] == "generate_with_chroma":
        wavs, rate = [], 32_000
        for name in case["melody"]:
            if name is None:
                wavs.append(None)
            elif name.endswith("first"):  # converted beforehand
                wavs.append(at_model_rate(*signals[name.split()[0]], 32_000))
            else:
                wav, rate = signals[name]
                wavs.append(wav)
        drawn = want.get("style_excerpt_starts")
        starts = None if drawn is None else drawn[:, 0].tolist()
        texts = case["descriptions"]
        return model.generate_with_chroma(texts, wavs, rate, return_tokens=True, style_starts=starts)
    return model.generate(case["descriptions"], return_tokens=True)


class Witness:
    """Records what a run computes: conditions of each window, logits of its first steps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.conditions: list[tuple[Conditions, ...]] = []
        self.logits: list[torch.Tensor] = []

        def window(executor, conditions, prompt, n_frames):
            self.conditions.append(conditions)
            return Window(executor, conditions, prompt, n_frames)

        def combined(logits, guidance):
            self.logits.append(logits)
            return combine(logits, guidance)

        monkeypatch.setattr(engine.api.reference, "Window", window)
        monkeypatch.setattr(engine.api.reference, "combine", combined)

    def branches(self, n_pieces: int) -> np.ndarray:
        """Logits [3, rows, K, card] of the first steps, rows in the reference's order: all of a branch together."""
        steps = [torch.stack(self.logits[at * n_pieces : (at + 1) * n_pieces], dim=1).flatten(0, 1) for at in range(3)]
        return torch.stack(steps).numpy()

    def stacked(self, n_pieces: int, part: int) -> np.ndarray:
        """The conditioning of the first window, [rows, length, D], rows as in `branches`."""
        own = [conditions[part] for conditions in self.conditions[:n_pieces]]
        read = [given.memory if given.prefix is None else given.prefix for given in own]
        return torch.stack(read, dim=1).flatten(0, 1).numpy()


def vectors(golden: Path, model: str, name: str) -> dict[str, np.ndarray]:
    with np.load(golden / "audiocraft" / model / f"{name}.npz") as stored:
        return dict(stored)


def wanted_conditions(want: dict, call: str = "") -> np.ndarray:
    parts = [want[name] for name in (f"cond_self_wav{call}", f"cond_description{call}") if name in want]
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize(("model", "name"), CASES)
def test_computes_what_the_reference_does(golden, models, signals, monkeypatch, model, name):
    case, want = META[model]["cases"][name], vectors(golden, model, name)
    generator = MusicGen(models[model], reference=True)
    witness = Witness(monkeypatch)
    audio, tokens = call(generator, case, signals, want)
    n_pieces = len(tokens)
    if "cond_description" in want:
        two_step = "cond_description__call1" in want
        np.testing.assert_allclose(witness.stacked(n_pieces, 0), wanted_conditions(want), atol=2e-5)
        if two_step:
            np.testing.assert_allclose(witness.stacked(n_pieces, 1), wanted_conditions(want, "__call1"), atol=2e-5)
        np.testing.assert_allclose(witness.branches(n_pieces), want["step_logits_branches"][:3], atol=2e-5)
    assert np.array_equal(tokens.numpy(), want["tokens"])
    assert audio.shape == (n_pieces, generator.audio_channels, 640 * tokens.shape[-1])
    if "wav_i16" in want:
        off = np.abs(np.clip(audio.numpy(), -1, 1) * 32767 - want["wav_i16"])
        assert off.max() <= 0.5 + 1e-5 * 32767


def flawless(case: dict) -> bool:
    """Whether the reference pads nothing and ignores nothing: one piece, or texts alike."""
    one = len(case.get("descriptions", [])) <= 1
    return one and not case["params"].get("two_step_cfg")


ALONE = [(model, name) for model, name in CASES if flawless(META[model]["cases"][name]) and model != "style"]


@pytest.mark.parametrize(("model", "name"), ALONE)
def test_a_piece_alone_is_the_same_either_way(golden, models, signals, model, name):
    """Where the reference has no error, our own rules give its tokens too."""
    case, want = META[model]["cases"][name], vectors(golden, model, name)
    tokens = call(MusicGen(models[model]), case, signals, want)[1]
    assert np.array_equal(tokens.numpy(), want["tokens"])


def test_every_case_of_the_models_is_run():
    assert len(CASES) == 27
    assert {"gen_long", "gen_long_melody", "gen_long_continuation", "gen_long_double"} <= {case for _, case in CASES}


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="torch draws otherwise without MKL")
@pytest.mark.parametrize("model", ["text", "stereo"])
def test_draws_what_the_reference_draws(golden, models, model):
    """Sampled, not greedy: the same seed of torch gives the tokens that audiocraft's own code drew."""
    with np.load(golden / "audiocraft" / "sampled.npz") as stored:
        want = dict(stored)
    generator = MusicGen(models[model], reference=True)
    for index, params in enumerate(json.loads(str(want["params"]))):
        generator.set_generation_params(**{"extend_stride": 1.8} | params)
        torch.manual_seed(int(want["seed"]))
        tokens = generator.generate(json.loads(str(want["descriptions"])), return_tokens=True)[1]
        assert np.array_equal(tokens.numpy(), want[f"{model}_{index}"]), params
