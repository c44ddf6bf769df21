"""The model's outputs on disk: made once, in the given number of processes, and continued after a stop.

    KEEP / <key> / <group> / 0007.npz    codes [4, T] (prompt first) and audio int16 [n], 32 kHz

The key depends on the weights, the settings and the evaluation's own rules; another model gets another folder.

All of it [main].
"""

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bridge.system.whole_file import settle
from engine.api.offline import run_together
from engine.audio.resample import StreamResampler
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.model import Ask, LoadedModel
from engine.models.load import load_model
from engine.serve.render.codec_output import CodecOutput
from engine.stream import StreamSettings, WindowSize
from engine.train.evaluation.asks import FIRST_SEED, PROMPT_SECONDS, EvaluationPlan, ask_of, pieces_of
from engine.train.evaluation.parts import PART_GROUPS, PROMPTED, HeldPart, held_parts, part_ask
from engine.train.evaluation.pieces import HeldOut
from engine.train.metrics import Array

TOGETHER = 4
PART_SEED = 7000
RULES = 3  # of this module and `asks`: counted up when what is asked or made changes


@dataclass(frozen=True)
class Answer:
    """What the model played: codes [4, T] with those of the prompt, mono audio that follows the prompt."""

    codes: Tensor
    audio: Array


def fingerprint(model: LoadedModel, plan: EvaluationPlan) -> str:
    """Name of what makes the answers: weights and settings, not how many are wanted.  [any]"""
    digest = hashlib.sha256()
    for module in (model.lm, getattr(model.codec, "net", None), *vars(model.conditioner).values()):
        if isinstance(module, torch.nn.Module):
            for name, tensor in sorted(module.state_dict().items()):
                digest.update(name.encode())
                digest.update(tensor.detach().cpu().float().numpy().tobytes())
    said = {key: value for key, value in asdict(plan).items() if key not in ("pieces", "long_pieces", "long_seconds")}
    said |= {
        "windows": [model.window_frames, model.stride_frames],
        "precision": model.executor.precision,
        "rules": RULES,
    }
    digest.update(json.dumps(said, sort_keys=True).encode())
    return f"{model.name.replace('/', '-')[:40]}-{digest.hexdigest()[:12]}"


class AnswerCache:
    """The answers of one model and plan."""

    def __init__(self, folder: Path, model: LoadedModel, plan: EvaluationPlan) -> None:
        self.model, self.plan = model, plan
        self.folder = folder / fingerprint(model, plan)

    def path(self, group: str, index: int) -> Path:
        """Where an answer lies."""
        name = f"long-{self.plan.long_seconds:g}" if group == "long" else group
        return self.folder / name / f"{index:04d}.npz"

    def missing(self, group: str) -> list[int]:
        """Indices that are still to be made."""
        return [index for index in range(self.plan.count(group)) if not self.path(group, index).is_file()]

    def read(self, group: str) -> list[Answer]:
        """All answers of a group; they must have been made."""
        answers = []
        for index in range(self.plan.count(group)):
            with np.load(self.path(group, index)) as stored:
                audio = (stored["audio"].astype(np.float32) / 32767.0).astype(np.float32)
                answers.append(Answer(torch.from_numpy(stored["codes"].astype(np.int64)), audio))
        return answers

    def write(self, group: str, index: int, answer: Answer) -> None:
        """Complete or not at all."""
        path = self.path(group, index)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("wb") as stream:
            audio = np.round(np.clip(answer.audio, -1, 1) * 32767).astype(np.int16)
            np.savez(stream, codes=answer.codes.numpy().astype(np.int16), audio=audio)
        settle(part, path)


Held = HeldOut | HeldPart


class HeldPieces:
    """The held-out music of each group, composed when it is first needed."""

    def __init__(self, plan: EvaluationPlan) -> None:
        self.plan = plan
        self._found: dict[str, list[Held]] = {}

    def __call__(self, group: str) -> list[Held]:
        """The pieces of a group, in the order of their indices."""
        name = group if group in PART_GROUPS else ""
        if name not in self._found:
            plan = self.plan
            self._found[name] = [
                *(held_parts(name, plan.count(name), plan.render_seconds) if name else pieces_of(plan))
            ]
        return self._found[name]


def ask_for(model: LoadedModel, group: str, index: int, held: Held | None) -> Ask:
    """The ask of any group, as far as the model takes it."""
    if isinstance(held, HeldPart):
        return part_ask(group, index, held, model.takes)
    return ask_of(group, index, held)


