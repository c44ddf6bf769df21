"""One course of training on a GPU, for some seconds: composes and renders on all processors, trains, saves.

    python -m engine.train.gpu codec --out OUT --brought .gpu/brought --seconds 200 [--adversarial]
    python -m engine.train.gpu lm    --out OUT --brought .gpu/brought --seconds 330 --total-seconds 700
    python -m engine.train.gpu probe --brought .gpu/brought     which batch is fastest, compiled or not

The same command goes on where the last one stopped, killed or not: from `--work` on this machine, else from the shards
in `--brought`. The language model takes the codec from OUT or `--work` if it is there, else from `--brought`.

All of it [main].
"""

import argparse
import os
import random
import time
from functools import partial
from pathlib import Path

import torch

from engine.codec.spectral import SpectralCodec
from engine.codec.spectral_net import SpectralNet, config_of
from engine.conditions.frames import N_FEATURES
from engine.core.config import LMConfig
from engine.models.device import pick_device
from engine.train import lm_train
from engine.train.codec_train import CodecRun
from engine.train.gpu.course import CodecLearner, Course, LMLearner
from engine.train.gpu.farm import Cutter, Farm, SoundCutter, WindowCutter
from engine.train.gpu.shards import load_shards, load_state

PROBE_STEPS = 15


def codec_net(folders: tuple[Path | None, ...]) -> SpectralNet:
    """The codec of the first folder that has one.  FileNotFoundError without any."""
    for folder in folders:
        found = None if folder is None else load_shards(folder, "codec")
        if found is not None:
            net = SpectralNet(config_of(found[0]))
            net.load_state_dict(found[0])
            return net
    raise FileNotFoundError(f"no codec in {', '.join(str(each) for each in folders)}: pack one (engine.train.gpu.pack)")


def config_from(args: argparse.Namespace) -> LMConfig:
    """Sizes of the language model."""
    return LMConfig(dim=args.width, n_heads=args.heads, n_layers=args.layers, card=1024, frame_features=N_FEATURES)


def lm_learner(args: argparse.Namespace, net: SpectralNet, device: str, compiled: bool) -> LMLearner:
    """A new language model."""
    books = net.codebooks.detach()
    model = lm_train.TrainedModel(config_from(args), books.shape[-1])
    lm_train.start_small(model)
    codes = torch.randint(books.shape[1], (1, books.shape[0], 4000))
    model.style.latent_scale.copy_(lm_train.latents_of(codes, books)[0].std(dim=0))
    return LMLearner(model, books, args.rate or 1.5e-3, device, compiled)


def codec_learner(args: argparse.Namespace, net: SpectralNet, device: str) -> CodecLearner:
    """The codec to go on with."""
    rate = args.rate or 8e-4
    settings = argparse.Namespace(out=args.work / "codec.none", decoder_only=args.decoder_only,
                                  adversarial=args.adversarial, rate=rate)  # fmt: skip
    return CodecLearner(CodecRun(net.train(), settings, device), rate)


def next_seed(args: argparse.Namespace, name: str) -> int:
    """The first seed that no earlier run of a course has used."""
    exact = load_state(args.work / f"{name}.state")
    found = exact or (load_shards(args.brought, name) if args.brought is not None else None)
    return args.first_seed + (0 if found is None else found[1].next_seed)


def train(args: argparse.Namespace) -> None:
    """The farm first, since it forks; then the learner, on the device."""
    began = time.monotonic()
    net = codec_net((args.brought,) if args.course == "codec" else (args.out, args.work, args.brought))
    cutter: Cutter = SoundCutter(args.batch)
    if args.course == "lm":
        shape = partial(lm_train.batch_shape, args.batch, args.frames)
        cutter = WindowCutter(SpectralCodec(net), shape, args.frames + lm_train.STEPS_MULTIPLE)
    with Farm(cutter, args.processes, next_seed(args, args.course)) as farm:
        torch.manual_seed(0)
        device = pick_device(args.device)
        torch.backends.cuda.matmul.allow_tf32 = True
        codec = args.course == "codec"
        made = codec_learner(args, net, device) if codec else lm_learner(args, net, device, args.compile)
        course = Course(made, args.work, args.out, args.brought)
        size = sum(p.numel() for p in made.weights().values()) / 1e6
        print(f"{args.course}: {size:.1f} M on {device}, from step {course.progress.step}, {args.processes} processes, "
              f"{time.monotonic() - began:.0f} s until here", flush=True)  # fmt: skip
        left = args.seconds - (time.monotonic() - began)
        course.run(farm.next, lambda: farm.pieces, left, args.total_seconds or args.seconds)
        print(f"saved step {course.progress.step} in {args.out}, {farm.pieces} pieces rendered", flush=True)


def probe(args: argparse.Namespace) -> None:
    """Frames a second of training, compiled and not, after one pass over the same batches; seconds of that pass."""
    net = codec_net((args.out, args.work, args.brought))
    shape = partial(lm_train.batch_shape, args.batch, args.frames)
    cutter = WindowCutter(SpectralCodec(net), shape, args.frames + lm_train.STEPS_MULTIPLE)
    with Farm(cutter, args.processes, args.first_seed) as farm:
        batches = [farm.next() for _ in range(PROBE_STEPS)]
    device = pick_device(args.device)
    for compiled in (False, True):
        learner = lm_learner(args, net, device, compiled)
        passes = []
        for _ in range(2):
            began, seen = time.monotonic(), 0
            for n, batch in enumerate(batches):
                lost, count = learner.learn(batch, 0.0, n, n)
                seen += count
            lost.tolist()  # waits for the device
            passes.append(time.monotonic() - began)
        print(f"compiled {compiled}: {seen / passes[1]:.0f} frames a second, first pass {passes[0]:.0f} s", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("course", choices=("codec", "lm", "probe"))
    parser.add_argument("--out", type=Path, required=True, help="shards and logs, which come back")
    parser.add_argument("--brought", type=Path, default=None, help="shards to begin from")
    parser.add_argument("--work", type=Path, default=Path("/tmp/segue-gpu"), help="the exact state, which stays")
    parser.add_argument("--seconds", type=float, default=200.0, help="of this run, loading included")
    parser.add_argument("--total-seconds", type=float, default=None, help="of all runs: the rate falls to their end")
    parser.add_argument("--processes", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--first-seed", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--rate", type=float, default=None)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--layers", type=int, default=9)
    parser.add_argument("--decoder-only", action="store_true")
    parser.add_argument("--adversarial", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    random.seed(0)
    probe(args) if args.course == "probe" else train(args)


if __name__ == "__main__":
    main()
