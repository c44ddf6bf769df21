"""Training on a lent GPU, tiny, on a processor: what travels, batches between processes, going on after a kill."""

import argparse
import io
import random
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.conditions.arrangement import INSTRUMENTS
from engine.conditions.frames import N_FEATURES
from engine.core.config import LMConfig
from engine.train import lm_data, lm_train
from engine.train.gpu import font, pack, shards
from engine.train.gpu.__main__ import codec_learner, codec_net
from engine.train.gpu.course import Course, LMLearner
from engine.train.gpu.farm import Farm, packed, unpacked

TINY = LMConfig(dim=32, n_heads=2, n_layers=1, card=64, frame_features=N_FEATURES)


def token_piece(seed: int) -> lm_data.TokenPiece:
    """Tokens that repeat, so that something can be learnt."""
    rng, count = np.random.default_rng(seed), 300
    codes = np.tile(rng.integers(0, 64, (4, 6)), 50).astype(np.int16)
    facts = {"bpm": 100.0, "beats_per_bar": 4, "genre": "house", "tonic": 0, "mode": "minor", "words": ["drums"],
             "labelled": True, "instruments": ["drums"], "missing": []}  # fmt: skip
    return lm_data.TokenPiece(
        torch.from_numpy(codes), torch.from_numpy(rng.integers(0, 255, (3, count, 12)).astype(np.uint8)), facts,
        torch.from_numpy(codes[:, ::-1].copy()), torch.ones(len(INSTRUMENTS), count, dtype=torch.uint8),
        torch.full((count,), 100, dtype=torch.uint8), torch.zeros(count, dtype=torch.int8),
    )  # fmt: skip


class StandIn:
    """Cuts windows of pieces that need no soundfont."""

    def keep(self, seed: int) -> list[Any]:
        return [token_piece(seed)]

    def cut(self, pool: list[Any], rng: random.Random) -> Any:
        return packed(lm_data.batch_of(rng.choices(pool, k=4), 28, rng))


def learner(seed: int = 0) -> LMLearner:
    torch.manual_seed(seed)
    books = torch.randn(4, 64, 96, generator=torch.Generator().manual_seed(1))
    model = lm_train.TrainedModel(TINY, 96)
    lm_train.start_small(model)
    model.style.latent_scale.fill_(1.0)
    return LMLearner(model, books, 3e-3, "cpu", compiled=False)


def batches(first: int) -> Iterator[Any]:
    pool, stand_in = [token_piece(n) for n in range(4)], StandIn()
    for n in range(first, 1000):
        yield stand_in.cut(pool, random.Random(n))


def train(course: Course, steps: int) -> list[float]:
    """So many steps, as `Course.run` takes them; the loss of each."""
    lost, source = [], batches(course.progress.step)
    for _ in range(steps):
        loss, seen = course.learner.learn(next(source), 0.2, course.progress.step, course.since)
        course.since += 1
        course.progress = replace(course.progress, step=course.progress.step + 1, seen=course.progress.seen + seen)
        lost.append(float(loss.mean()))
    return lost


def test_a_killed_run_goes_on_with_the_very_losses_it_would_have_had(tmp_path: Path) -> None:
    whole = train(Course(learner(), tmp_path / "a", tmp_path / "out", None), 12)
    first = Course(learner(), tmp_path / "b", tmp_path / "out", None)
    train(first, 6)
    first.save()
    train(first, 3)  # lost: never saved
    again = Course(learner(seed=9), tmp_path / "b", tmp_path / "out", None)
    assert again.progress.step == 6
    assert train(again, 6) == pytest.approx(whole[6:], rel=1e-5)


def test_shards_alone_go_on_elsewhere_and_are_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    course = Course(learner(), tmp_path / "here", tmp_path / "out", None)
    train(course, 10)
    monkeypatch.setattr("engine.train.export.SHARD_BYTES", 60_000)
    course.save()
    files = sorted((tmp_path / "out").glob("lm-*.safetensors"))
    assert len(files) > 1
    there = Course(learner(seed=9), tmp_path / "bare", tmp_path / "out2", tmp_path / "out")
    assert (there.progress.step, there.since) == (10, 0), "weights go on, the optimiser warms up again"
    reached = train(course, 1)[0]
    assert train(there, 1)[0] == pytest.approx(reached, abs=0.02)
    files[0].unlink()
    with pytest.raises(ValueError, match="all of one are needed"):
        shards.load_shards(tmp_path / "out", "lm")
    other = learner()
    other.sizes = "something else"
    with pytest.raises(ValueError, match="give the same sizes"):
        Course(other, tmp_path / "here", tmp_path / "out", None)


def test_a_course_begins_with_the_shipped_codec_and_goes_on_with_its_judges(tmp_path: Path) -> None:
    pack.pack_weights(tmp_path / "pack", None)
    args = argparse.Namespace(work=tmp_path / "work", out=tmp_path / "out", brought=tmp_path / "pack" / "brought",
                              rate=None, decoder_only=False, adversarial=True)  # fmt: skip
    net = codec_net((args.brought,))
    course = Course(codec_learner(args, net, "cpu"), args.work, args.out, args.brought)
    assert course.progress == shards.Progress(sizes=str(net.config))
    sound = (np.random.default_rng(0).standard_normal((1, 12800)) * 3000).astype(np.int16)
    course.learner.learn(sound, 0.2, 0, 0)
    course.save()
    wanted = course.learner.learn(sound, 0.2, 1, 1)[0]
    torch.manual_seed(5)
    again = Course(codec_learner(args, codec_net((args.brought,)), "cpu"), args.work, args.out, args.brought)
    torch.testing.assert_close(again.learner.learn(sound, 0.2, 1, 1)[0], wanted, rtol=1e-3, atol=1e-3)
    with pytest.raises(FileNotFoundError, match="no codec in"):
        codec_net((tmp_path / "work" / "none",))


