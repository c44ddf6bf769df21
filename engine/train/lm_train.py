"""Train the embedded language model with its text and style encoders; one command, resumable.

    python -m engine.train.lm_train --tokens TOKENS --codec codec.pt --out lm.pt --minutes 90 [--threads 2]

The learning rate falls to nothing over the minutes asked for, counted over all runs that continue the same file.
Log lines are `step, minutes, frames seen, loss a codebook`; `lm.pt.log` keeps them.
"""

import argparse
import random
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.conditions.encoders import StyleEncoder, TextEncoder
from engine.conditions.frames import N_FEATURES, TEXT_COLUMNS
from engine.conditions.words import encode_texts
from engine.config import LMConfig
from engine.delay import delay, valid_mask
from engine.lm import Conditions, LanguageModel
from engine.train.lm_data import Batch, Pieces, batch
from engine.train.tokenise import load_codec

EMBEDDED_S = LMConfig(dim=256, n_heads=4, n_layers=8, card=1024, cross_attention=True, frame_features=N_FEATURES)
CODEBOOK_WEIGHTS = (1.5, 1.0, 0.8, 0.7)
WARM_UP_STEPS = 100
SHORTER = {1: 0.4, 4: 0.2, 12: 0.4}  # how many parts a window is cut into, and how often


class TrainedModel(nn.Module):
    """What is trained: the language model and the encoders of its conditions."""

    def __init__(self, config: LMConfig, latent: int) -> None:
        super().__init__()
        self.lm = LanguageModel(config)
        self.text = TextEncoder(config.dim)
        self.style = StyleEncoder(config.dim, latent)


def start_small(model: TrainedModel) -> None:
    """Initial weights: small embeddings, and residual branches scaled down by depth."""
    depth = (2 * model.lm.config.n_layers) ** -0.5
    for table in model.lm.emb.parameters():
        nn.init.normal_(table, std=0.3)
    for layer in model.lm.layers:
        outs = [layer.self_attn.out_proj, layer.linear2]
        outs += [layer.cross_attention.out_proj] if layer.cross_attention else []
        for out in outs:
            out.weight.data.mul_(depth)


def conditions(model: TrainedModel, rows: Batch, books: Tensor) -> Conditions:
    """Memory and frame features of a batch; rows without a style get zero vectors."""
    text, words = model.text(encode_texts(rows.texts))
    latents = torch.stack([book[rows.style_codes[:, k]] for k, book in enumerate(books)]).sum(dim=0)
    style, sound = model.style(latents)
    given = rows.has_style.unsqueeze(1)
    summaries = torch.cat([words, sound * given], dim=1).unsqueeze(1).expand(-1, rows.frames.shape[1], -1)
    frames = torch.cat([rows.frames[..., : TEXT_COLUMNS.start], summaries], dim=2)
    return Conditions(memory=torch.cat([text, style * given.unsqueeze(2)], dim=1), frames=frames)


def losses(model: TrainedModel, rows: Batch, books: Tensor) -> Tensor:
    """Mean cross-entropy [K] of each codebook over the cells of the delay pattern."""
    config = model.lm.config
    sequence = delay(rows.codes, config.delays, config.special)
    mask = valid_mask(rows.codes.shape[-1], config.delays)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model.lm(sequence[..., :-1], conditions(model, rows, books))
    per_book = []
    for k in range(config.n_codebooks):
        steps = mask[k, 1:].nonzero()[:, 0]
        lo, hi = int(steps[0]), int(steps[-1]) + 1
        part = logits[:, k, lo:hi].float().flatten(0, 1)
        per_book.append(F.cross_entropy(part, sequence[:, k, lo + 1 : hi + 1].flatten()))
    return torch.stack(per_book)


def rate_at(share: float, step: int, top: float) -> float:
    """Learning rate: warm up, hold for half of the time, then down to a fiftieth in a straight line."""
    return top * min(1.0, (step + 1) / WARM_UP_STEPS) * min(1.0, 2.0 * (1.0 - share) + 0.02)


def batch_shape(size: int, n_frames: int, rng: random.Random) -> tuple[int, int]:
    """Rows and frames of a batch: long windows, or many short ones of about as many frames in all.

    Late in a window the model knows the sound from what it has played; only beginnings teach it to listen to words
    and to a style.
    """
    parts = rng.choices(tuple(SHORTER), weights=tuple(SHORTER.values()))[0]
    return size * parts, max(n_frames // parts, 1)


def latent_scale(pieces: Pieces, books: Tensor) -> Tensor:
    """Standard deviation of codec latents, for the style encoder."""
    codes = torch.cat([piece.codes for piece in pieces.pieces[:100]], dim=1).long()
    latents = torch.stack([book[codes[k]] for k, book in enumerate(books)]).sum(dim=0)
    return latents.std(dim=0)


def train(args: argparse.Namespace) -> None:
    """The loop: load or begin, step until the minutes are over, save every few minutes."""
    books = load_codec(args.codec).net.codebooks.detach()
    pieces = Pieces(args.tokens)
    pieces.refresh()
    model = TrainedModel(EMBEDDED_S, books.shape[-1])
    start_small(model)
    model.style.latent_scale.copy_(latent_scale(pieces, books))
    decay = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decay, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=args.rate, betas=(0.9, 0.95))
    step, spent, seen = 0, 0.0, 0
    if args.out.exists():
        saved = torch.load(args.out, weights_only=True)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        step, spent, seen = saved["step"], saved["spent"], saved["seen"]
    rng = random.Random(step)
    weights = torch.tensor(CODEBOOK_WEIGHTS) / sum(CODEBOOK_WEIGHTS)
    mean, began, saved_at = None, time.time() - spent, time.time()

    def save() -> None:
        state = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
        part = args.out.with_suffix(".part")
        torch.save({**state, "step": step, "spent": time.time() - began, "seen": seen}, part)
        part.rename(args.out)

    while (share := (time.time() - began) / (60.0 * args.minutes)) < 1.0:
        for group in optimiser.param_groups:
            group["lr"] = rate_at(share, step, args.rate)
        rows = batch(pieces.pieces, *batch_shape(args.batch, args.frames, rng), rng)
        per_book = losses(model, rows, books)
        optimiser.zero_grad()
        (per_book * weights).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        now = per_book.detach()
        mean = now if mean is None else 0.98 * mean + 0.02 * now
        step, seen = step + 1, seen + rows.codes.shape[0] * rows.codes.shape[-1]
        if step % 25 == 0:
            per_book_now = [round(loss, 3) for loss in mean.tolist()]
            print(f"{step} {(time.time() - began) / 60:.1f} min {seen / 1e6:.2f}M {per_book_now}", flush=True)
        if step % 100 == 0:
            pieces.refresh()
        if time.time() - saved_at > 240:
            save()
            saved_at = time.time()
    save()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tokens", type=Path, required=True)
    parser.add_argument("--codec", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    train(args)


if __name__ == "__main__":
    main()
