"""What a model lacks on this machine is in its notes, and requests for it are refused by name."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import torch

import engine.checkpoints.conditioner as conditioner_module
from engine.checkpoints.load import load_model
from engine.core.guidance import Guidance
from engine.errors import CheckpointError, UnsupportedError
from engine.model import Ask, Reference


@pytest.fixture
def cache(golden_cache: Path) -> Path:
    return golden_cache / "checkpoints"


@pytest.fixture(autouse=True)
def nothing_else_here(monkeypatch, tmp_path):
    """A machine without other models and without a network."""
    monkeypatch.setenv("SEGUE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def load(golden: Path, cache: Path, kind: str, **plugs):
    return load_model(golden / "audiocraft" / kind / "ckpt", t5=golden / "t5_tiny", cache_dir=cache, **plugs)


def test_melody_without_separation(golden, cache, monkeypatch):
    monkeypatch.setattr(conditioner_module, "installed", lambda: False)
    model = load(golden, cache, "melody")
    assert model.notes == (
        "stem separation is not installed: the chroma is of the whole mix; pip install 'segue[separation]'",
    )
    assert "melody" in model.takes
    tone = Reference(torch.sin(2 * torch.pi * 440 * torch.arange(64000) / 32000)[None], whole=True)
    assert model.conditioner.melody.one_hot([Ask(melody=tone)], 0)[0, 2:12].argmax(-1).eq(9).all()


def test_melody_without_the_separators_weights(golden, cache, monkeypatch):
    monkeypatch.setattr(conditioner_module, "installed", lambda: True)
    [note] = load(golden, cache, "melody").notes
    assert note.startswith("stem separation has no weights: the chroma is of the whole mix; ")
    with pytest.raises(CheckpointError, match="no-such-folder"):
        load(golden, cache, "melody", separator="no-such-folder")


def test_style_without_features(golden, cache):
    model = load(golden, cache, "style")
    [note] = model.notes
    assert note.startswith("this model cannot follow a style here: ")
    assert "MERT-v1-95M" in note
    assert model.takes == {"text", "continue"}
    prefix = model.conditioner([Ask("sad jazz")], Guidance(), 0, 50)[0][0].prefix
    assert not prefix[:, 0].any()  # the style's null vector comes first nevertheless
    assert prefix[0, 1:].any()
    with pytest.raises(UnsupportedError, match=r"cannot follow style; it can follow: text \(.*MERT"):
        model.conditioner([Ask(style=Reference(torch.ones(1, 100_000)))], Guidance(), 0, 50)
    with pytest.raises(CheckpointError, match="no-such-folder"):
        load(golden, cache, "style", style_features="no-such-folder")


def test_style_where_transformers_is_not_installed(golden, cache, monkeypatch, tmp_path):
    place = tmp_path / "models" / "m-a-p" / "MERT-v1-95M"
    shutil.copytree(golden / "misc/hubert_tiny", place)
    config = place / "config.json"
    config.write_text(config.read_text().replace('"hidden_size": 32', '"hidden_size": 768'))
    monkeypatch.setitem(sys.modules, "transformers", None)  # as if it were missing
    [note] = load(golden, cache, "style").notes
    assert "pip install 'segue[style]'" in note


def test_features_of_another_width_are_refused(golden, cache):
    """The tiny feature model is 32 wide, the style network requires 768."""
    with pytest.raises(CheckpointError, match="32 wide, must be 768"):
        load(golden, cache, "style", style_features=golden / "misc/hubert_tiny")
