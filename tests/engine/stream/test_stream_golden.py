"""The language model and the token stream against what the reference computed, token for token.

Conditions come from the vectors themselves, so a failure here lies in the model, the pattern, the guidance or
the windows; `test_musicgen_golden.py` tests the whole path from text and audio.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.core.config import LMConfig
from engine.core.delay import delay, undelay, valid_mask
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.lm import Conditions, LanguageModel
from engine.lm.executors.select import choose
from engine.lm.executors.torch_executor import TorchExecutor
from engine.stream import LaneBatch, StreamSettings, TokenStream, WindowSize
from engine.stream.window import Window

GREEDY = Sampling(use_sampling=False)
WITH_CONDITIONS = {
    "text": ["gen_text1", "gen_text2", "gen_cfg1", "gen_uncond", "gen_two_step", "gen_continuation"],
    "melody": [
        "gen_text2",
        "gen_melody_a",
        "gen_melody_mixed",
        "gen_cfg1",
        "gen_uncond",
        "gen_two_step",
        "gen_continuation",
    ],
}
CASES = [(model, case) for model, cases in WITH_CONDITIONS.items() for case in cases]


def load_lm(golden: Path, name: str) -> LanguageModel:
    meta = json.loads((golden / "audiocraft" / "meta.json").read_text())[name]["config"]
    config = LMConfig(
        dim=meta["dim"],
        n_heads=meta["heads"],
        n_layers=meta["layers"],
        card=meta["card"],
        cross_attention=name == "text",
    )
    stored = torch.load(golden / "audiocraft" / name / "ckpt" / "state_dict.bin", weights_only=True)["best_state"]
    weights = {key: value.float() for key, value in stored.items() if not key.startswith("condition_provider")}
    lm = LanguageModel(config)
    lm.load_state_dict(weights, strict=True)
    return lm.eval()


@pytest.fixture(scope="session")
def models(golden: Path) -> dict[str, LanguageModel]:
    return {name: load_lm(golden, name) for name in WITH_CONDITIONS}


def vectors(golden: Path, model: str, case: str) -> dict[str, np.ndarray]:
    with np.load(golden / "audiocraft" / model / f"{case}.npz") as stored:
        return {name: stored[name] for name in stored.files}


def stacked_conditions(model: str, data: dict[str, np.ndarray], call: str = "") -> Conditions:
    """The conditions of the whole stacked batch, rows [conditional..., null...]."""
    text = torch.from_numpy(data[f"cond_description{call}"])
    if model == "text":
        return Conditions(memory=text)
    return Conditions(prefix=torch.cat([torch.from_numpy(data[f"cond_self_wav{call}"]), text], dim=1))


def rows_of(conditions: Conditions, rows: list[int]) -> Conditions:
    parts = {name: getattr(conditions, name) for name in ("prefix", "memory")}
    return Conditions(**{name: None if part is None else part[rows] for name, part in parts.items()})


@pytest.mark.parametrize("model", WITH_CONDITIONS)
def test_teacher_forced_logits(golden, models, model):
    data = vectors(golden, model, "teacher_forced")
    lm, config = models[model], models[model].config
    codes = torch.from_numpy(data["codes"]).long()
    n_frames = codes.shape[-1]
    sequence = delay(codes, config.delays, config.special)
    sequence[..., : n_frames + 1].copy_(torch.from_numpy(data["sequence"]))  # the reference stops at valid steps
    rows = torch.cat([sequence, sequence])
    with torch.no_grad():
        logits = lm(rows[..., : n_frames + 1], stacked_conditions(model, data))
    padded = torch.nn.functional.pad(logits, (0, 0, 1, config.max_delay - 1), value=float("nan"))
    aligned = undelay(padded.movedim(-1, 1), config.delays).movedim(1, -1)
    mask = data["mask"].astype(bool)
    assert mask.any(axis=-1).all()
    np.testing.assert_allclose(aligned.numpy()[mask], data["logits"][mask], atol=2e-5)


@pytest.mark.parametrize(("model", "case"), CASES)
def test_greedy_tokens(golden, models, model, case):
    data = vectors(golden, model, case)
    meta = json.loads((golden / "audiocraft" / "meta.json").read_text())[model]["cases"][case]
    two_step = "two_step" in case
    # two-step guidance of the reference ignores the caller's coefficient; this is the one it used
    guidance = Guidance(cfg_coef=3.0 if two_step else meta["params"]["cfg_coef"], two_step=two_step)
    settings = StreamSettings(GREEDY, guidance, WindowSize(), meta["out_frames"])
    n_samples = data["tokens"].shape[0]
    prompt = torch.from_numpy(data["prompt_tokens"])[0].long() if "prompt_tokens" in data else None
    lanes, executor = LaneBatch(), choose(models[model])
    for sample in range(n_samples):
        conditions = sample_conditions(model, data, sample, n_samples, two_step)
        lanes.add(sample, TokenStream.begin(executor, lambda *_, c=conditions: c, prompt, settings))
    done = lanes.advance(meta["out_frames"])
    for sample, frames in done.items():
        assert frames.error is None
        assert frames.finished
        assert np.array_equal(lanes.streams[sample].codes().numpy(), data["tokens"][sample])


def sample_conditions(model, data, sample, n_samples, two_step):
    if two_step:
        null = stacked_conditions(model, data, "__call1")
        return (rows_of(stacked_conditions(model, data), [sample]), rows_of(null, [sample]))
    return (rows_of(stacked_conditions(model, data), [sample, n_samples + sample]),)


@pytest.mark.parametrize(("layout", "delays"), [("mono", (0, 1, 2, 3)), ("stereo", (0, 0, 1, 1, 2, 2, 3, 3))])
def test_delay_pattern(golden, layout, delays):
    data = dict(np.load(golden / "misc" / "patterns.npz"))
    lengths = sorted(int(name.split("_")[1][1:]) for name in data if name.startswith(layout) and name.endswith("mask"))
    assert lengths == [1, 2, 5, 9]
    for n_frames in lengths:
        mask = valid_mask(n_frames, delays).numpy()
        assert np.array_equal(mask, data[f"{layout}_T{n_frames}_mask"].astype(bool))
        sequence = data[f"{layout}_T{n_frames}_seq"]
        codes = undelay(torch.from_numpy(sequence), delays)
        assert np.array_equal(delay(codes, delays, 9999).numpy(), sequence)


@pytest.mark.parametrize(("layout", "delays"), [("mono", (0, 1, 2, 3)), ("stereo", (0, 0, 1, 1, 2, 2, 3, 3))])
def test_a_window_begins_with_its_prompt(golden, layout, delays):
    """Prompt codes behind the first new step stay; unknown codes are drawn; positions outside are special tokens."""
    data = dict(np.load(golden / "misc" / "patterns.npz"))
    want = np.where(data[f"{layout}_T5_prompt2_seq"][0] == 9999, 64, data[f"{layout}_T5_prompt2_seq"][0])
    prompt = undelay(torch.from_numpy(data[f"{layout}_T5_seq"][0]), delays)[:, :2].long()
    with torch.device("meta"):
        lm = LanguageModel(LMConfig(16, 2, 1, len(delays), 64, delays))
    window = Window(TorchExecutor(lm), (), prompt, 5)
    assert np.array_equal(window.sequence.numpy(), want)
    assert data[f"{layout}_T5_first_step_of_t"].tolist() == [1 + frame for frame in range(5)]
