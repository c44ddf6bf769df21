"""MERT's features by HuBERT's classes: the reference's numbers from either file; nothing keeps random values."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.checkpoints.mert import load_mert, renamed, settings_of
from engine.checkpoints.opened import Opened
from engine.conditions.features import hubert
from engine.errors import CheckpointError, UnsupportedError

pytest.importorskip("transformers")
CPU = torch.device("cpu")
PUBLISHED = {  # of MERT-v1-95M, the fields that have an effect
    "model_type": "mert_model",
    **{"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
    **{"conv_dim": [512] * 7, "conv_kernel": [10, 3, 3, 3, 3, 2, 2], "conv_stride": [5, 2, 2, 2, 2, 2, 2]},
    **{"conv_bias": False, "num_conv_pos_embeddings": 128, "num_conv_pos_embedding_groups": 16},
    **{"hidden_act": "gelu", "feat_extract_activation": "gelu", "feat_extract_norm": "group"},
    **{"feat_proj_layer_norm": True, "do_stable_layer_norm": False, "layer_norm_eps": 1e-5},
    **{"feature_extractor_cqt": False, "deepnorm": False, "attention_relax": -1.0, "mask_time_prob": 0.05},
}
FILES = ("model.safetensors", "pytorch_model.bin")


@pytest.fixture
def folder(golden: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(golden / "misc/hubert_tiny", tmp_path / "mert"))


@pytest.fixture(scope="session")
def opened(tmp_path_factory) -> Opened:
    return Opened(tmp_path_factory.mktemp("mert_cache"))


@pytest.mark.parametrize("file", FILES)
def test_features(golden, folder, opened, file):
    for other in set(FILES) - {file}:
        (folder / other).unlink()
    features = load_mert(folder, CPU, opened)
    with np.load(golden / "misc/hubert_tiny.npz") as stored:
        wav = torch.from_numpy(stored["wav_24k_i16"]).float() / 32768
        np.testing.assert_allclose(features(wav).numpy(), stored["last_hidden_state"], atol=2e-5)
        assert torch.equal(features(wav), features(wav))  # nothing is dropped or masked at random


def test_the_published_size():
    """94.4 million, without the vector for masked frames, which only training needs."""
    with torch.device("meta"):
        module = hubert(settings_of(PUBLISHED))
    assert sum(parameter.numel() for parameter in module.parameters()) == 94_371_712 - 768
    names = renamed({"encoder.pos_conv_embed.conv.weight_g": torch.ones(1), "masked_spec_embed": torch.ones(1)}, Path())
    assert set(names) < set(module.state_dict())


def respell(folder: Path, change) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


CONV = "encoder.pos_conv_embed.conv."


def old_names(tensors: dict[str, torch.Tensor]) -> None:
    for new, old in (("original0", "weight_g"), ("original1", "weight_v")):
        tensors[CONV + old] = tensors.pop(f"{CONV}parametrizations.weight.{new}")


def test_both_spellings_of_weight_norm_are_one(golden, folder, opened):
    wav = torch.randn(1, 4000, generator=torch.Generator().manual_seed(1))
    before = load_mert(golden / "misc/hubert_tiny", CPU, opened)(wav)
    respell(folder, old_names)
    assert torch.equal(load_mert(folder, CPU, opened)(wav), before)


def lose(tensors: dict[str, torch.Tensor]) -> None:
    del tensors[f"{CONV}parametrizations.weight.original0"]


def add(tensors: dict[str, torch.Tensor]) -> None:
    tensors["feature_extractor_cqt.weight"] = torch.ones(2)


def reshape(tensors: dict[str, torch.Tensor]) -> None:
    tensors[f"{CONV}bias"] = torch.ones(31)


def double(tensors: dict[str, torch.Tensor]) -> None:
    tensors[f"{CONV}weight_g"] = tensors[f"{CONV}parametrizations.weight.original0"].clone()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lose, r"1 missing: encoder\.pos_conv_embed\.conv\.parametrizations\.weight\.original0"),
        (add, r"1 left over: feature_extractor_cqt\.weight"),
        (reshape, r"bias \[31\] \(must be \[32\]\)"),
        (double, "both its names"),
    ],
)
def test_every_tensor_must_find_its_place(folder, opened, change, text):
    respell(folder, change)
    with pytest.raises(CheckpointError, match=text):
        load_mert(folder, CPU, opened)


@pytest.mark.parametrize(
    ("entry", "value", "error"),
    [
        ("feature_extractor_cqt", True, UnsupportedError),
        ("deepnorm", True, UnsupportedError),
        ("feat_extract_norm", "layer", UnsupportedError),
        ("num_attention_heads", 5, CheckpointError),
        ("conv_stride", [5, 2], CheckpointError),
        ("hidden_size", "many", CheckpointError),
    ],
)
def test_models_of_another_kind_are_refused(folder, opened, entry, value, error):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {entry: value}))
    with pytest.raises(error, match="config|sizes|" + entry):
        load_mert(folder, CPU, opened)


def test_code_that_a_folder_brings_is_not_run(folder, opened):
    """The published configuration names code in the folder; that entry is not read."""
    path = folder / "config.json"
    own = {"model_type": "mert_model", "auto_map": {"AutoModel": "modeling_MERT.MERTModel"}}
    path.write_text(json.dumps(json.loads(path.read_text()) | own))
    (folder / "modeling_MERT.py").write_text("raise SystemExit('was run')")
    assert type(load_mert(folder, CPU, opened).module).__module__.startswith("transformers.")