def test_eight_bits_travel_and_are_near(tmp_path: Path) -> None:
    weights = {"w": torch.randn(20, 30), "b": torch.randn(7)}
    shards.save_shards(tmp_path, "lm", shards.eighths(weights), shards.Progress(step=3))
    found = shards.load_shards(tmp_path, "lm")
    assert found is not None
    assert found[1].step == 3
    assert set(found[0]) == {"w", "b"}
    torch.testing.assert_close(found[0]["w"], weights["w"], atol=0.02, rtol=0)


def test_batches_survive_the_way_between_processes() -> None:
    rows = lm_data.batch_of([token_piece(n) for n in range(3)], 40, random.Random(0))
    back = unpacked(packed(rows), "cpu")
    assert torch.equal(back.codes, rows.codes)
    assert torch.equal(back.context_codes, rows.context_codes)
    torch.testing.assert_close(back.frames, rows.frames, atol=2e-3, rtol=1e-3)
    with Farm(StandIn(), 2, 0, prepare=lambda: None) as farm:
        seen = {str(farm.next()["codes"][0].tolist()) for _ in range(6)}
    assert len(seen) > 1
    assert farm.pieces >= 2
    assert not any(process.is_alive() for process in farm.processes)


def riff(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def soundfont(samples: np.ndarray) -> bytes:
    """Two programs, 0 and 1, one sample each, the samples one after the other."""
    n = len(samples) // 2
    heads = [
        font.HEADER.pack(b"s%d" % k, k * n, k * n + n, k * n + 8, k * n + n - 8, 32000, 60, 0, 0, 1) for k in (0, 1)
    ]
    tables = {
        b"phdr": b"".join(struct.pack("<20sHHHIII", b"p%d" % k, k, 0, k, 0, 0, 0) for k in (0, 1, 2)),
        b"pbag": b"".join(struct.pack("<HH", k, 0) for k in (0, 1, 2)), b"pmod": b"\0" * 10,
        b"pgen": b"".join(struct.pack("<HH", 41, k) for k in (0, 1)) + b"\0" * 4,
        b"inst": b"".join(struct.pack("<20sH", b"i%d" % k, k) for k in (0, 1, 2)),
        b"ibag": b"".join(struct.pack("<HH", k, 0) for k in (0, 1, 2)), b"imod": b"\0" * 10,
        b"igen": b"".join(struct.pack("<HH", 53, k) for k in (0, 1)) + b"\0" * 4,
        b"shdr": b"".join(heads) + font.HEADER.pack(b"EOS", *[0] * 9),
    }  # fmt: skip
    pdta = b"pdta" + b"".join(riff(name, body) for name, body in tables.items())
    sdta = b"sdta" + riff(b"smpl", samples.astype("<i2").tobytes())
    info = b"INFO" + riff(b"ifil", b"\2\0\1\0")
    return riff(b"RIFF", b"sfbk" + b"".join(riff(b"LIST", part) for part in (info, sdta, pdta)))


def test_a_small_soundfont_keeps_what_is_played_and_where_it_loops() -> None:
    soundfile = pytest.importorskip("soundfile")
    at = np.arange(8000)
    tones = [0.4 * np.sin(2 * np.pi * hz * at / 32000) for hz in (440, 1000)]
    whole = soundfont((np.concatenate(tones) * 32767).astype(np.int16))
    made = font.SoundFont(font.small(whole, {1}, set(), 0.9))
    kept, left_out = made.headers[1], made.headers[0]
    assert kept[3:5] == (8, 8000 - 8), "loops count from the sample's beginning"
    coded = made.tables[b"smpl"][kept[1] : kept[2]]
    audio, rate = soundfile.read(io.BytesIO(coded))
    assert (len(audio), rate) == (8000, 32000)
    assert np.corrcoef(audio, tones[1])[0, 1] > 0.95
    assert len(made.sample(0)) == 64, "nothing plays it"
    assert left_out[9] == kept[9] == 1 | font.VORBIS
    again = font.SoundFont(font.small(font.small(whole, {1}, set(), 0.9), {1}, set(), 0.9))
    assert again.headers[1][3:5] == (8, 8000 - 8), "a soundfont that is small already"
    with pytest.raises(ValueError, match="not a soundfont"):
        font.small(b"RIFFxxxxWAVE" + bytes(30), {0}, set(), 0.9)


def test_the_pack_takes_no_loop_that_is_held_out_and_songs_stay_in_order(tmp_path: Path) -> None:
    from engine.train.parts.corpus import lumps_of

    lumps = [("D_E1M1", b"MThd-one"), ("PLAYPAL", b"colours"), ("D_E1M2", b"MThd-two"), ("D_OLD", b"MUS\x1a")]
    (tmp_path / "songs.wad").write_bytes(pack.songs_only(lumps))
    assert list(lumps_of(tmp_path / "songs.wad")) == [("D_E1M1", b"MThd-one"), ("D_E1M2", b"MThd-two")]
    pack.pack_samples(tmp_path)
    names = {path.stem for path in tmp_path.rglob("*.flac")}
    assert not [name for name in names if name.startswith(pack.HELD_OUT)]
