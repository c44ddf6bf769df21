"""Trains the embedded language model with its text and style encoders; one command, resumable.

    python -m engine.train.lm_train --tokens TOKENS PARTS --shares 0.3 0.7 --codec codec.pt --out lm.pt --minutes 90
        [--start engine/models/embedded] [--threads 2] [--device auto]

`--start` begins from a shipped model's weights (a folder) or another run's file; conditions that it does not have
begin at zero, so that the first step's model is the old one.

The learning rate falls to 0 over the given minutes, counted over all runs that continue the same file. Log lines are
`step, minutes, frames seen, loss a codebook`, in `lm.pt.log` and plotted in `lm.pt.png`. Products are in bfloat16, on a
CPU and on a GPU; weights, optimiser and losses in float32.

All of it [main].
"""

import argparse
import random
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bridge.system.whole_file import settle
from engine.conditions.encoders import StyleEncoder, WordEncoder
from engine.conditions.frames import CONTEXT_COLUMNS, CONTEXT_GIVEN, N_FEATURES, STYLE_COLUMNS, TEXT_COLUMNS
from engine.conditions.words import encode_texts
from engine.core.config import LMConfig
from engine.core.delay import delay, valid_mask
from engine.lm import Conditions, LanguageModel
from engine.models.device import pick_device
from engine.models.embedded_model import read_shards, widened
from engine.train.curves import draw_log, log_path, say
from engine.train.lm_data import Batch, TrainingPieces, batch
from engine.train.tokenise import load_codec

EMBEDDED_S = LMConfig(dim=256, n_heads=4, n_layers=8, card=1024, cross_attention=True, frame_features=N_FEATURES)
CODEBOOK_WEIGHTS = (1.5, 1.0, 0.8, 0.7)
WARM_UP_STEPS = 100
STEPS_MULTIPLE = 16
SAVE_SECONDS = 240.0
SHORTER = {1: 0.4, 4: 0.2, 12: 0.4}  # how many parts a window is cut into, and how often


class TrainedModel(nn.Module):
    """The trained modules: the language model and the encoders of its conditions."""

    def __init__(self, config: LMConfig, latent: int) -> None:
        super().__init__()
        self.lm = LanguageModel(config)
        self.text = WordEncoder(config.dim)
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


def latents_of(codes: Tensor, books: Tensor) -> Tensor:
    """Codes [B, 4, T] to the codec's latents [B, T, latent]."""
    return torch.stack([book[codes[:, k]] for k, book in enumerate(books)]).sum(dim=0)


def conditions(model: TrainedModel, rows: Batch, books: Tensor) -> Conditions:
    """Memory and frame features of a batch; rows without a style or a context get zeros."""
    text, words = model.text(encode_texts(rows.texts).to(books.device))
    style, sound = model.style(latents_of(rows.style_codes, books))
    given, frames = rows.has_style.unsqueeze(1), rows.frames.clone()
    frames[..., TEXT_COLUMNS] = words.unsqueeze(1)
    frames[..., STYLE_COLUMNS] = (sound * given).unsqueeze(1)
    beside = latents_of(rows.context_codes, books) / model.style.latent_scale
    frames[..., CONTEXT_COLUMNS] = beside * rows.has_context[:, None, None]
    frames[..., CONTEXT_GIVEN] = rows.has_context.float().unsqueeze(1)
    return Conditions(memory=torch.cat([text, style * given.unsqueeze(2)], dim=1), frames=frames)


def losses(model: TrainedModel, rows: Batch, books: Tensor) -> Tensor:
    """Mean cross-entropy [K] of each codebook over the cells of the delay pattern."""
    config = model.lm.config
    sequence = delay(rows.codes, config.delays, config.special)
    mask = valid_mask(rows.codes.shape[-1], config.delays)
    per_book = []
    with torch.autocast(books.device.type, torch.bfloat16):
        seen = model.lm.out_norm(model.lm.hidden(sequence[..., :-1], conditions(model, rows, books)))
        for k, head in enumerate(model.lm.linears):  # one by one: all logits together are four times the memory
            steps = mask[k, 1:].nonzero()[:, 0]
            lo, hi = int(steps[0]), int(steps[-1]) + 1
            logits = head(seen[:, lo:hi]).flatten(0, 1)
            per_book.append(F.cross_entropy(logits.float(), sequence[:, k, lo + 1 : hi + 1].flatten()))
    return torch.stack(per_book)


def rate_at(share: float, step: int, top: float) -> float:
    """Learning rate: warm up, hold for half of the time, then down to a fiftieth in a straight line."""
    return top * min(1.0, (step + 1) / WARM_UP_STEPS) * min(1.0, 2.0 * (1.0 - share) + 0.02)


def batch_shape(size: int, n_frames: int, rng: random.Random) -> tuple[int, int]:
    """Rows and frames of a batch: long windows, or many short ones of about as many frames in all.

    Late in a window the model knows the sound from what it has played; only beginnings teach it to follow words
    and a style.  Their steps (frames and the delays' three) are a multiple of 16: matrix units like that.
    """
    parts = rng.choices(tuple(SHORTER), weights=tuple(SHORTER.values()))[0]
    delays = EMBEDDED_S.n_codebooks - 1
    steps = n_frames // parts + delays
    return size * parts, steps + -steps % STEPS_MULTIPLE - delays


