"""Every training stage runs, learns, resumes and exports, on a minute of synthetic sound."""

import argparse
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.codec.spectral import spectra_of
from engine.codec.spectral_net import SpectralConfig, SpectralNet, config_of, hear_ahead, to_log
from engine.conditions.arrangement import INSTRUMENTS, SECTIONS
from engine.conditions.frames import (
    BASIC_FEATURES,
    CONTEXT_COLUMNS,
    CONTEXT_GIVEN,
    DENSITY_COLUMNS,
    INSTRUMENT_COLUMNS,
    KEY_COLUMNS,
    N_FEATURES,
    SECTION_COLUMNS,
    TEMPO_COLUMNS,
    TEXT_COLUMNS,
    chroma_frames,
)
from engine.core.config import LMConfig
from engine.core.delay import delay, valid_mask
from engine.core.guidance import Guidance
from engine.model import Ask, FrameGrid, Reference
from engine.models import embedded_model
from engine.train import blend, codec_fit, codec_train, curves, export, lm_data, lm_train, tokenise
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
        tokens=[folder / "tokens"], shares=None, start=None, codec=folder / "codec.pt", out=folder / "lm.pt",
        minutes=minutes, batch=2, frames=60, rate=3e-3, device="cpu",
    )  # fmt: skip


def codec_args(out: Path, minutes: float, **changes: bool) -> argparse.Namespace:
    wanted = {"decoder_only": False, "adversarial": False, **changes}
    return argparse.Namespace(minutes=minutes, batch=2, rate=1e-3, out=out, device="cpu", **wanted)


def codec_net(folder: Path) -> SpectralNet:
    return tokenise.load_codec(folder / "codec.pt").net.train()


def test_codec_training_lowers_its_loss_and_goes_on(made: Path) -> None:
    net = codec_net(made)
    batches = codec_train.Batches(sorted((made / "data").glob("*.npz")), random.Random(0), [])
    loss_of = codec_train.SpectralLoss(net.config, "cpu")

    def loss() -> float:
        with torch.no_grad():
            spectra = spectra_of(codec_fit.load_audio(made / "data" / "0.npz")[None])
            target = to_log(spectra.abs()).reshape(1, -1, net.config.spectrum)
            predicted, _ = net.spectra(net.dequantise(net.quantise(net.latents(target))))
            return float(loss_of(predicted, target, spectra / spectra.abs().clamp(min=1e-9)))

    before = loss()
    for minutes in (0.08, 0.16, 0.4):  # a busy machine takes few steps in five seconds
        codec_train.train(net, batches, codec_args(made / "codec2.pt", minutes))
        if loss() < before:
            break
    assert loss() < before
    tokenise.load_codec(made / "codec2.pt")
    again = codec_train.CodecRun(codec_net(made), codec_args(made / "codec2.pt", 0.08), "cpu")
    assert again.step > 0
    assert again.spent_seconds >= 4.8
    for name, value in again.net.state_dict().items():
        torch.testing.assert_close(value, net.state_dict()[name])
    with pytest.raises(ValueError, match="give another --out"):
        codec_train.CodecRun(codec_net(made), codec_args(made / "codec2.pt", 0.08, decoder_only=True), "cpu")


