"""Checkpoints in transformers' format through the whole path: the tokens that transformers itself generated.

transformers masks padded text in cross-attention, so each text of a batch is the same as alone, which is our default.
In the prefix of a melody model it masks nothing, like audiocraft: there `reference=True` is compared.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.api.musicgen import MusicGen
from engine.audio.convert import at_model_rate

META = json.loads((Path(__file__).parents[2] / "data" / "golden" / "audiocraft" / "meta.json").read_text())
HAPPY, SAD = "happy rock song with electric guitar", "sad jazz"
DRONE = "slow ambient drone with warm analog pads and choir"
TEXT_CASES = [
    ("musicgen_mono", "gen_text1", [SAD]),
    ("musicgen_mono", "gen_text1_plus4", [SAD]),
    ("musicgen_mono", "gen_text2", [SAD, DRONE]),
    ("musicgen_mono", "gen_text2_plus4", [SAD, DRONE]),
    ("musicgen_mono_legacy", "gen_text1", [SAD]),
    ("musicgen_mono_legacy", "gen_text2_plus4", [SAD, DRONE]),
    ("musicgen_stereo", "gen_text2", [HAPPY, SAD]),
    ("musicgen_stereo", "gen_text2_plus4", [HAPPY, SAD]),
    ("musicgen_melody", "gen_text1", [HAPPY]),
    ("musicgen_melody", "gen_text2", [HAPPY, DRONE]),
]


def vectors(golden: Path, model: str, case: str) -> dict[str, np.ndarray]:
    with np.load(golden / "transformers" / model.removesuffix("_legacy") / f"{case}.npz") as stored:
        return {name: stored[name] for name in stored.files}


def generator(golden_models, model: str, data: dict[str, np.ndarray]) -> MusicGen:
    music = MusicGen(golden_models[f"transformers/{model}"], reference=model == "musicgen_melody")
    cfg = float(data.get("guidance_scale", 3.0))
    music.set_generation_params(use_sampling=False, duration=data["tokens"].shape[-1] / 50, cfg_coef=cfg)
    return music


def signal(golden: Path, name: str) -> tuple[torch.Tensor, int]:
    with np.load(golden / "audiocraft" / "signals_i16.npz") as stored:
        return torch.from_numpy(stored[name]).float() / 32768, int(stored[f"{name}__sr"])


@pytest.mark.parametrize(("model", "case", "texts"), TEXT_CASES)
def test_text(golden, golden_models, model, case, texts):
    data = vectors(golden, model, case)
    tokenize = golden_models[f"transformers/{model}"].conditioner.text.encode.tokenize
    for row, text in enumerate(texts):
        ids = data["in_input_ids"][row][data["in_attention_mask"][row] > 0]
        assert tokenize(text) == ids.tolist()
    _, tokens = generator(golden_models, model, data).generate(texts, return_tokens=True)
    assert np.array_equal(tokens.numpy(), data["tokens"])


@pytest.mark.parametrize(
    ("model", "text"), [("musicgen_mono", HAPPY), ("musicgen_melody", HAPPY), ("musicgen_stereo", DRONE)]
)
def test_continuation(golden, golden_models, model, text):
    data = vectors(golden, model, "gen_continuation")
    music = generator(golden_models, model, data)
    prompt, rate = signal(golden, "prompt_48k_stereo")
    _, tokens = music.generate_continuation(prompt, rate, [text], return_tokens=True)
    assert np.array_equal(tokens[0, :, :52].numpy(), data["in_decoder_input_ids"])
    assert np.array_equal(tokens.numpy(), data["tokens"])


@pytest.mark.parametrize("model", ["musicgen_mono", "musicgen_melody", "musicgen_stereo"])
def test_unconditional(golden, golden_models, model):
    data = vectors(golden, model, "gen_uncond")
    music = generator(golden_models, model, data)
    _, tokens = music.generate_unconditional(len(data["tokens"]), return_tokens=True)
    assert np.array_equal(tokens.numpy(), data["tokens"])


@pytest.mark.parametrize("case", ["gen_melody_a", "gen_melody_mixed"])
def test_melody(golden, golden_models, case):
    data = vectors(golden, "musicgen_melody", case)
    music = generator(golden_models, "musicgen_melody", data)
    names = [None if name is None else name.split()[0] for name in META["melody"]["cases"][case]["melody"]]
    wavs = [None if name is None else at_model_rate(*signal(golden, name), 32000) for name in names]
    texts = META["melody"]["cases"][case]["descriptions"]
    audio, tokens = music.generate_with_chroma(texts, wavs, 32000, return_tokens=True)
    assert np.array_equal(tokens.numpy(), data["tokens"])
    if "wav_i16" in data:
        got = (audio.clamp(-1, 1) * 32767).round().numpy()
        assert np.abs(got - data["wav_i16"]).max() <= 1
