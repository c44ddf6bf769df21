"""The model cards' metrics: sizes, known results, and the messages for missing weights."""

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import UnsupportedError
from engine.train.evaluation import cards


def noise(seed: int, level: float = 0.1) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(32000 * 2)).astype(np.float32)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="vggish-10086976"):
        cards.fad([noise(0)], [noise(1)], 32000, None)
    (tmp_path / "wrong.pth").write_bytes(b"no weights")
    with pytest.raises(UnsupportedError, match="hear21passt"):
        cards.passt_divergence([noise(0)], [noise(1)], 32000)
    with pytest.raises(UnsupportedError, match="larger_clap_music"):
        cards.clap_score([noise(0)], ["noise"], 32000, tmp_path)
    with pytest.raises(ValueError, match="one sample rate"):
        cards.read_folder(tmp_path)


def test_vggish_patches_are_of_a_second() -> None:
    assert cards.vggish_patches(noise(0), 32000).shape == (2, 96, 64)


def test_vggish_has_the_published_layout() -> None:
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in cards.VGGish().state_dict().items()}
    assert shapes["features.13.weight"] == (512, 512, 3, 3)
    assert shapes["embeddings.0.weight"] == (4096, 12288)
    assert shapes["embeddings.4.bias"] == (128,)
    assert [n for n in shapes if n.endswith("weight")][:6] == [f"features.{n}.weight" for n in (0, 3, 6, 8, 11, 13)]


def test_divergence_of_known_distributions() -> None:
    even, sure = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.75, 0.25]]).log()
    assert float(cards.divergence(even, even)) == pytest.approx(0.0)
    assert float(cards.divergence(even, sure)) == pytest.approx(0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(2.0))