def test_a_decoder_told_to_hear_ahead_begins_as_it_was_and_is_read_and_shipped_so(made: Path) -> None:
    net = codec_net(made)
    torch.nn.init.normal_(net.decoder_out.weight, std=0.1)
    weights = hear_ahead(net.state_dict(), 2)
    ahead = SpectralNet(config_of(weights))
    ahead.load_state_dict(weights)
    assert ahead.config.lookahead_frames == 2
    latents = torch.randn(1, 40, net.config.latent, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        delayed, _ = ahead.spectra(latents)
        wanted, _ = net.spectra(latents)
    torch.testing.assert_close(delayed[:, 20:], wanted[:, 18:-2], atol=1e-4, rtol=0)  # it began differently
    with pytest.raises(ValueError, match="hears 2 frames ahead already, 1 would be fewer"):
        hear_ahead(weights, 1)
    batches, out = codec_train.Batches(sorted((made / "data").glob("*.npz")), random.Random(0), []), made / "codec4.pt"
    codec_train.train(ahead, batches, codec_args(out, 0.05, decoder_only=True))
    codec = tokenise.load_codec(out)
    assert codec.net.config.lookahead_frames == 2
    assert codec.net.decoder_in.weight[:, net.config.latent :].abs().max() > 0, "it has not learnt from what is ahead"


def test_adversarial_training_goes_on_with_its_judges(made: Path) -> None:
    net, out = codec_net(made), made / "codec3.pt"
    batches = codec_train.Batches(sorted((made / "data").glob("*.npz")), random.Random(0), [])
    wanted = {"decoder_only": True, "adversarial": True}
    codec_train.train(net, batches, codec_args(out, 0.1, **wanted))
    again = codec_train.CodecRun(codec_net(made), codec_args(out, 0.1, **wanted), "cpu")
    assert again.step > 0
    assert again.adversary is not None
    fresh = codec_train.Adversary(net.config, "cpu").judges.state_dict()
    learnt = again.adversary.judges.state_dict()
    assert any(not torch.equal(value, fresh[name]) for name, value in learnt.items() if name.endswith("bias"))
    assert all(value.isfinite().all() for value in again.net.state_dict().values())
    with pytest.raises(ValueError, match="adversarial=True: give another --out"):
        codec_train.CodecRun(codec_net(made), codec_args(out, 0.1, decoder_only=True), "cpu")


def test_language_model_trains_and_resumes(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lm_train, "EMBEDDED_S", TINY)
    lm_train.train(train_args(made, 0.05))
    first = torch.load(made / "lm.pt", weights_only=True)
    lm_train.train(train_args(made, 0.1))
    second = torch.load(made / "lm.pt", weights_only=True)
    assert second["step"] > first["step"] > 0
    assert second["seen"] > first["seen"]
    assert second["spent"] >= 6.0 > first["spent"] >= 3.0


def test_losses_are_those_of_the_whole_model(made: Path) -> None:
    """Cross-entropies computed head by head equal those of the whole forward pass."""
    torch.manual_seed(0)
    pieces = lm_data.TrainingPieces([made / "tokens"])
    pieces.refresh()
    model = lm_train.TrainedModel(TINY, 96)
    rows, books = lm_data.batch(pieces, 2, 40, random.Random(0)), torch.randn(4, 1024, 96)
    sequence = delay(rows.codes, TINY.delays, TINY.special)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model.lm(sequence[..., :-1], lm_train.conditions(model, rows, books))
    mask = valid_mask(40, TINY.delays)[:, 1:]
    wanted = [
        torch.nn.functional.cross_entropy(logits[:, k, mask[k]].flatten(0, 1), sequence[:, k, 1:][:, mask[k]].flatten())
        for k in range(4)
    ]
    torch.testing.assert_close(lm_train.losses(model, rows, books), torch.stack(wanted))


def write_view(path: Path, source: Path, with_context: bool) -> None:
    """What `part_set` writes, made of a tokenised piece."""
    with np.load(source) as piece:
        codes, chroma = piece["codes"], piece["chroma"]
    count = codes.shape[1]
    told = {"genre": None, "bpm": 100.0, "beats_per_bar": 4, "tonic": 9, "mode": "minor", "words": ["drums"],
            "labelled": True, "instruments": ["drums"], "missing": ["bass"]}  # fmt: skip
    activity = np.zeros((len(INSTRUMENTS), count), np.uint8)
    activity[0] = 1
    np.savez(
        path, codes=codes, chroma=chroma, facts=json.dumps(told), activity=activity,
        context=codes[:, ::-1] if with_context else codes[:, :0], density=np.full(count, 125, np.uint8),
        section=np.full(count, SECTIONS.index("break"), np.int8),
    )  # fmt: skip


def test_windows_of_parts_are_labelled_and_conditions_withheld_at_random(made: Path, tmp_path: Path) -> None:
    source = next((made / "tokens").glob("*.npz"))
    write_view(tmp_path / "0.npz", source, True)
    piece, rng = lm_data.load_piece(tmp_path / "0.npz"), random.Random(0)
    seen = [lm_data.window(piece, 40, rng) for _ in range(300)]
    for name, columns, wanted in (
        ("instruments", INSTRUMENT_COLUMNS, 2.0), ("density", DENSITY_COLUMNS, 1.5), ("section", SECTION_COLUMNS, 1.0),
        ("key", KEY_COLUMNS, 8.0),
    ):  # fmt: skip
        sums = [float(row.frames[0, columns].sum()) for row in seen]
        assert set(sums) == {0.0, wanted}, name
        share = sum(value > 0 for value in sums) / len(sums)
        assert share == pytest.approx((1 - lm_data.NOTHING) * lm_data.KEEP[name], abs=0.1)
    heard = [row.context is not None for row in seen]
    assert 0.6 < sum(heard) / len(heard) < 0.9
    write_view(tmp_path / "1.npz", source, False)
    alone = lm_data.load_piece(tmp_path / "1.npz")
    assert all(lm_data.window(alone, 40, rng).context is None for _ in range(20))
    whole = lm_data.load_piece(source)
    assert (whole.density == lm_data.UNKNOWN).all()
    assert (whole.section == -1).all()
    assert whole.activity.any(), "a whole mix is labelled by its programs"


def test_folders_have_their_shares_of_the_windows(made: Path, tmp_path: Path) -> None:
    write_view(tmp_path / "0.npz", next((made / "tokens").glob("*.npz")), True)
    pieces = lm_data.TrainingPieces([made / "tokens", tmp_path], [0.25, 0.75])
    assert pieces.refresh() == 7
    drawn = pieces.draw(400, random.Random(0))
    parts = sum(piece.facts["genre"] is None for piece in drawn)
    assert parts == pytest.approx(300, abs=40)
    with pytest.raises(ValueError, match="1 shares for 2 folders"):
        lm_data.TrainingPieces([made / "tokens", tmp_path], [1.0])


def test_a_run_begins_from_the_shipped_weights_as_the_old_model(made: Path, tmp_path: Path) -> None:
    """Of conditions that the old model has, the widened one makes the same of them; it learns the new ones."""
    model = lm_train.TrainedModel(lm_train.EMBEDDED_S, 96)
    lm_train.begin_from(model, embedded_model.FOLDER)
    shipped = embedded_model.read_shards(embedded_model.FOLDER)
    had = shipped["lm.frame_proj.weight"].shape[1]
    assert torch.equal(model.lm.frame_proj.weight[:, :had], shipped["lm.frame_proj.weight"])
    assert had == N_FEATURES or model.lm.frame_proj.weight[:, had:].abs().sum() == 0
    tiny = lm_train.TrainedModel(TINY, 96)
    torch.save({"model": tiny.state_dict()}, tmp_path / "run.pt")
    other = lm_train.TrainedModel(TINY, 96)
    lm_train.begin_from(other, tmp_path / "run.pt")
    assert all(torch.equal(value, tiny.state_dict()[name]) for name, value in other.state_dict().items())
    write_view(tmp_path / "0.npz", next((made / "tokens").glob("*.npz")), True)
    pieces = lm_data.TrainingPieces([tmp_path])
    pieces.refresh()
    rows, books = lm_data.batch(pieces, 24, 40, random.Random(1)), torch.randn(4, 1024, 96)
    assert rows.has_context.any()
    assert not rows.has_context.all()
    run = lm_train.LMRun(other, 1e-3, tmp_path / "other.pt", "cpu")
    run.learn(rows, books, 1e-3)
    assert (other.lm.frame_proj.weight[:, BASIC_FEATURES:] != tiny.lm.frame_proj.weight[:, BASIC_FEATURES:]).any()
    heard = lm_train.conditions(tiny, rows, books).frames
    assert heard is not None
    given = rows.has_context
    assert heard[~given][..., CONTEXT_COLUMNS].abs().sum() == 0
    assert (heard[given][..., CONTEXT_GIVEN] == 1).all()


def test_a_blend_lies_between_the_old_weights_and_the_new(tmp_path: Path) -> None:
    torch.manual_seed(0)
    old, new = lm_train.TrainedModel(TINY, 96).state_dict(), lm_train.TrainedModel(TINY, 96).state_dict()
    narrow = {**old, "lm.frame_proj.weight": old["lm.frame_proj.weight"][:, :BASIC_FEATURES]}
    mixed = blend.blend(narrow, new, 0.75, 2.0)
    assert mixed.keys() == new.keys()
    name = "text.widen.weight"
    torch.testing.assert_close(mixed[name], 0.25 * old[name] + 0.75 * new[name])
    had, has = mixed["lm.frame_proj.weight"], new["lm.frame_proj.weight"]
    torch.testing.assert_close(had[:, INSTRUMENT_COLUMNS], 2.0 * has[:, INSTRUMENT_COLUMNS])
    torch.testing.assert_close(had[:, CONTEXT_COLUMNS], has[:, CONTEXT_COLUMNS])
    same = blend.blend(narrow, new, 1.0, 1.0)
    for key, value in same.items():
        torch.testing.assert_close(value, new[key])
    with pytest.raises(ValueError, match="share is 2, must be from 0"):
        blend.blend(narrow, new, 2, 1.0)


def test_run_goes_on_from_files_of_the_unfused_optimiser(made: Path) -> None:
    pieces = lm_data.TrainingPieces([made / "tokens"])
    pieces.refresh()
    rows, books = lm_data.batch(pieces, 2, 40, random.Random(0)), torch.randn(4, 1024, 96)
    torch.manual_seed(0)
    old = lm_train.TrainedModel(TINY, 96)
    optimiser = torch.optim.AdamW([{"params": [p for p in old.parameters() if p.dim() > 1], "weight_decay": 0.05},
                                   {"params": [p for p in old.parameters() if p.dim() <= 1], "weight_decay": 0.0}],
                                  lr=1e-3, betas=(0.9, 0.95))  # fmt: skip
    weights = torch.tensor(lm_train.CODEBOOK_WEIGHTS) / sum(lm_train.CODEBOOK_WEIGHTS)

    def step() -> None:
        optimiser.zero_grad()
        (lm_train.losses(old, rows, books) * weights).sum().backward()
        torch.nn.utils.clip_grad_norm_(old.parameters(), 1.0)
        optimiser.step()

    step()
    saved = {"model": old.state_dict(), "optimiser": optimiser.state_dict(), "step": 1, "spent": 5.0, "seen": 80}
    torch.save(saved, made / "old.pt")
    step()
    run = lm_train.LMRun(lm_train.TrainedModel(TINY, 96), 1e-3, made / "old.pt", "cpu")
    assert (run.step, run.frames_seen) == (1, 80)
    assert run.spent_seconds >= 5.0
    run.learn(rows, books, 1e-3)
    for name, value in run.model.state_dict().items():
        torch.testing.assert_close(value, old.state_dict()[name], atol=2e-6, rtol=1e-4)


def test_log_is_read_and_drawn(tmp_path: Path) -> None:
    log = curves.log_path(tmp_path / "lm.pt")
    curves.say("25 1.5 min 0.10M [5.1, 6.2, 6.5, 6.6]", log)
    curves.say("something else", log)
    curves.say("50 3.0 min 0.20M [4.1, 6.0, 6.4, 6.5]", log)
    points = curves.read_log(log)
    assert points[1] == curves.Point(50, 3.0, 0.2, (4.1, 6.0, 6.4, 6.5))
    curves.draw_log(log)
    assert (tmp_path / "lm.pt.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "codec.log").write_text("50 30 s loss 0.8 commit 14.1 use [0.9]\n")
    assert curves.read_log(tmp_path / "codec.log") == [curves.Point(50, 0.5, 0.0, (0.8,))]
    (tmp_path / "none.log").write_text("nothing\n")
    with pytest.raises(ValueError, match="no line that training writes"):
        curves.read_log(tmp_path / "none.log")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_language_model_trains_on_a_gpu(made: Path) -> None:
    pieces = lm_data.TrainingPieces([made / "tokens"])
    pieces.refresh()
    model, books = lm_train.TrainedModel(TINY, 96), torch.randn(4, 1024, 96, device="cuda")
    run = lm_train.LMRun(model, 3e-3, made / "gpu.pt", "cuda")
    rows = lm_data.batch(pieces, 2, 60, random.Random(0)).to("cuda")
    first = run.learn(rows, books, 3e-3)
    last = [run.learn(rows, books, 3e-3) for _ in range(20)][-1]
    assert float(last[0]) < float(first[0])
    run.save()
    assert lm_train.LMRun(lm_train.TrainedModel(TINY, 96), 3e-3, made / "gpu.pt", "cpu").step == 21


def test_export_loads_as_the_embedded_model(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lm_train, "EMBEDDED_S", TINY)
    monkeypatch.setattr(export, "EMBEDDED_S", TINY)
    if not (made / "lm.pt").exists():
        lm_train.train(train_args(made, 0.05))
    export.export(made / "lm.pt", made / "codec.pt", made / "shipped")
    sizes = [shard.stat().st_size for shard in (made / "shipped").glob("*.safetensors")]
    assert sizes
    assert max(sizes) < 15_000_000
    model = embedded_model.load(folder=made / "shipped")
    audio = torch.sin(torch.arange(96000) * 0.05)[None]
    ask = Ask("calm piano", Reference(audio), Reference(audio), FrameGrid(100.0))
    full, none = model.conditioner([ask, Ask()], Guidance(2.0), 0, 40)
    assert full[0].frames is not None
    assert full[0].frames.shape == (2, 40, N_FEATURES)
    assert full[0].frames[0, :, TEXT_COLUMNS.start :].abs().sum() > 0, "every frame is told the summaries"
    untold = torch.ones(N_FEATURES, dtype=torch.bool)
    untold[TEMPO_COLUMNS] = False  # except for a faint grid between the beats
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
    with pytest.raises(embedded_model.CheckpointError, match="cannot be read"):
        embedded_model.load(folder=made / "cut")
