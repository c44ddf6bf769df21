"""Generation as audiocraft computes it, errors included, for `get_pretrained(..., reference=True)`.

For comparisons only. All pieces of a call are conditioned together, so a short text is conditioned with the padding of
a longer one and all pieces share one style excerpt; two-step guidance uses the checkpoint's coefficient; windows are
cut in floating-point seconds, which can lose a frame or fail; tokens of the whole batch are drawn by one
`torch.multinomial`, excerpts by Python's `random`. See docs/python.md. B pieces, K codebooks, T frames, P frames of
prompt.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from engine.api.generation import GenerationParams, frame_rate
from engine.api.offline import FRAMES_AT_A_TIME, Report
from engine.core.guidance import Guidance, combine
from engine.core.sampling import Sampling, probabilities
from engine.errors import AudioError
from engine.model import Ask, ExcerptRange, LoadedModel, Reference
from engine.stream.lanes import step_windows
from engine.stream.window import Window


def draw_batch(logits: Tensor, sampling: Sampling, generator: torch.Generator | None) -> Tensor:
    """Tokens [B, K] from logits [B, K, card]; top-p draws among the sorted entries.  [generate]"""
    if sampling.greedy:
        return logits.argmax(dim=-1)
    if sampling.top_p <= 0.0:
        return _multinomial(probabilities(logits, sampling), generator)
    ordered, order = torch.softmax(logits / sampling.temperature, dim=-1).sort(dim=-1, descending=True)
    dropped = ordered.cumsum(dim=-1) - ordered > sampling.top_p
    ordered = ordered * (~dropped).float()
    chosen = _multinomial(ordered / ordered.sum(dim=-1, keepdim=True), generator)
    return order.gather(-1, chosen.unsqueeze(-1)).squeeze(-1)


def _multinomial(probs: Tensor, generator: torch.Generator | None) -> Tensor:
    flat = torch.multinomial(probs.flatten(0, -2), 1, generator=generator)
    return flat.view(probs.shape[:-1])


@dataclass
class ReferenceRun:
    """One call of `generate`; `frames` yields its codes, `excerpts` collects each window's style excerpts.

    `seed` None draws from torch's and Python's global generators, as audiocraft does.
    """

    model: LoadedModel
    asks: Sequence[Ask]
    params: GenerationParams
    seed: int | None = None
    report: Report | None = None
    excerpts: list[list[ExcerptRange | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        device = self.model.lm.out_norm.weight.device
        self._chance = random.Random(self.seed) if self.seed is not None else random
        self._generator = None if self.seed is None else torch.Generator(device).manual_seed(self.seed)
        self._total = int(self.params.duration_seconds * frame_rate(self.model))
        self._done = 0

    def frames(self, prompt: Tensor | None) -> Iterator[Tensor]:
        """Codes [B, K, n] as they are complete, prompt [B, K, P] first.

        Raises ValueError where audiocraft fails an assertion (prompts as long as the window).  [generate]
        """
        rate, sample_rate = frame_rate(self.model), self.model.codec.sample_rate
        max_seconds = self.model.window_frames / rate
        seconds = self.params.duration_seconds
        known = prompt
        if known is None:
            shape = (len(self.asks), self.model.lm.config.n_codebooks, 0)
            known = torch.zeros(shape, dtype=torch.long, device=self.model.lm.out_norm.weight.device)
        else:
            yield known
        self._done = known.shape[-1]
        if seconds <= max_seconds:
            yield from self._window(self._with_excerpt(self.asks, 0), known, self._total)
            return
        stride, offset, index = int(rate * self.params.stride_seconds), 0, 0
        while offset + known.shape[-1] < self._total:
            began = offset / rate
            n_frames = int(min(seconds - began, max_seconds) * rate)
            repeated = _periodic(self.asks, int(began * sample_rate), int(max_seconds * sample_rate))
            parts = [known]
            for codes in self._window(self._with_excerpt(repeated, index), known, n_frames):
                parts.append(codes)
                yield codes
            known = torch.cat(parts, dim=-1)[..., stride:]
            offset, index = offset + stride, index + 1

    def _guidance(self) -> Guidance:
        given = self.params.guidance
        if given.two_step and given.cfg_coef_beta is None:
            return replace(given, cfg_coef=self.model.cfg_coef)
        return given

    def _with_excerpt(self, asks: Sequence[Ask], index: int) -> list[Ask]:
        """The asks with one style excerpt for all of them: window `index`'s own start, or one drawn now."""
        styles = [ask.style.audio.shape[-1] for ask in asks if ask.style is not None]
        if not styles:
            return list(asks)
        excerpt = asks[0].excerpt
        n_samples = int(excerpt.seconds * self.model.codec.sample_rate)
        if max(styles) < n_samples:
            raise AudioError(f"the style excerpt is {n_samples} samples long, the longest wav only {max(styles)}")
        if excerpt.start_samples is None:
            start = self._chance.randint(0, max(styles) - n_samples)
        else:
            start = excerpt.start_samples[min(index, len(excerpt.start_samples) - 1)]
        shared = replace(excerpt, start_samples=(start,))
        return [replace(ask, excerpt=shared) for ask in asks]

    def _window(self, asks: Sequence[Ask], prompt: Tensor, n_frames: int) -> Iterator[Tensor]:
        """The frames of one window that follow its prompt."""
        guidance, known = self._guidance(), prompt.shape[-1]
        if known >= n_frames:
            raise ValueError(
                f"audiocraft fails at {self.params.duration_seconds} s: a window of {n_frames} frames "
                f"begins with {known}"
            )
        with torch.no_grad():
            conditions = self.model.conditioner(asks, guidance, 0, n_frames)
        self.excerpts.append(self.model.conditioner.excerpts(asks, 0))
        windows = [Window(self.model.executor, own, prompt[row], n_frames) for row, own in enumerate(conditions)]
        while not windows[0].done:
            self._step(windows, guidance)
            complete = windows[0].complete_frames
            if complete - known >= FRAMES_AT_A_TIME or (windows[0].done and complete > known):
                self._done += complete - known
                if self.report is not None:
                    self.report(self._done, self._total)
                yield torch.stack([window.codes(known, complete) for window in windows])
                known = complete

    @torch.no_grad()
    def _step(self, windows: Sequence[Window], guidance: Guidance) -> None:
        guided = []
        for logits in step_windows(windows):
            if isinstance(logits, Exception):
                raise logits
            guided.append(combine(logits, guidance))
        tokens = draw_batch(torch.stack(guided), self.params.sampling, self._generator)
        for window, row in zip(windows, tokens, strict=True):
            window.write(row)


def _periodic(asks: Sequence[Ask], start: int, count: int) -> list[Ask]:
    """The asks of a window that begins at sample `start`: `count` samples of each wav, repeated."""

    def part(given: Reference | None) -> Reference | None:
        if given is None:
            return None
        at = torch.arange(start, start + count) % given.audio.shape[-1]
        return Reference(given.audio[:, at], whole=True)

    return [replace(ask, melody=part(ask.melody), style=part(ask.style)) for ask in asks]