def prompt_of(model: LoadedModel, pieces: list[Held]) -> tuple[Tensor, Tensor]:
    """The beginnings to go on from: audio [B, 1, N] and codes [B, K, P]."""
    audio = torch.stack([torch.from_numpy(held.mix(PROMPT_SECONDS)) for held in pieces])[:, None]
    return audio, model.codec.encode(audio)


def play(
    model: LoadedModel, plan: EvaluationPlan, group: str, indices: list[int], pieces: list[Held | None]
) -> list[Answer]:
    """Answers to asks of neighbouring indices, made in one batch; each is what it would be alone.  [generate]"""
    frames = round(plan.length_seconds(group) * 50)
    known = [held for held in pieces if held is not None]
    prompt_audio, prompt = prompt_of(model, known) if group in ("onward", *PROMPTED) else (None, None)
    settings = StreamSettings(
        Sampling(True, plan.temperature, plan.top_k, 0.0), Guidance(plan.cfg),
        WindowSize(model.window_frames, model.stride_frames), frames + (0 if prompt is None else prompt.shape[-1]),
    )  # fmt: skip
    asks = [ask_for(model, group, index, held) for index, held in zip(indices, pieces, strict=True)]
    codes = run_together(model, asks, prompt, settings, FIRST_SEED.get(group, PART_SEED) + indices[0])
    answers = []
    for row, one in enumerate(codes):
        if prompt_audio is None or prompt is None:
            audio = model.codec.decode(one[None])[0, 0]
        else:
            audio = following(model, prompt_audio[row : row + 1], one[None], prompt.shape[-1])
        answers.append(Answer(one.cpu(), audio.float().cpu().numpy()))
    return answers


def following(model: LoadedModel, prompt_audio: Tensor, codes: Tensor, prompt_frames: int) -> Tensor:
    """Sound [n] of codes [1, K, T] behind real audio [1, 1, N] whose frames come first in them, joined to it as a lane
    joins it: in phase, from where the audio would have gone on.  [generate]"""
    rate_hz = model.codec.sample_rate
    known = codes[0, :, :prompt_frames]
    chain = CodecOutput(model.codec, StreamResampler(rate_hz, rate_hz), 1, prompt_audio[0], known)
    return chain.push(codes[0, :, prompt_frames:], last=True)[:, 0]


def batches(missing: list[int], together: int) -> Iterator[list[int]]:
    """Neighbouring indices, at most `together` at once."""
    batch: list[int] = []
    for index in missing:
        if batch and (index != batch[-1] + 1 or len(batch) == together):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def tasks(kept: AnswerCache, groups: tuple[str, ...]) -> list[tuple[str, list[int]]]:
    """What is still to be made, in pieces that are made at once; ten minutes stand alone."""
    return [(g, batch) for g in groups for batch in batches(kept.missing(g), 1 if g == "long" else TOGETHER)]


def make(kept: AnswerCache, group: str, batch: list[int], pieces: Callable[[str], Sequence[Held]]) -> None:
    """Make and keep the answers of one batch.  [generate]"""
    some = [None if group == "long" else pieces(group)[index] for index in batch]
    for index, answer in zip(batch, play(kept.model, kept.plan, group, batch, some), strict=True):
        kept.write(group, index, answer)


_here: dict[str, Any] = {}  # what a worker process keeps between batches


def _begin(name: str, folder: Path, plan: EvaluationPlan) -> None:
    torch.set_num_threads(1)
    _here["kept"], _here["pieces"] = AnswerCache(folder, load_model(name), plan), HeldPieces(plan)


def _make_apart(group: str, batch: list[int]) -> int:
    kept: AnswerCache = _here["kept"]
    make(kept, group, batch, _here["pieces"])
    return len(batch)


def make_all(name: str, kept: AnswerCache, folder: Path, groups: tuple[str, ...], processes: int) -> None:
    """Make what is missing of all groups, in so many processes; what is there already is not made again.  [main]"""
    todo = tasks(kept, groups)
    left = sum(len(batch) for _, batch in todo)
    if todo and processes <= 1:
        pieces = HeldPieces(kept.plan)
        for group, batch in todo:
            make(kept, group, batch, pieces)
            left -= len(batch)
            print(f"{group} {batch[0]}: {left} answers to go", flush=True)
    elif todo:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, spawn, initializer=_begin, initargs=(name, folder, kept.plan)) as pool:
            for made in pool.map(_make_apart, *zip(*todo, strict=True)):
                left -= made
                print(f"{left} answers to go", flush=True)
