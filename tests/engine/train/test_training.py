"""Every training stage runs, learns, resumes and exports, on a minute of sound made here."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine import embedded
from engine.codec.spectral_net import SpectralConfig
from engine.conditions.frames import N_FEATURES, TEMPO_COLUMNS, TEXT_COLUMNS, chroma_frames
from engine.config import LMConfig
from engine.guidance import Guidance
from engine.model import Ask, Grid, Reference
from engine.train import codec_fit, codec_train, export, lm_train, tokenise
from engine.train.compose import compose
from engine.train.render_set import facts

TINY = LMConfig(dim=32, n_heads=2, n_layers=1, card=1024, frame_features=N_FEATURES)


def write_piece(path: Path, seed: int) -> None:
    """A stand-in for a rendered piece: plain tones, so that no soundfont is needed."""
    rng = np.random.default_rng(seed)
    at = np.arange(32000 * 8) / 32000
    gate = np.sin(2 * np.pi * at * 2) > 0
    audio = sum(0.1 * np.sin(2 * np.pi * hz * at) * gate for hz in rng.uniform(100, 2000, 4))
    audio = (audio + 0.01 * rng.standard_normal(len(at))).astype(np.float32)
    chroma = (chroma_frames(torch.from_numpy(audio)) * 255).to(torch.uint8).numpy()
    np.savez(
        path,
        audio=(audio * 32767).astype(np.int16),
        facts=json.dumps(facts(compose(seed), seed)),
        **{f"chroma_{name}": chroma for name in ("mix", "melody", "harmony")},
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    (folder / "data").mkdir()
    for seed in range(6):
        write_piece(folder / "data" / f"{seed}.npz", seed)
    paths = sorted((folder / "data").glob("*.npz"))
    config = SpectralConfig()
    net = codec_fit.fit(codec_fit.gather(paths, 2000, config), config)
    torch.save(net.state_dict(), folder / "codec.pt")
    codec = tokenise.load_codec(folder / "codec.pt")
    (folder / "tokens").mkdir()
    for path in paths:
        tokenise.tokenise(path, codec, folder / "tokens" / path.name)
    return folder


def train_args(folder: Path, minutes: float) -> argparse.Namespace:
    return argparse.Namespace(
        tokens=folder / "tokens", codec=folder / "codec.pt", out=folder / "lm.pt",
        minutes=minutes, batch=2, frames=60, rate=3e-3,
    )  # fmt: skip


def test_codec_training_lowers_its_loss(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = argparse.Namespace(minutes=0.12, batch=2, rate=1e-3, decoder_only=False, out=made / "codec2.pt")
    net = tokenise.load_codec(made / "codec.pt").net.train()
    batches = codec_train.Batches(sorted((made / "data").glob("*.npz")), __import__("random").Random(0), [])
    loss_of = codec_train.SpectralLoss(net.config)

    def loss() -> float:
        with torch.no_grad():
            target = codec_fit.log_spectra(codec_fit.load_audio(made / "data" / "0.npz")[None])
            return float(loss_of(net.spectra(net.dequantise(net.quantise(net.latents(target))))[0], target))

    before = loss()
    codec_train.train(net, batches, args)
    assert loss() < before
    assert (made / "codec2.pt").is_file()


def test_language_model_trains_and_resumes(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lm_train, "EMBEDDED_S", TINY)
    lm_train.train(train_args(made, 0.05))
    first = torch.load(made / "lm.pt", weights_only=True)
    lm_train.train(train_args(made, 0.1))
    second = torch.load(made / "lm.pt", weights_only=True)
    assert second["step"] > first["step"] > 0
    assert second["seen"] > first["seen"]


def test_export_loads_as_the_embedded_model(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lm_train, "EMBEDDED_S", TINY)
    monkeypatch.setattr(export, "EMBEDDED_S", TINY)
    if not (made / "lm.pt").exists():
        lm_train.train(train_args(made, 0.05))
    export.export(made / "lm.pt", made / "codec.pt", made / "shipped")
    sizes = [shard.stat().st_size for shard in (made / "shipped").glob("*.safetensors")]
    assert sizes
    assert max(sizes) < 15_000_000
    model = embedded.load(folder=made / "shipped")
    audio = torch.sin(torch.arange(96000) * 0.05)[None]
    ask = Ask("calm piano", Reference(audio), Reference(audio), Grid(100.0))
    full, none = model.conditioner([ask, Ask()], Guidance(2.0), 0, 40)
    assert full[0].frames is not None
    assert full[0].frames.shape == (2, 40, N_FEATURES)
    assert full[0].frames[0, :, TEXT_COLUMNS.start :].abs().sum() > 0, "every frame is told the summaries"
    untold = torch.ones(N_FEATURES, dtype=torch.bool)
    untold[TEMPO_COLUMNS] = False  # but for a faint grid between the beats
    assert full[0].frames[1][:, untold].abs().sum() == 0
    assert full[0].memory is not None
    assert full[0].memory.shape == (2, 24, 32)
    assert full[0].memory[1].abs().max() == 0, "the null row hears nothing"
    assert none[0].memory is None


def test_damaged_shard_is_refused(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lm_train, "EMBEDDED_S", TINY)
    monkeypatch.setattr(export, "EMBEDDED_S", TINY)
    if not (made / "lm.pt").exists():
        lm_train.train(train_args(made, 0.05))
    export.export(made / "lm.pt", made / "codec.pt", made / "cut")
    shard = next((made / "cut").glob("*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-1000])
    with pytest.raises(embedded.CheckpointError, match="cannot be read"):
        embedded.load(folder=made / "cut")