def latent_scale(pieces: TrainingPieces, books: Tensor) -> Tensor:
    """Standard deviation of codec latents, for the style encoder."""
    codes = torch.cat([piece.codes for piece in pieces.pieces[:100]], dim=1).long()
    return latents_of(codes[None], books)[0].std(dim=0)


def begin_from(model: TrainedModel, start: Path) -> None:
    """Load a shipped model (a folder of shards) or a run's file; frame features that it lacks begin at zero."""
    if start.is_dir():
        tensors = {name: tensor for name, tensor in read_shards(start).items() if not name.startswith("codec.")}
    else:
        tensors = torch.load(start, weights_only=True, map_location="cpu")["model"]
    model.load_state_dict(widened(tensors, N_FEATURES))


def optimiser_of(model: TrainedModel, rate: float) -> torch.optim.AdamW:
    """AdamW, matrices decayed."""
    decay = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decay, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=True)


def descend(model: TrainedModel, optimiser: torch.optim.Optimizer, rows: Batch, books: Tensor, rate: float) -> Tensor:
    """One step at a learning rate; losses [K] before it."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    per_book = losses(model, rows, books)
    weights = torch.tensor(CODEBOOK_WEIGHTS, device=books.device) / sum(CODEBOOK_WEIGHTS)
    optimiser.zero_grad()
    (per_book * weights).sum().backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    return per_book.detach()


class LMRun:
    """A training run: what is trained and how far it is; continued from `path` where that is a file.

    `spent_seconds` are those of all earlier runs and of this one.
    """

    def __init__(self, model: TrainedModel, rate: float, path: Path, device: str) -> None:
        self.model, self.path = model.to(device), path
        self.optimiser = optimiser_of(model, rate)
        self.step = self.frames_seen = 0
        before_seconds = 0.0
        if path.exists():
            saved = torch.load(path, weights_only=True, map_location="cpu")
            model.load_state_dict(saved["model"])
            for group in saved["optimiser"]["param_groups"]:
                group["fused"], group["foreach"] = True, None  # files of earlier versions say otherwise
            self.optimiser.load_state_dict(saved["optimiser"])
            self.step, self.frames_seen, before_seconds = saved["step"], saved["seen"], saved["spent"]
        self.began = time.time() - before_seconds

    @property
    def spent_seconds(self) -> float:
        """Training time so far."""
        return time.time() - self.began

    def save(self) -> None:
        """Complete or not at all."""
        state = {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}
        part = self.path.with_suffix(".part")
        torch.save({**state, "step": self.step, "spent": self.spent_seconds, "seen": self.frames_seen}, part)
        settle(part, self.path)

    def learn(self, rows: Batch, books: Tensor, rate: float) -> Tensor:
        """One step at a learning rate; losses [K] before it."""
        per_book = descend(self.model, self.optimiser, rows, books, rate)
        self.step, self.frames_seen = self.step + 1, self.frames_seen + rows.codes.shape[0] * rows.codes.shape[-1]
        return per_book


def train(args: argparse.Namespace) -> None:
    """The loop: load or begin, step until the minutes are over, save every few minutes."""
    device, log = pick_device(args.device), log_path(args.out)
    books = load_codec(args.codec).net.codebooks.detach()
    pieces = TrainingPieces(args.tokens, args.shares)
    if not pieces.refresh():
        folders = ", ".join(map(str, args.tokens))
        raise FileNotFoundError(f"no pieces (*.npz) in {folders}: make them with tokenise or parts.part_set")
    model = TrainedModel(EMBEDDED_S, books.shape[-1])
    start_small(model)
    model.style.latent_scale.copy_(latent_scale(pieces, books))
    if args.start is not None:
        begin_from(model, args.start)
    run, books = LMRun(model, args.rate, args.out, device), books.to(device)
    rng, mean, saved_at = random.Random(run.step), None, time.time()
    while (share := run.spent_seconds / (60.0 * args.minutes)) < 1.0:
        rows = batch(pieces, *batch_shape(args.batch, args.frames, rng), rng).to(device)
        now = run.learn(rows, books, rate_at(share, run.step, args.rate))
        mean = now if mean is None else 0.98 * mean + 0.02 * now
        if run.step % 25 == 0:
            per_book = [round(loss, 3) for loss in mean.tolist()]
            say(f"{run.step} {run.spent_seconds / 60:.1f} min {run.frames_seen / 1e6:.2f}M {per_book}", log)
        if run.step % 100 == 0:
            pieces.refresh()
        if time.time() - saved_at > SAVE_SECONDS:
            run.save()
            draw_log(log)
            saved_at = time.time()
    run.save()
    draw_log(log)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tokens", type=Path, nargs="+", required=True, help="folders of tokens")
    parser.add_argument("--shares", type=float, nargs="+", default=None, help="of the windows, for each folder")
    parser.add_argument("--start", type=Path, default=None, help="weights to begin from")
    parser.add_argument("--codec", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--threads", type=int, default=2, help="of the processor")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:0, or auto: a GPU where there is one")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    train(args)


if __name__ == "__main__":
    main()
