"""Random checkpoints in the published layout: names and shapes of the originals, and files that load and play."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny import TINY

from engine.api.musicgen import MusicGen
from engine.checkpoints import cache, layout_transformers
from engine.checkpoints.catalog import MODELS
from engine.checkpoints.convert import convert
from engine.checkpoints.layout import ModelSizes, audiocraft_codec, audiocraft_lm, sizes_of
from engine.checkpoints.load import load_model
from engine.checkpoints.make_random import (
    Noise,
    _specs,
    main,
    needed_bytes,
    write_audiocraft,
    write_codec,
    write_t5,
    write_transformers,
)
from engine.codec.encodec import EncodecConfig
from engine.model import LoadedModel

MANIFESTS = Path(__file__).parents[2] / "data" / "golden" / "manifests" / "checkpoint_keys.json.gz"
FILES = json.loads(gzip.decompress(MANIFESTS.read_bytes()))
PREFIX = replace(TINY.lm, cross_attention=False)


@pytest.mark.parametrize("file", FILES)
def test_layout_is_the_published_one(file: str) -> None:
    form, _, name = file.partition("__musicgen-")
    if not name:
        specs = _specs(audiocraft_codec(EncodecConfig()), "F32")
    elif form == "audiocraft":
        specs = _specs(audiocraft_lm(sizes_of(MODELS[name])), "F16")
    else:
        specs = _specs(layout_transformers.whole(sizes_of(MODELS[name])), "F32")
    kinds = {"F16": "float16", "F32": "float32", "I64": "int64"}
    assert {spec.name: [kinds[spec.dtype], list(spec.shape)] for spec in specs} == FILES[file]


def play(model: LoadedModel) -> torch.Tensor:
    player = MusicGen(model)
    player.set_generation_params(duration=0.2, top_k=8)
    audio = player.generate(["low bass"], seed=1)
    assert audio.shape == (1, model.codec.channels, 6400)
    assert audio.isfinite().all()
    assert audio.abs().max() > 0
    return audio


@pytest.fixture(autouse=True)
def _in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convert without the child process, which has tests of its own."""
    monkeypatch.setattr(cache, "_run_child", lambda source, part, report: convert(source, part))


@pytest.mark.parametrize("nodes", [False, True])
@pytest.mark.parametrize(
    "sizes",
    [
        TINY,
        replace(TINY, kind="melody", lm=PREFIX),
        replace(TINY, kind="style", lm=PREFIX),
        replace(TINY, channels=2, lm=replace(TINY.lm, n_codebooks=8, delays=(0, 0, 1, 1, 2, 2, 3, 3))),
    ],
    ids=["text", "melody", "style", "stereo"],
)
def test_audiocraft_files_load_and_play(
    sizes: ModelSizes, nodes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both forms of the configuration, real weights and a pointer for the codec."""
    monkeypatch.setenv("SEGUE_MODELS", str(tmp_path))
    noise = Noise()
    write_audiocraft(tmp_path / "musicgen-tiny", sizes, noise, pointer=nodes, nodes=nodes)
    write_t5(tmp_path / "t5-base", sizes.t5, noise)
    write_codec(tmp_path / "encodec_32khz", sizes, noise)
    stored = torch.load(tmp_path / "musicgen-tiny" / "state_dict.bin", weights_only=not nodes) if not nodes else None
    if stored is not None:
        assert {tensor.dtype for tensor in stored["best_state"].values()} <= {torch.float16, torch.int64}
    features = {"style_features": lambda wav: torch.zeros(len(wav), wav.shape[-1] // 320, sizes.style.features)}
    model = load_model(
        tmp_path / "musicgen-tiny",
        cache_dir=tmp_path / "cache",
        **features if sizes.kind == "style" else {},
    )
    assert model.takes >= {"text", "continue", *({sizes.kind} - {"text"})}
    play(model)


@pytest.mark.parametrize("shard_bytes", [10**9, 300_000])
def test_transformers_files_load_and_play(shard_bytes: int, tmp_path: Path) -> None:
    write_transformers(tmp_path, TINY, Noise(), shard_bytes)
    assert (tmp_path / "model.safetensors.index.json").exists() == (shard_bytes < 10**9)
    for path in tmp_path.glob("*.safetensors"):
        assert all(tensor.dtype == torch.float32 for tensor in load_file(path).values())
    play(load_model(tmp_path))


def test_both_formats_are_one_model_when_made_of_one_seed(tmp_path: Path) -> None:
    """The numbers depend on names, so only tensors of equal names agree; the same call gives the same file."""
    for place in ("a", "b"):
        write_audiocraft(tmp_path / place, TINY, Noise(seed=3))
    a, b = ((tmp_path / place / "state_dict.bin") for place in ("a", "b"))
    one, other = (torch.load(path, weights_only=True)["best_state"] for path in (a, b))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    write_audiocraft(tmp_path / "c", TINY, Noise(seed=4))
    changed = torch.load(tmp_path / "c" / "state_dict.bin", weights_only=True)["best_state"]
    assert not torch.equal(one["emb.0.weight"], changed["emb.0.weight"])


def test_numbers_keep_a_signal_its_size() -> None:
    spec = _specs(iter([("transformer.layers.0.linear1.weight", (256, 128))]), "F32")[0]
    matrix = np.frombuffer(b"".join(Noise()(spec)), "<f4").reshape(spec.shape)
    out = matrix @ np.random.default_rng(0).standard_normal(128)
    assert 0.8 < out.std() < 1.25


def test_what_is_asked_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["style", str(tmp_path), "--format", "transformers"])
    assert "no style model" in capsys.readouterr().err
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: cache.shutil._ntuple_diskusage(1, 1, 10**9))
    with pytest.raises(SystemExit):
        main(["large", str(tmp_path)])
    assert f"{needed_bytes('large', 'audiocraft') / 1e9:.1f} GB are needed" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
