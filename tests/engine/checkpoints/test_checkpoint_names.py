"""Every tensor of the published sizes finds its place: names and shapes from manifests, no weights."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import torch

from engine.checkpoints import names
from engine.checkpoints.build import assemble
from engine.checkpoints.config import ModelConfig
from engine.checkpoints.names import Names
from engine.checkpoints.read import Stored
from engine.checkpoints.weights import fill, part, translate
from engine.codec.encodec import Encodec, EncodecConfig
from engine.conditions.chroma import WINDOW_SAMPLES
from engine.conditions.style_net import StyleConfig
from engine.conditions.text_t5 import T5Config
from engine.core.config import LMConfig
from engine.errors import CheckpointError

MANIFESTS = Path(__file__).parents[2] / "data" / "golden" / "manifests"
SIZES = {"small": (1024, 16, 24), "medium": (1536, 24, 48), "large": (2048, 32, 48)}
SIZES |= {"melody": SIZES["medium"], "melody-large": SIZES["large"], "style": SIZES["medium"]}
T5_BASE = T5Config(dim=768, n_heads=12, head_dim=64, ffn_dim=3072, n_layers=12, vocabulary=32128)


@pytest.fixture(scope="module")
def manifests() -> dict[str, dict[str, torch.Tensor]]:
    stored = json.loads(gzip.decompress((MANIFESTS / "checkpoint_keys.json.gz").read_bytes()))
    return {
        file: {
            name: torch.empty(shape, dtype=getattr(torch, kind), device="meta")
            for name, (kind, shape) in tensors.items()
        }
        for file, tensors in stored.items()
    }


def config_of(size: str) -> ModelConfig:
    dim, heads, layers = SIZES[size.removeprefix("stereo-")]
    melody, stereo, style = "melody" in size, size.startswith("stereo"), StyleConfig() if size == "style" else None
    delays = (0, 0, 1, 1, 2, 2, 3, 3) if stereo else (0, 1, 2, 3)
    lm = LMConfig(dim, heads, layers, len(delays), delays=delays, cross_attention=not (melody or style))
    channels, prefix = 2 if stereo else 1, melody or style is not None
    return ModelConfig(lm, prefix, 235 if melody else 0, 1500, 900, 3.0, channels=channels, style=style)


def with_window(tensors: dict[str, torch.Tensor], melody: bool) -> dict[str, torch.Tensor]:
    """transformers stores no spectrogram window; the loader makes one."""
    return {"chroma.window": torch.empty(WINDOW_SAMPLES, device="meta")} | tensors if melody else tensors


@pytest.fixture(scope="module")
def codec_and_text(manifests) -> dict[str, torch.Tensor]:
    codec = translate(manifests["audiocraft__compression_32khz"], Names(names.AUDIOCRAFT_CODEC), "codec")
    whole = translate(manifests["transformers__musicgen-small"], Names(names.TRANSFORMERS), "small")
    return codec | {name: tensor for name, tensor in whole.items() if name.startswith("text.")}


@pytest.mark.parametrize("size", [*SIZES, "stereo-small", "stereo-medium", "stereo-melody"])
def test_audiocraft(manifests, codec_and_text, size):
    model = config_of(size)
    music = names.AUDIOCRAFT_STYLE if model.style else ()
    own = translate(manifests[f"audiocraft__musicgen-{size}"], Names(music, names.AUDIOCRAFT_LM), size)
    modules = assemble(Stored(model, EncodecConfig(), own | codec_and_text, T5_BASE, Path()), size)
    counts = json.loads((MANIFESTS / "param_counts.json").read_text())[f"musicgen-{size}"]
    n_parameters = sum(parameter.numel() for parameter in modules.lm.parameters())
    assert n_parameters == counts["total"] - counts["conditioners"]


@pytest.mark.parametrize("size", ["small", "medium", "melody", "stereo-small"])
def test_transformers(manifests, size):
    tensors = translate(manifests[f"transformers__musicgen-{size}"], Names(names.TRANSFORMERS), size)
    model = config_of(size)
    tensors = with_window(tensors, model.chroma_frames > 0)
    assemble(Stored(model, EncodecConfig(), tensors, T5_BASE, Path()), size)


@pytest.mark.parametrize(("size", "other"), [("style", "melody"), ("melody", "style")])
def test_a_melody_is_no_style_and_a_style_no_melody(manifests, codec_and_text, size, other):
    """The two kinds share names: tensors of the other kind are left over, not accepted."""

    def load_as_other() -> None:
        music = names.AUDIOCRAFT_STYLE if other == "style" else ()
        own = translate(manifests[f"audiocraft__musicgen-{size}"], Names(music, names.AUDIOCRAFT_LM), size)
        assemble(Stored(config_of(other), EncodecConfig(), own | codec_and_text, T5_BASE, Path()), size)

    with pytest.raises(CheckpointError, match=r"left over|does not have"):
        load_as_other()


def test_the_codec_has_the_published_number_of_elements(manifests):
    stored = manifests["audiocraft__compression_32khz"]
    assert sum(tensor.numel() for tensor in stored.values()) == 58_990_022
    with torch.device("meta"):
        codec = Encodec(EncodecConfig())
    fill(codec, part(translate(stored, Names(names.AUDIOCRAFT_CODEC), "codec"), "codec."), "codec")


def test_the_codecs_own_repository(manifests):
    """The pointer of stereo models leads to a repository of the codec alone, in either spelling."""
    whole = manifests["transformers__musicgen-small"]
    prefix = "audio_encoder."
    alone = {name.removeprefix(prefix): tensor for name, tensor in whole.items() if name.startswith(prefix)}
    older = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for name, tensor in alone.items()
    }
    assert set(older) != set(alone)
    for tensors in (alone, older):
        ours = translate(tensors, Names(names.TRANSFORMERS_CODEC), "codec")
        with torch.device("meta"):
            codec = Encodec(EncodecConfig())
        fill(codec, part(ours, "codec."), "codec")


def test_a_whole_t5_is_an_encoder_too(manifests):
    """Tied embeddings: either may be missing; decoder and head are not used."""
    prefix = "text_encoder."
    encoder = {
        name.removeprefix(prefix): tensor
        for name, tensor in manifests["transformers__musicgen-small"].items()
        if name.startswith(prefix)
    }
    extra = {"decoder.block.0.layer.0.SelfAttention.q.weight": torch.ones(2), "lm_head.weight": torch.ones(2)}
    for left_out in ("shared.weight", "encoder.embed_tokens.weight"):
        some = {name: tensor for name, tensor in (encoder | extra).items() if name != left_out}
        ours = translate(some, Names(names.T5, names.T5_UNUSED), "t5")
        assert "text.embed.weight" in ours
        assert len(ours) == len(encoder) - 1
    with pytest.raises(CheckpointError, match=r"left over: lm_head\.weight"):
        translate({"lm_head.weight": torch.ones(2)}, Names(names.T5), "t5")


@pytest.mark.parametrize(
    ("stored", "ours"),
    [
        ("transformer.layers.12.norm_cross.bias", "lm.transformer.layers.12.norm_cross.bias"),
        ("emb.3.weight", "lm.emb.3.weight"),
        ("condition_provider.conditioners.self_wav.output_proj.bias", "project.melody.bias"),
    ],
)
def test_names(stored, ours):
    assert Names(names.AUDIOCRAFT_LM).ours(stored) == ours


@pytest.mark.parametrize(
    "name", ["emb.03.weight", "emb.x.weight", "embXweight", "emb.0.weight.", "", "emb.99999.weight"]
)
def test_unknown_names(name):
    with pytest.raises(KeyError):
        Names(names.AUDIOCRAFT_LM).ours(name)


def test_no_two_rows_of_a_table_mean_one_pattern():
    for table in (names.AUDIOCRAFT_LM, names.AUDIOCRAFT_STYLE, names.AUDIOCRAFT_CODEC, names.TRANSFORMERS, names.T5):
        stored = [row[0] for row in table]
        assert len(stored) == len(set(stored))
