"""Stage 2 of the codec: refines encoder, codebooks and decoder together by gradient; resumable.

    python -m engine.train.codec_train --data DATA --start codec0.pt --out codec.pt --minutes 12
    ... --decoder-only     later: better sound from the same codes, without retraining the language model
    ... --hear-ahead 2     the decoder has two more frames (40 ms) of lookahead
    ... --adversarial      with discriminators, and losses at several scales
    ... --device cuda      on a GPU

`codec.pt` has only the weights, `codec.pt.run` the state from which the same command continues after an interruption,
`codec.pt.log` and `codec.pt.png` the losses. The learning rate falls to 0 over the given minutes. Losses are those of
`codec_losses`, and commitment.

All of it [main].
"""

import argparse
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bridge.system.whole_file import settle
from engine.codec.spectral import spectra_of
from engine.codec.spectral_net import SpectralConfig, SpectralNet, config_of, hear_ahead, to_log
from engine.models.device import pick_device
from engine.train.codec_fit import load_audio
from engine.train.codec_losses import Judges, SpectralLoss, scales_loss, to_deceive, to_tell
from engine.train.curves import draw_log, log_path, say

SEGMENT_SAMPLES = 3 * 32000
COMMIT = 0.01


@dataclass
class Batches:
    """Random three-second segments; a pool of pieces in memory is slowly replaced."""

    paths: list[Path]
    rng: random.Random
    pool: list[Tensor]

    def next(self, size: int) -> Tensor:
        """Audio [size, SEGMENT_SAMPLES]."""
        for _ in range(2 if len(self.pool) >= 96 else 12):
            self.pool.append(load_audio(self.rng.choice(self.paths)))
        self.pool = self.pool[-96:]
        rows = []
        for piece in self.rng.choices(self.pool, k=size):
            start = self.rng.randrange(len(piece) - SEGMENT_SAMPLES)
            rows.append(piece[start : start + SEGMENT_SAMPLES])
        gains = torch.tensor([10 ** (self.rng.uniform(-9, 3) / 20) for _ in rows])
        return torch.stack(rows) * gains.unsqueeze(1)


