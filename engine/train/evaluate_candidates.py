"""Measures what candidates do for the beat: the same held-out pieces with 1, 2 and 4 of them; prints and writes JSON.

    python -m engine.train.evaluate_candidates [--pieces 20] [--seconds 10] [--counts 1 2 4] [--out candidates.json]

`engine.listen.beat` chooses candidates; `engine.train.metrics.beat_score`, another estimator, measures the result, and
the melody's chroma its cost elsewhere.

All of it [main].
"""

import argparse
import copy
import json
import time
from pathlib import Path

import numpy as np
import torch

from bridge.system.whole_file import put
from engine.api.offline import conditions_of
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.listen.choose import best, worth
from engine.listen.seeds import derived_seed
from engine.model import Ask, LoadedModel
from engine.models.load import load_model
from engine.stream import StreamSettings, TokenStream, WindowSize
from engine.stream.candidate_set import CandidateSet
from engine.train import metrics
from engine.train.evaluation.pieces import HeldOut, held_out

BEFORE_SECONDS = 2.0
Audio = metrics.Array


@torch.inference_mode()
def play(model: LoadedModel, ask: Ask, bpm: float, seconds: float, count: int, stretch_frames: int, seed: int) -> Audio:
    """Audio of one piece, each stretch the best of `count` candidates."""
    codec, total = model.codec, int(seconds * 50)
    settings = StreamSettings(
        Sampling(True, model.temperature, 250), Guidance(model.cfg_coef),
        WindowSize(model.window_frames, model.stride_frames), total,
    )  # fmt: skip
    stream = TokenStream.begin(model.executor, conditions_of(model, ask, settings.guidance), None, settings, seed)
    decoder, made = codec.init_decoder(), np.zeros(0, np.float32)
    while not stream.finished:
        start = stream.n_frames
        stop = min(start + stretch_frames, total)
        seeds = [derived_seed(seed, start, index) for index in range(1, count)] if start else []
        heat, tries = CandidateSet.begin(stream, stop, seeds), []
        for index, candidate in enumerate(heat.streams):
            candidate.advance(stop - start)
            state = copy.deepcopy(decoder)
            audio, state = codec.decode_step(heat.codes(index)[None], state, candidate.finished)
            tries.append((audio[0, 0].numpy(), state))
        before, begin = made[-int(BEFORE_SECONDS * codec.sample_rate) :], len(made) / codec.sample_rate
        beats_at = lambda at: (at + begin) * bpm / 60.0  # noqa: E731, B023 - used at once
        worths = [worth(before, audio, codec.sample_rate, beats_at) for audio, _ in tries]
        chosen = best(worths)
        stream, decoder = heat.streams[chosen], tries[chosen][1]
        made = np.concatenate([made, tries[chosen][0]])
    return made


def measure(model: LoadedModel, pieces: list[HeldOut], args: argparse.Namespace, count: int) -> dict[str, object]:
    """One row: beat score, its share of the originals', chroma."""
    scores, originals, chroma = [], [], []
    began = time.time()
    for index, held in enumerate(pieces):
        ask = Ask(melody=held.reference("melody"), grid=held.grid)
        out = play(model, ask, held.piece.bpm, args.seconds, count, args.stretch, args.seed + index)
        scores.append(metrics.beat_score(out, held.piece.bpm))
        originals.append(metrics.beat_score(held.audio.mix[: len(out)], held.piece.bpm))
        wanted = metrics.chroma_of(held.audio.melody[: len(out)])
        chroma.append(metrics.chroma_cosine(metrics.chroma_of(out), wanted))
    low, high = metrics.bootstrap_interval(scores)
    row = {
        "candidates": count, "beat_score": float(np.mean(scores)), "interval": [low, high],
        "share_of_originals": float(np.mean(scores) / np.mean(originals)), "chroma": float(np.mean(chroma)),
        "seconds_taken": time.time() - began,
    }  # fmt: skip
    print(json.dumps(row), flush=True)
    return row


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--pieces", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--stretch", type=int, default=50, help="frames of a stretch, 50 a second")
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=None)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, pieces = load_model(args.model), held_out(args.pieces, max(14.0, args.seconds + 2.0))
    rows = [measure(model, pieces, args, count) for count in args.counts]
    if args.out:
        put(args.out, (json.dumps(rows, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
