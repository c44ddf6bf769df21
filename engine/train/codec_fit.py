"""Stage 1 of the codec: principal components and k-means codebooks, no gradient; under two minutes on a core.

python -m engine.train.codec_fit --data DATA --out codec.pt

All of it [main].
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bridge.system.whole_file import writing
from engine.codec.spectral import log_spectra
from engine.codec.spectral_net import SpectralConfig, SpectralNet

BIN_HZ = 25.0
HALF_WEIGHT_HZ = 1500.0
CEILING_MARGIN = 0.1


def bin_weights(config: SpectralConfig) -> Tensor:
    """How much a bin's error counts [spectrum]: less towards high frequencies, where bins are many."""
    hz = torch.arange(config.n_bins) * BIN_HZ
    return ((1.0 + hz / HALF_WEIGHT_HZ) ** -0.5).repeat(config.subframes)


def load_audio(path: Path) -> Tensor:
    """One piece's mix, whole frames."""
    audio = np.load(path)["audio"]
    return torch.from_numpy(audio[: len(audio) // 640 * 640].astype(np.float32) / 32767.0)


def gather(paths: list[Path], limit: int, config: SpectralConfig, per_piece: int = 300) -> Tensor:
    """Log-magnitudes [limit, spectrum] drawn from many pieces."""
    parts, count = [], 0
    generator = torch.Generator().manual_seed(0)
    for path in paths:
        spectra = log_spectra(load_audio(path)[None])[0]
        pick = torch.randperm(len(spectra), generator=generator)[:per_piece]
        parts.append(spectra[pick])
        count += len(pick)
        if count >= limit:
            break
    return torch.cat(parts)[:limit]


def k_means(points: Tensor, card: int, iterations: int, generator: torch.Generator) -> Tensor:
    """Centres [card, D]; an empty cluster restarts at a random point."""
    centres = points[torch.randperm(len(points), generator=generator)[:card]].clone()
    for _ in range(iterations):
        nearest = assign(points, centres)
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        counts = torch.bincount(nearest, minlength=card).unsqueeze(1)
        fresh = points[torch.randint(len(points), (card,), generator=generator)]
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), fresh)
    return centres


def assign(points: Tensor, centres: Tensor) -> Tensor:
    """Nearest centre of each point, in slices to save memory."""
    half = (centres**2).sum(-1)
    return torch.cat([(half - 2.0 * part @ centres.T).argmin(-1) for part in points.split(16384)])


def fit(spectra: Tensor, config: SpectralConfig) -> SpectralNet:
    """A network whose linear paths are the weighted principal components, with k-means codebooks."""
    net = SpectralNet(config)
    weights = bin_weights(config)
    net.mean.copy_(spectra.mean(dim=0))
    net.ceiling.copy_(spectra.amax(dim=0) + CEILING_MARGIN)
    centred = (spectra - net.mean) * weights
    _, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
    components = vectors[:, -config.latent :].flip(1).T.contiguous()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        net.analysis.weight.copy_(components * weights)
        net.synthesis.weight.copy_((components / weights).T)
        rest = centred @ components.T
        for k in range(config.n_codebooks):
            book = k_means(rest, config.card, 16, generator)
            net.codebooks[k].copy_(book)
            rest = rest - book[assign(rest, book)]
            print(f"codebook {k}: residual {rest.pow(2).sum(-1).mean():.3f}", flush=True)
    return net


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--vectors", type=int, default=90_000)
    args = parser.parse_args()
    began = time.time()
    config = SpectralConfig()
    spectra = gather(sorted(args.data.glob("*.npz")), args.vectors, config)
    print(f"{len(spectra)} vectors after {time.time() - began:.0f} s", flush=True)
    net = fit(spectra, config)
    with writing(args.out) as file:
        torch.save(net.state_dict(), file)
    print(f"saved {args.out} after {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