def quantise_straight_through(net: SpectralNet, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Quantised latents with the gradient passed through, the commitment loss, and the codes [B, K, T]."""
    codes = net.quantise(latents.detach())
    total = net.dequantise(codes).detach()
    return latents + (total - latents).detach(), F.mse_loss(latents, total), codes


class MovingCodebooks:
    """Codebooks as moving averages of what is assigned to them; unused entries restart at a residual."""

    DECAY, LEAST = 0.99, 0.05

    def __init__(self, net: SpectralNet) -> None:
        self.net = net
        self.counts = torch.full(net.codebooks.shape[:2], 2.0, device=net.codebooks.device)
        self.sums = net.codebooks.detach() * 2.0

    @torch.no_grad()
    def update(self, latents: Tensor, codes: Tensor) -> int:
        """Follow one batch: latents [B, T, latent], codes [B, K, T]; returns how many entries restarted."""
        rest, moved = latents.reshape(-1, latents.shape[-1]), 0
        for k in range(len(self.counts)):
            nearest = codes[:, k].reshape(-1)
            count = torch.bincount(nearest, minlength=self.counts.shape[1]).float()
            total = torch.zeros_like(self.sums[k]).index_add_(0, nearest, rest)
            before = rest - self.net.codebooks[k][nearest]
            self.counts[k].mul_(self.DECAY).add_(count, alpha=1 - self.DECAY)
            self.sums[k].mul_(self.DECAY).add_(total, alpha=1 - self.DECAY)
            dead = (self.counts[k] < self.LEAST).nonzero()[:, 0]
            self.sums[k, dead] = rest[torch.randint(len(rest), (len(dead),), device=rest.device)]
            self.counts[k, dead] = 1.0
            self.net.codebooks.data[k] = self.sums[k] / self.counts[k].unsqueeze(1)
            moved += len(dead)
            rest = before
        return moved


class Adversary:
    """Judges that learn beside the codec; each step they see short cuts of a part of the batch."""

    RATE, ROWS, FRAMES = 3e-4, 6, 128

    def __init__(self, config: SpectralConfig, device: str) -> None:
        self.judges, self.n_bins = Judges().to(device), config.n_bins
        self.optimiser = torch.optim.AdamW(self.judges.parameters(), lr=self.RATE, betas=(0.8, 0.95))

    def loss_of(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Let the judges learn on log-magnitudes [B, T, spectrum]; the codec's loss by them, and at several scales."""
        made, real = self._cut(predicted, target)
        told = to_tell(self.judges, made, real)
        self.optimiser.zero_grad()
        told.backward()
        self.optimiser.step()
        self.judges.requires_grad_(False)
        loss = scales_loss(made, real) + to_deceive(self.judges, made, real)
        self.judges.requires_grad_(True)
        return loss

    def _cut(self, predicted: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """The same cut of both, [b, S, bins]."""
        made, real = (x[: self.ROWS].reshape(min(self.ROWS, len(x)), -1, self.n_bins) for x in (predicted, target))
        start = int(torch.randint(max(1, made.shape[1] - self.FRAMES + 1), ()))
        return made[:, start : start + self.FRAMES], real[:, start : start + self.FRAMES]


class CodecRun:
    """A run of this stage: network, codebooks' averages, optimiser, and how far it is; continued from `out`.run."""

    def __init__(self, net: SpectralNet, args: argparse.Namespace, device: str) -> None:
        self.net, self.out, self.decoder_only, self.device = net.to(device), args.out, args.decoder_only, device
        if self.decoder_only:
            for name, parameter in net.named_parameters():
                parameter.requires_grad = name.startswith(("synthesis", "decoder"))
        net.codebooks.requires_grad = False
        self.books, self.loss_of = MovingCodebooks(net), SpectralLoss(net.config, device)
        self.adversary = Adversary(net.config, device) if args.adversarial else None
        self.trained = [p for p in net.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(self.trained, lr=args.rate, betas=(0.9, 0.95), weight_decay=0.01, fused=True)
        self.used = torch.zeros(net.config.n_codebooks, net.config.card, device=device)
        self.step, before_seconds = 0, 0.0
        self.path = args.out.with_name(args.out.name + ".run")
        if self.path.exists():
            before_seconds = self._go_on(torch.load(self.path, weights_only=True, map_location=device))
        self.began = time.time() - before_seconds

    def _go_on(self, saved: dict[str, Any]) -> float:
        if saved["decoder_only"] != self.decoder_only:
            raise ValueError(f"{self.path} is of a run with decoder_only={saved['decoder_only']}: give another --out")
        if ("judges" in saved) != (self.adversary is not None):
            raise ValueError(f"{self.path} is of a run with adversarial={'judges' in saved}: give another --out")
        self.take_state(saved)
        self.step = saved["step"]
        return float(saved["spent"])

    def take_state(self, saved: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        if self.adversary is not None:
            self.adversary.judges.load_state_dict(saved["judges"])
            self.adversary.optimiser.load_state_dict(saved["judges_optimiser"])
        self.net.load_state_dict(saved["net"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.books.counts, self.books.sums = saved["counts"].to(self.device), saved["sums"].to(self.device)

    def state(self) -> dict[str, Any]:
        """Network, averages of the codebooks, optimisers and judges."""
        state: dict[str, Any] = {"net": self.net.state_dict(), "optimiser": self.optimiser.state_dict()}
        state |= {"counts": self.books.counts, "sums": self.books.sums}
        if self.adversary is not None:
            state["judges"] = self.adversary.judges.state_dict()
            state["judges_optimiser"] = self.adversary.optimiser.state_dict()
        return state

    @property
    def spent_seconds(self) -> float:
        """Training time so far, of all runs."""
        return time.time() - self.began

    def save(self) -> None:
        """The weights, and what it takes to go on; each complete or not at all."""
        state = {**self.state(), "step": self.step, "spent": self.spent_seconds}
        weights = {name: value.cpu() for name, value in self.net.state_dict().items()}
        for content, path in ((weights, self.out), (state | {"decoder_only": self.decoder_only}, self.path)):
            part = path.with_name(path.name + ".part")
            torch.save(content, part)
            settle(part, path)
        draw_log(log_path(self.out))

    def learn(self, audio: Tensor, rate: float) -> tuple[float, float, int]:
        """One step on audio [B, N]: loss, commitment, and how many codebook entries restarted."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        complex_spectra = spectra_of(audio.to(self.device))
        target = to_log(complex_spectra.abs()).reshape(len(audio), -1, self.net.config.spectrum)
        with torch.autocast(torch.device(self.device).type, torch.bfloat16):
            latents = self.net.latents(target)
        latents = latents.float()
        quantised, commit, codes = quantise_straight_through(self.net, latents)
        with torch.autocast(torch.device(self.device).type, torch.bfloat16):
            predicted, _ = self.net.spectra(quantised)
        ahead = self.net.config.lookahead_frames
        predicted, target = predicted[:, ahead:].float(), target[:, : target.shape[1] - ahead]
        phases = torch.polar(torch.ones_like(complex_spectra.real), complex_spectra.angle())
        loss = self.loss_of(predicted, target, phases[:, : predicted.shape[1] * self.net.config.subframes])
        more = 0.0 if self.adversary is None else self.adversary.loss_of(predicted, target)
        self.optimiser.zero_grad()
        (loss + more + (0.0 if self.decoder_only else COMMIT) * commit).backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimiser.step()
        moved = 0 if self.decoder_only else self.books.update(latents.detach(), codes)
        for k in range(len(self.used)):
            self.used[k] += torch.bincount(codes[:, k].reshape(-1), minlength=self.used.shape[1])
        self.step += 1
        return loss.item(), commit.item(), moved


def train(net: SpectralNet, batches: Batches, args: argparse.Namespace) -> None:
    """Train for `args.minutes`; the learning rate falls to nothing over that time."""
    run, mean, log = CodecRun(net, args, pick_device(args.device)), None, log_path(args.out)
    while (share := run.spent_seconds / (60 * args.minutes)) < 1.0:
        rate = args.rate * min(1.0, (run.step + 1) / 50) * min(1.0, (1.0 - share) / 0.6 + 0.02)
        loss, commit, moved = run.learn(batches.next(args.batch), rate)
        mean = loss if mean is None else 0.98 * mean + 0.02 * loss
        if run.step % 50 == 0:
            use = [round(share, 3) for share in (run.used > 0).float().mean(dim=1).tolist()]
            took = f"{run.step} {run.spent_seconds:.0f} s"
            say(f"{took} loss {mean:.4f} commit {commit:.3f} use {use} moved {moved}", log)
            run.used.zero_()
        if run.step % 200 == 0:
            run.save()
    run.save()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--decoder-only", action="store_true")
    parser.add_argument("--hear-ahead", type=int, default=0, metavar="FRAMES")
    parser.add_argument("--adversarial", action="store_true")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:0, or auto: a GPU where there is one")
    args = parser.parse_args()
    torch.manual_seed(0)
    weights = torch.load(args.start, weights_only=True, map_location="cpu")
    weights = hear_ahead(weights, max(args.hear_ahead, config_of(weights).lookahead_frames))
    net = SpectralNet(config_of(weights))
    net.load_state_dict(weights)
    train(net, Batches(sorted(args.data.glob("*.npz")), random.Random(0), []), args)


if __name__ == "__main__":
    main()
