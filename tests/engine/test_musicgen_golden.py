"""MusicGen's whole path, from text and audio to tokens and sound, against the reference: token for token."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.audio import as_heard
from engine.checkpoints.load import load_model
from engine.errors import AudioError, CheckpointError, UnsupportedError
from engine.musicgen import MusicGen

META = json.loads((Path(__file__).parent.parent / "data" / "golden" / "audiocraft" / "meta.json").read_text())
CASES = [(model, case) for model in ("text", "melody", "stereo") for case in META[model]["cases"]]


def separate(mix: torch.Tensor) -> torch.Tensor:
    """The memoryless stand-in for a separator that the vectors were made with: stems [B, 4, 2, n] at 44.1
    kHz.
    """
    swapped = mix.flip(-2)
    stems = (0.5 * mix, 0.25 * swapped, 0.6 * mix + 0.2 * mix**2, 0.3 * torch.tanh(2 * swapped))
    return torch.stack(stems, dim=-3)


@pytest.fixture(scope="session")
def generators(golden, tmp_path_factory) -> dict[str, MusicGen]:
    cache = tmp_path_factory.mktemp("converted")
    folder = golden / "audiocraft"
    return {
        name: MusicGen(load_model(folder / name / "ckpt", t5=golden / "t5_tiny", separator=separate, cache_dir=cache))
        for name in ("text", "melody", "stereo")
    }


@pytest.fixture(scope="session")
def signals(golden) -> dict[str, tuple[torch.Tensor, int]]:
    with np.load(golden / "audiocraft" / "signals_i16.npz") as stored:
        names = [name for name in stored.files if not name.endswith("__sr")]
        return {n: (torch.from_numpy(stored[n].astype(np.float32) / 32768), int(stored[f"{n}__sr"])) for n in names}


def set_params(model: MusicGen, params: dict, two_step: bool) -> None:
    params = dict(params)
    if two_step:
        params["cfg_coef"] = 3.0  # the reference ignores the caller's; we do not, so say what it used
    model.set_generation_params(**params)


def call(model: MusicGen, case: dict, signals: dict) -> tuple[torch.Tensor, torch.Tensor]:
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
                wavs.append(as_heard(*signals[name.split()[0]], 32_000))
            else:
                wav, rate = signals[name]
                wavs.append(wav)
        return model.generate_with_chroma(case["descriptions"], wavs, rate, return_tokens=True)
    return model.generate(case["descriptions"], return_tokens=True)


@pytest.mark.parametrize(("model", "name"), CASES)
def test_greedy_tokens_and_sound(golden, generators, signals, model, name):
    case = META[model]["cases"][name]
    generator = generators[model]
    set_params(generator, case["params"], "two_step" in name)
    audio, tokens = call(generator, case, signals)
    with np.load(golden / "audiocraft" / model / f"{name}.npz") as want:
        assert np.array_equal(tokens.numpy(), want["tokens"])
        assert audio.shape == (tokens.shape[0], generator.audio_channels, 640 * tokens.shape[-1])
        if "wav_i16" in want:
            got = np.round(np.clip(audio.numpy(), -1, 1) * 32767)
            assert np.abs(got - want["wav_i16"]).max() <= 1


def test_every_case_of_both_models_is_run():
    assert len(CASES) == 20
    assert {"gen_long", "gen_long_melody", "gen_long_continuation"} <= {case for _, case in CASES}


def test_same_seed_same_music_and_progress(generators):
    model = generators["text"]
    model.set_generation_params(duration=0.3)
    seen: list[tuple[int, int]] = []
    model.set_custom_progress_callback(lambda done, total: seen.append((done, total)))
    _, first = model.generate(["sad jazz", None], return_tokens=True, seed=4)
    _, again = model.generate(["sad jazz", None], return_tokens=True, seed=4)
    _, other = model.generate(["sad jazz", None], return_tokens=True, seed=5)
    model.set_custom_progress_callback(None)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert seen[-1] == (15, 15)
    assert seen[0][0] < 15


def test_whole_frames_from_seconds(generators):
    model = generators["text"]
    for seconds, frames in ((0.58, 29), (0.1, 5), (0.3, 15)):
        model.set_generation_params(duration=seconds)
        assert model.generate_unconditional(1, return_tokens=True, seed=1)[1].shape == (1, 4, frames)


def test_what_the_model_cannot_do_is_refused_by_name(generators):
    model = generators["text"]
    wav = torch.zeros(1, 32_000)
    with pytest.raises(UnsupportedError, match="melody"):
        model.generate_with_chroma(["x"], [wav], 32_000)
    with pytest.raises(UnsupportedError, match="style"):
        model.generate_with_references(["x"], style_wavs=[wav])
    with pytest.raises(UnsupportedError, match="tempo"):
        model.set_generation_params(bpm=120)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"duration": 0}, "duration"),
        ({"duration": float("nan")}, "duration"),
        ({"top_k": 129}, "129.*128"),
        ({"extend_stride": 3.0}, "stride"),
        ({"temperature": -1}, "temperature"),
        ({"cfg_coef": float("inf")}, "cfg_coef"),
    ],
)
def test_parameters_out_of_range_are_refused(generators, wrong, text):
    with pytest.raises(ValueError, match=text):
        generators["text"].set_generation_params(**wrong)


def test_prompts_that_do_not_fit_are_refused(generators):
    model = generators["text"]
    model.set_generation_params(duration=1.0)
    with pytest.raises(AudioError, match="shorter than the duration"):
        model.generate_continuation(torch.zeros(1, 1, 40_000), 32_000)
    with pytest.raises(AudioError, match="NaN"):
        model.generate_continuation(torch.full((1, 1, 3000), float("nan")), 32_000)
    with pytest.raises(ValueError, match="one count"):
        model.generate_continuation(torch.zeros(2, 1, 3000), 32_000, ["only one"])


def test_no_such_model():
    with pytest.raises(CheckpointError, match="downloads nothing"):
        MusicGen.get_pretrained("facebook/musicgen-gigantic")
