"""MusicGen from Python, with the method names, arguments and defaults of audiocraft's class.

    model = MusicGen.get_pretrained("facebook/musicgen-melody")
    model.set_generation_params(duration=8)
    audio = model.generate(["happy rock"], seed=1)  # [1, C, 640 * frames] at model.sample_rate

Beyond audiocraft: `seed`, `stream=True`, prompt and reference together, `style_starts`, and a tempo for models that are
conditioned on it. It corrects audiocraft's errors, unless loaded with `reference=True`: see docs/python.md.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from engine.api.generate_arguments import Given, Wavs, asks_for, encode_prompt
from engine.api.generation import frames_of
from engine.api.model_settings import ModelSettings
from engine.api.offline import Report, decoded_as_made, frames_together, print_progress
from engine.api.reference import ReferenceRun
from engine.core.sampling import checked_seed
from engine.model import MELODY, STYLE, Ask
from engine.stream import StreamSettings, WindowSize
from engine.system.type_checks import must_be_whole

if TYPE_CHECKING:
    from engine.conditions.melody import Separator

Generated = Tensor | tuple[Tensor, Tensor]
Result = Any  # Generated; an iterator of it with stream=True
_SEEDS = 2**31


class MusicGen(ModelSettings):
    """A loaded model with audiocraft's methods; all of them [generate]."""

    @staticmethod
    def get_pretrained(
        name_or_path: str | os.PathLike[str] = "embedded",
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        t5: Any = None,
        separator: Separator | str | os.PathLike[str] | None = None,
        style_features: Any = None,
        reference: bool = False,
    ) -> MusicGen:
        """A model by name ("facebook/musicgen-melody", "melody", "embedded") or folder, hot on `device`.

        `device` None takes a GPU if there is one; `dtype` None is float16 on a GPU, float32 on a CPU. `t5`,
        `separator` and `style_features` are a path or a callable in place of T5, of the stem separator
        (wav [B, 2, N] at 44.1 kHz -> [B, 4, 2, N]) and of the style's features (wav [B, N] at 24 kHz -> [B, F, D]).
        `reference` computes exactly as audiocraft does, errors included, for comparisons. The model's notes (for
        example a missing stem separator) are given as warnings.
        Raises CheckpointError, or EngineError for a missing device.
        """
        from engine.models.device import pick_device
        from engine.models.load import load_model

        there = pick_device(str(device or "auto"))
        parts = {"t5": t5, "separator": separator, "style_features": style_features}
        model = load_model(name_or_path, there, dtype=dtype, **parts)
        for note in model.notes:
            warnings.warn(note, stacklevel=2)
        return MusicGen(model, str(name_or_path), reference)

    def generate(
        self,
        descriptions: Sequence[str | None],
        progress: bool = False,
        return_tokens: bool = False,
        *,
        seed: int | None = None,
        stream: bool = False,
    ) -> Result:
        """Music for each text: float32 [B, C, n], and codes [B, K, T] with `return_tokens`.

        `seed` None draws one from torch's generator. `stream`: an iterator of the same in pieces, as they are
        made; joined along the last axis they are the whole.
        """
        return self._run(Given(descriptions), progress, return_tokens, seed, stream)

    def generate_unconditional(
        self,
        num_samples: int,
        progress: bool = False,
        return_tokens: bool = False,
        *,
        seed: int | None = None,
        stream: bool = False,
    ) -> Result:
        """`num_samples` pieces without conditions."""
        must_be_whole(num_samples=num_samples)
        if num_samples < 1:
            raise ValueError(f"num_samples is {num_samples}, must be 1 or more")
        return self._run(Given([None] * num_samples), progress, return_tokens, seed, stream)

    def generate_with_chroma(
        self,
        descriptions: Sequence[str | None],
        melody_wavs: Wavs,
        melody_sample_rate: int,
        progress: bool = False,
        return_tokens: bool = False,
        *,
        seed: int | None = None,
        stream: bool = False,
        style_starts: Sequence[int] | None = None,
        prompt: Tensor | None = None,
        prompt_sample_rate: int | None = None,
    ) -> Result:
        """Music for each text that follows a melody, or with a style model resembles it.

        Wavs [C, n] or None, or one tensor [B, C, n]. `style_starts`: where the style's excerpt begins, in samples at
        `sample_rate`, one per window, the last for all later ones. `prompt`: audio to continue.
        """
        given = self._with_wavs(descriptions, melody_wavs, melody_sample_rate, style_starts)
        given = given.following(prompt, prompt_sample_rate or melody_sample_rate)
        return self._run(given, progress, return_tokens, seed, stream)

    def generate_continuation(
        self,
        prompt: Tensor,
        prompt_sample_rate: int,
        descriptions: Sequence[str | None] | None = None,
        progress: bool = False,
        return_tokens: bool = False,
        *,
        seed: int | None = None,
        stream: bool = False,
        melody_wavs: Wavs = None,
        melody_sample_rate: int | None = None,
        style_starts: Sequence[int] | None = None,
    ) -> Result:
        """Continue audio [B, C, n] (or [C, n]); the result begins with the prompt as the codec encodes and decodes it.

        `melody_wavs`: melodies to follow, as in `generate_with_chroma`.
        """
        given = self._with_wavs(descriptions, melody_wavs, melody_sample_rate or prompt_sample_rate, style_starts)
        return self._run(given.following(prompt, prompt_sample_rate), progress, return_tokens, seed, stream)

    def generate_with_references(
        self,
        descriptions: Sequence[str | None] | None = None,
        melody_wavs: Wavs = None,
        style_wavs: Wavs = None,
        prompt: Tensor | None = None,
        sample_rate: int = 32_000,
        progress: bool = False,
        return_tokens: bool = False,
        *,
        seed: int | None = None,
        stream: bool = False,
        style_starts: Sequence[int] | None = None,
        context_wavs: Wavs = None,
    ) -> Result:
        """Any mix of text, melody, style, audio prompt and context that the model supports.

        `context_wavs`: music of other players from the same beginning on, which is heard and not played.
        All audio at `sample_rate`.  Raises UnsupportedError naming what the model cannot follow, AudioError for invalid
        audio, ValueError if counts differ.
        """
        given = Given(descriptions, melody_wavs, style_wavs, sample_rate, starts=style_starts, context=context_wavs)
        return self._run(given.following(prompt, sample_rate), progress, return_tokens, seed, stream)

    def generate_audio(self, gen_tokens: Tensor) -> Tensor:
        """Codes [B, K, T] to audio [B, C, 640 * T], not clipped."""
        return self.compression_model.decode(gen_tokens)

    def _with_wavs(
        self, texts: Sequence[str | None] | None, wavs: Wavs, rate_hz: int, starts: Sequence[int] | None
    ) -> Given:
        """Wavs as this model's reference: a melody, or a style if it has only that."""
        takes = self.model.takes
        has_style = STYLE in takes or getattr(self.model.conditioner, "style_quantizers", 0) > 0
        if MELODY not in takes and has_style:
            return Given(texts, None, wavs, rate_hz, starts=starts)
        return Given(texts, wavs, None, rate_hz, starts=starts)

    def _run(self, given: Given, progress: bool, return_tokens: bool, seed: int | None, stream: bool) -> Result:
        seed = None if seed is None else checked_seed(seed)
        own_seed = int(torch.randint(_SEEDS, (1,))) if seed is None and not self.reference else seed or 0
        asks = asks_for(self.model, given, self.params, self.style_excerpt, self.reference, own_seed)
        prompt = None
        if given.prompt is not None:
            prompt = encode_prompt(self.model, given.prompt, given.prompt_rate_hz, self.duration, self.reference)
        report = self.progress_callback or (print_progress if progress else None)
        if self.reference:
            run = ReferenceRun(self.model, asks, self.params, seed, report)
            frames, self.style_heard = run.frames(prompt), run.excerpts
        else:
            frames = self._frames(asks, prompt, own_seed, report)
        if stream:
            pieces = decoded_as_made(self.model.codec, frames, self.model.lm.out_norm.weight.device)
            return pieces if return_tokens else (audio for audio, _ in pieces)
        tokens = torch.cat(list(frames), dim=-1)
        audio = self.generate_audio(tokens)
        return (audio, tokens) if return_tokens else audio

    def _frames(self, asks: list[Ask], prompt: Tensor | None, seed: int, report: Report | None) -> Iterator[Tensor]:
        """Codes [B, K, n] as they are complete, Segue's way."""
        params, model = self.params, self.model
        size = WindowSize(model.window_frames, frames_of(params.stride_seconds, model))
        total = frames_of(params.duration_seconds, model)
        settings = StreamSettings(params.sampling, params.guidance, size, total)
        later = range(size.stride_frames, total - size.keep_frames, size.stride_frames)
        self.style_heard = [model.conditioner.excerpts(asks, offset) for offset in (0, *later)]
        return frames_together(model, asks, prompt, settings, seed, report)
