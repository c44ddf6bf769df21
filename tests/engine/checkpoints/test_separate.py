"""One stem out of files of mixes, by a small network of random weights in the published form."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from engine.checkpoints.htdemucs import CLASS
from engine.checkpoints.separate import main, stem_of
from engine.conditions.separation import SOURCES, htdemucs

pytest.importorskip("demucs.apply")
SIZES = {"channels": 8, "bottom_channels": 16, "t_layers": 1, "t_heads": 2, "nfft": 1024, "depth": 4}
SETTINGS = {"sources": list(SOURCES), **SIZES, "segment": {"_type": "fraction", "numerator": 1, "denominator": 2}}


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    network = htdemucs({**SETTINGS, "segment": 0.5})
    folder = tmp_path / "models" / "HTDemucs"
    folder.mkdir(parents=True)
    about = {"klass": CLASS, "args": "[]", "kwargs": json.dumps(SETTINGS)}
    save_file(dict(network.state_dict()), folder / "955717e8.safetensors", about)
    (folder / "htdemucs.yaml").write_text("models: ['955717e8']\n")
    monkeypatch.setenv("SEGUE_MODELS", str(tmp_path / "models"))


@pytest.mark.parametrize(("channels", "rate_hz"), [(1, 32_000), (2, 48_000)])
def test_a_stem_has_the_mixs_form_and_is_the_same_each_time(
    tmp_path: Path, weights: None, channels: int, rate_hz: int
) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (rate_hz // 3 + 7, channels)).astype(np.float32)
    mix, first, again, other = (tmp_path / f"{name}.wav" for name in ("mix", "first", "again", "other"))
    soundfile.write(mix, noise, rate_hz, "FLOAT")
    assert main(["--check"]) == 0
    assert main(["drums", str(mix), str(first), str(mix), str(again)]) == 0
    assert main(["other", str(mix), str(other)]) == 0
    stem, rate = soundfile.read(first, dtype="float32", always_2d=True)
    assert (rate, stem.shape) == (rate_hz, noise.shape)
    assert stem.std() > 1e-5
    assert np.array_equal(stem, soundfile.read(again, dtype="float32", always_2d=True)[0])
    assert not np.array_equal(stem, soundfile.read(other, dtype="float32", always_2d=True)[0])


def test_stems_go_where_their_names_say() -> None:
    def separator(mix: torch.Tensor) -> torch.Tensor:
        return torch.stack([mix * weight for weight in (1.0, 10.0, 100.0, 1000.0)], dim=1)

    mix = 0.1 * torch.ones(2, 4410)
    factors = {stem: float(stem_of(separator, mix, 44_100, stem)[0, 2000] / 0.1) for stem in ("drums", "bass", "other")}
    assert factors == pytest.approx({"drums": 1.0, "bass": 10.0, "other": 1100.0}, rel=1e-4)


def test_missing_weights_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEGUE_MODELS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert main(["--check"]) == 1
    assert "weights of adefossez/HTDemucs are not on this machine" in capsys.readouterr().err
