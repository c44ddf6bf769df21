"""Distance of two sets of sounds, on embeddings of a network independent of Segue.

The network: aiSFX (Ma and Lerch, ISMIR 2022), trained to index libraries of sound effects; 512 numbers for every two
seconds. Its package includes the weights (`pip install --no-deps aisfx`, CC BY 4.0). For measuring only.

All of it [main].
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torchaudio.functional import melscale_fbanks

from engine.errors import UnsupportedError
from engine.train.evaluation.ears import packaged, resampled
from engine.train.metrics import Array

RATE_HZ, WINDOW, HOP, MELS, BLOCK = 44100, 2048, 1024, 96, 100
TRAINED_PEAK = 9.457798957824707
DIRECTIONS = 48


@lru_cache(maxsize=1)
def _network() -> Any:
    """The embedding network of the package, its file read without running anything in it."""
    path = packaged("aisfx", "checkpoint.pth", "pip install --no-deps aisfx")
    from aisfx.models.cnn2d import EmbeddingNet

    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]
    plain = [(scalar, "numpy.core.multiarray.scalar"), scalar, np.dtype, *{type(np.dtype(c)) for c in "fdilqb"}]
    try:
        with torch.serialization.safe_globals(plain):
            weights, _ = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UnsupportedError(f"{path} cannot be read: {error}") from error
    network = EmbeddingNet("max", 3, 1, 64)
    own = {k.removeprefix("embedding_net."): v for k, v in weights.items() if k.startswith("embedding_net.")}
    network.load_state_dict(own)
    return network.eval()


def blocks_of(audio: Array) -> torch.Tensor:
    """Log-mel blocks [n, 100, 96] of 2.3 s every 1.2 s, at the peak level that the network was taught with."""
    mono = torch.from_numpy(resampled(audio, RATE_HZ))
    mono = mono / mono.abs().max().clamp(min=1e-9)
    spectrum = torch.stft(mono, WINDOW, HOP, window=torch.hann_window(WINDOW), return_complex=True).abs() ** 2
    bank = melscale_fbanks(WINDOW // 2 + 1, 0.0, RATE_HZ / 2, MELS, RATE_HZ)
    bank = bank / bank.sum(dim=0).clamp(min=1e-9)
    mel = torch.log10(spectrum.T @ bank * 10000.0 + 1.0) / TRAINED_PEAK
    if len(mel) < BLOCK:
        mel = torch.cat([mel, mel.new_zeros(BLOCK - len(mel), MELS)])
    return mel.unfold(0, BLOCK, BLOCK // 2).transpose(1, 2)


@torch.inference_mode()
def embeddings(audio: Array) -> Array:
    """[n, 512], one for every 1.2 s of audio."""
    network, blocks = _network(), blocks_of(audio)
    return np.concatenate([np.asarray(network(part).numpy()) for part in blocks.split(8)])


def frechet(one: Array, other: Array) -> float:
    """Squared Frechet distance of normal distributions fitted to two sets [n, D] (Heusel et al. 2017)."""
    from scipy.linalg import sqrtm

    a, b = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = np.real(sqrtm(a @ b))
    return float(np.sum((one.mean(0) - other.mean(0)) ** 2) + np.trace(a) + np.trace(b) - 2 * np.trace(root))


class Yardstick:
    """Real music as embeddings, reduced to the directions in which it varies most; 1 is its standard deviation."""

    def __init__(self, real: Sequence[Array]) -> None:
        every = np.concatenate(real)
        self.mean = every.mean(0)
        _, values, directions = np.linalg.svd(every - self.mean, full_matrices=False)
        count = min(DIRECTIONS, len(every) // 4)
        self.directions = directions[:count] / (values[:count, None] / np.sqrt(len(every)))
        self.real = self.reduced(every)

    def reduced(self, embedded: Array) -> Array:
        """[n, <= 48] of [n, 512]."""
        return np.asarray((embedded - self.mean) @ self.directions.T)

    def distance(self, pieces: Sequence[Array]) -> float:
        """Frechet distance of pieces' embeddings to the real ones, over the number of directions."""
        return frechet(self.reduced(np.concatenate(pieces)), self.real) / len(self.directions)
