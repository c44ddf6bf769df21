"""The two courses of training on a GPU, codec and language model: load or begin, step, save every two minutes.

A course's clock counts the seconds of all its runs; its learning rate falls to the end of `total_seconds`, and a run
stops after `seconds` of its own, or when the course is over.

All of it [main].
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from engine.train import lm_train
from engine.train.codec_train import CodecRun
from engine.train.curves import log_path, say
from engine.train.gpu.farm import unpacked
from engine.train.gpu.shards import Progress, halves, load_shards, load_state, save_shards, save_state

SAVE_SECONDS = 120.0
SAY_STEPS = 20


class Learner(Protocol):
    """What is trained: its name, sizes and state, and one step of it."""

    name: str
    sizes: str

    def weights(self) -> dict[str, Tensor]:
        """All weights, as they are shipped."""

    def take(self, weights: dict[str, Tensor]) -> None:
        """Go on from weights alone."""

    def state(self) -> dict[str, Any]:
        """All that an exact continuation needs."""

    def take_state(self, state: dict[str, Any]) -> None:
        """Go on exactly."""

    def learn(self, batch: Any, share: float, step: int, since: int) -> tuple[Tensor, int]:
        """One step, at a share of the course, `since` steps after the optimiser began: losses, and how much it saw."""


class CodecLearner:
    """The codec, with its judges if wanted; see `codec_train`."""

    name = "codec"

    def __init__(self, run: CodecRun, rate: float) -> None:
        self.run, self.rate, self.sizes = run, rate, str(run.net.config)

    def weights(self) -> dict[str, Tensor]:
        """Of the network."""
        return dict(self.run.net.state_dict())

    def take(self, weights: dict[str, Tensor]) -> None:
        """New moving averages begin at the codebooks as they are."""
        self.run.net.load_state_dict(weights)
        self.run.books.sums = self.run.net.codebooks.detach() * self.run.books.counts.unsqueeze(2)

    def state(self) -> dict[str, Any]:
        """Network, averages, optimisers, judges."""
        return self.run.state()

    def take_state(self, state: dict[str, Any]) -> None:
        """The inverse."""
        self.run.take_state(state)

    def learn(self, batch: Any, share: float, step: int, since: int) -> tuple[Tensor, int]:
        """A step on segments int16 [rows, N]."""
        rate = self.rate * min(1.0, (since + 1) / 50) * min(1.0, (1.0 - share) / 0.6 + 0.02)
        audio = torch.from_numpy(batch).to(self.run.device).float() / 32767.0
        loss, _, _ = self.run.learn(audio, rate)
        return torch.tensor([loss]), len(batch)


class LMLearner:
    """The language model and its encoders; see `lm_train`."""

    name = "lm"

    def __init__(self, model: lm_train.TrainedModel, books: Tensor, rate: float, device: str, compiled: bool) -> None:
        self.model, self.books, self.rate, self.device = model.to(device), books.to(device), rate, device
        self.sizes = str(model.lm.config)
        self.optimiser = lm_train.optimiser_of(model, rate)
        if compiled:
            model.lm.hidden = torch.compile(model.lm.hidden, dynamic=False)  # type: ignore[method-assign]

    def weights(self) -> dict[str, Tensor]:
        """Of the model."""
        return dict(self.model.state_dict())

    def take(self, weights: dict[str, Tensor]) -> None:
        """All must fit."""
        self.model.load_state_dict(weights)

    def state(self) -> dict[str, Any]:
        """Model and optimiser."""
        return {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}

    def take_state(self, state: dict[str, Any]) -> None:
        """The inverse."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])

    def learn(self, batch: Any, share: float, step: int, since: int) -> tuple[Tensor, int]:
        """A step on a packed batch."""
        rows = unpacked(batch, self.device)
        rate = lm_train.rate_at(share, since, self.rate)
        lost = lm_train.descend(self.model, self.optimiser, rows, self.books, rate)
        return lost, rows.codes.shape[0] * rows.codes.shape[-1]


class Course:
    """A learner's run: continued from the work folder's state, else from shards that were brought along."""

    def __init__(self, learner: Learner, work: Path, out: Path, brought: Path | None) -> None:
        self.learner, self.work, self.out = learner, work, out
        self.progress, self.since = Progress(sizes=learner.sizes), 0
        exact = load_state(self.path)
        if exact is not None:
            state, self.progress = exact
            self._fits(self.path)
            learner.take_state(state)
            self.since = self.progress.step
        elif brought is not None and (found := load_shards(brought, learner.name)) is not None:
            weights, self.progress = found
            self._fits(brought)
            learner.take(weights)

    @property
    def path(self) -> Path:
        """The exact state."""
        return self.work / f"{self.learner.name}.state"

    def _fits(self, where: Path) -> None:
        if not self.progress.sizes:  # the shipped codec: its weights say what does not fit
            self.progress = replace(self.progress, sizes=self.learner.sizes)
        if self.progress.sizes != self.learner.sizes:
            raise ValueError(f"{where} holds {self.progress.sizes}, asked for is {self.learner.sizes}: "
                             "give the same sizes, or other folders")  # fmt: skip

    def save(self) -> None:
        """Both kinds of checkpoint."""
        save_state(self.path, self.learner.state(), self.progress)
        small = halves(self.learner.weights())
        for folder in (self.out, self.work):
            save_shards(folder, self.learner.name, small, self.progress)

    def run(self, batches: Callable[[], Any], pieces: Callable[[], int], seconds: float, total_seconds: float) -> None:
        """Step until the run's seconds or the course's are over; the last thing is to save."""
        log, began, before = log_path(self.out / self.learner.name), time.monotonic(), self.progress
        self.out.mkdir(parents=True, exist_ok=True)
        mean, saved, waited, first = None, began, 0.0, self.progress.step
        while (passed := time.monotonic() - began) < seconds:
            spent = before.spent_seconds + passed
            if spent >= total_seconds:
                break
            asked = time.monotonic()
            batch = batches()
            waited += time.monotonic() - asked
            lost, seen = self.learner.learn(batch, spent / total_seconds, self.progress.step, self.since)
            mean = lost if mean is None else 0.95 * mean + 0.05 * lost
            self.since += 1
            self.progress = replace(self.progress, step=self.progress.step + 1, seen=self.progress.seen + seen,
                                    spent_seconds=spent, next_seed=before.next_seed + pieces())  # fmt: skip
            if self.progress.step % SAY_STEPS == 0:
                say(self._line(mean, before, passed, waited, first), log)
            if time.monotonic() - saved > SAVE_SECONDS:
                self.save()
                saved = time.monotonic()
        self.save()

    def _line(self, mean: Tensor, before: Progress, passed: float, waited: float, first: int) -> str:
        """A line that `curves` reads, and besides how fast it goes and how much of the time batches were waited for."""
        now, losses = self.progress, [round(loss, 3) for loss in mean.tolist()]
        pace = (now.seen - before.seen) / passed
        more = f"{pace:.0f} a s, waited {100 * waited / passed:.0f} %, {now.next_seed} pieces"
        if len(losses) == 1:
            return f"{now.step} {now.spent_seconds:.0f} s loss {losses[0]:.4f} {more}"
        return f"{now.step} {now.spent_seconds / 60:.1f} min {now.seen / 1e6:.2f}M {losses} {more}"
