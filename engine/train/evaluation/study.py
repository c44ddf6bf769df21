"""One running evaluation: the model, the held-out pieces, its outputs, and real music for comparison.

All of it [main].
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bridge.system.whole_file import settle
from engine.model import LoadedModel
from engine.train import metrics
from engine.train.evaluation import nearness
from engine.train.evaluation.asks import EvaluationPlan
from engine.train.evaluation.kept import Answer, AnswerCache, HeldPieces
from engine.train.evaluation.parts import HeldPart
from engine.train.evaluation.pieces import OTHERS, HeldOut, held_out
from engine.train.evaluation.seam import joins
from engine.train.evaluation.table import EvaluationReport
from engine.train.metrics import Array

REAL_SECONDS = 12.0
AT_A_TIME = 20


@dataclass(frozen=True)
class Real:
    """Features of real music that is neither trained on nor asked for: what classifiers learn from."""

    timbre: Array  # [n, features]
    genres: list[str]
    families: list[str]
    embedded: list[Array]  # [blocks, 512] each
    seams: Array  # [m, features] of joins
    is_seam: list[str]


def real_features(count: int, keep: Path) -> Real:
    """Render `count` other pieces and listen to them; kept in a file, so that only the first call takes long.  [any]"""
    path = keep / f"real-{count}.npz"
    if not path.is_file():
        parts: list[dict[str, Array]] = []
        for first in range(0, count, AT_A_TIME):
            pieces = held_out(min(AT_A_TIME, count - first), REAL_SECONDS + 2.0, OTHERS + first)
            parts.append(_listen(pieces, first))
            print(f"real music: {first + len(pieces)} of {count}", flush=True)
        keep.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("wb") as stream:
            joined: dict[str, Any] = {name: np.concatenate([each[name] for each in parts]) for name in parts[0]}
            np.savez(stream, **joined)
        settle(part, path)
    with np.load(path) as kept:
        blocks = int(kept["blocks"][0])
        embedded = list(kept["embedded"].reshape(-1, blocks, kept["embedded"].shape[1]))
        return Real(kept["timbre"], kept["genres"].tolist(), kept["families"].tolist(), embedded, kept["seams"],
                    kept["is_seam"].tolist())  # fmt: skip


def _listen(pieces: list[HeldOut], seed: int) -> dict[str, Array]:
    mixes = [held.mix(REAL_SECONDS) for held in pieces]
    embedded = [nearness.embeddings(mix) for mix in mixes]
    seams, is_seam = joins(mixes, seed)
    return {
        "timbre": np.stack([metrics.timbre(mix) for mix in mixes]),
        "genres": np.array([held.genre for held in pieces]),
        "families": np.array([held.family for held in pieces]),
        "embedded": np.concatenate(embedded), "blocks": np.array([len(embedded[0])]),
        "seams": seams, "is_seam": np.array(is_seam),
    }  # fmt: skip


class Study:
    """What the rows are measured with."""

    def __init__(self, model: LoadedModel, plan: EvaluationPlan, keep: Path, real_count: int) -> None:
        self.model, self.plan, self.keep, self.real_count = model, plan, keep, real_count
        self.kept, self.report = AnswerCache(keep, model, plan), EvaluationReport()
        self._answers: dict[str, list[Answer]] = {}
        self._pieces = HeldPieces(plan)

    @cached_property
    def pieces(self) -> list[HeldOut]:
        """The held-out pieces."""
        return [held for held in self._pieces("") if isinstance(held, HeldOut)]

    @cached_property
    def real(self) -> Real:
        """Real music to learn from."""
        return real_features(self.real_count, self.keep)

    @cached_property
    def coded(self) -> list[Array]:
        """The held-out pieces through the codec alone: what limits every answer."""
        return [self.through_codec(held.mix(self.plan.seconds)) for held in self.pieces]

    @property
    def originals(self) -> list[Array]:
        """The held-out pieces themselves, as long as the answers."""
        return [held.mix(self.plan.seconds) for held in self.pieces]

    def through_codec(self, audio: Array) -> Array:
        """Audio coded and decoded, as long as before."""
        codes = self.model.codec.encode(torch.from_numpy(audio)[None, None])
        decoded = self.model.codec.decode(codes)[0, 0].float().cpu().numpy()
        return np.asarray(decoded[: len(audio)])

    def answers(self, group: str) -> list[Answer]:
        """The model's answers of a group, as kept."""
        if group not in self._answers:
            self._answers[group] = self.kept.read(group)
        return self._answers[group]

    def parts(self, group: str) -> list[HeldPart]:
        """The held-out parts of a group."""
        return [held for held in self._pieces(group) if isinstance(held, HeldPart)]

    def sounds(self, group: str) -> list[Array]:
        """Their audio."""
        return [answer.audio for answer in self.answers(group)]
