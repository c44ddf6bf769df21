"""Properties and settings of a `MusicGen`, with audiocraft's names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from engine.api.generation import GenerationParams, frame_rate, grid_for, plays_for, sampling_for, stride_for
from engine.codec.familiar import CompressionModel
from engine.core.guidance import Guidance
from engine.errors import UnsupportedError
from engine.model import ExcerptRange, LoadedModel, StyleExcerpt
from engine.system.type_checks import must_be_number, must_be_whole

if TYPE_CHECKING:
    from engine.lm import LanguageModel


class ModelSettings:
    """A loaded model, its generation settings, and its name; all of it [generate]."""

    def __init__(self, model: LoadedModel, name: str | None = None, reference: bool = False) -> None:
        self.model = model
        self.name = name or model.name
        self.reference = reference
        self.compression_model = CompressionModel(model.codec)
        self.progress_callback: Callable[[int, int], None] | None = None
        self.style_excerpt = StyleExcerpt()
        self.style_heard: list[list[ExcerptRange | None]] = []  # of the last call, by window and piece
        self.set_generation_params(duration=15.0)

    @property
    def lm(self) -> LanguageModel:
        """The language model."""
        return self.model.lm

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.lm.out_norm.weight.device

    @property
    def sample_rate(self) -> int:
        """Samples a second of what `generate` returns."""
        return self.model.codec.sample_rate

    @property
    def frame_rate(self) -> float:
        """Codec frames a second."""
        return frame_rate(self.model)

    @property
    def audio_channels(self) -> int:
        """Channels of what `generate` returns."""
        return self.model.codec.channels

    @property
    def max_duration(self) -> float:
        """Seconds of one window; windows of longer music roll by `extend_stride`."""
        return self.model.window_frames / self.frame_rate

    @property
    def duration(self) -> float:
        """Seconds that the next call generates, prompt included."""
        return self.params.duration_seconds

    @property
    def extend_stride(self) -> float:
        """Seconds by which windows roll."""
        return self.params.stride_seconds

    @property
    def generation_params(self) -> dict[str, Any]:
        """The settings of sampling and guidance, by audiocraft's names."""
        return self.params.familiar()

    def set_generation_params(
        self,
        use_sampling: bool = True,
        top_k: int | None = None,
        top_p: float = 0.0,
        temperature: float | None = None,
        duration: float = 30.0,
        cfg_coef: float | None = None,
        cfg_coef_beta: float | None = None,
        two_step_cfg: bool = False,
        extend_stride: float | None = None,
        *,
        bpm: float | None = None,
        start_beats: float = 0.0,
        beats_per_bar: float = 4.0,
        keep_harmony: bool = True,
        instruments: Sequence[str] | None = None,
        density: float | None = None,
        section: str | None = None,
        key: str | None = None,
    ) -> None:
        """Set all parameters; None takes the model's own: top_k 250, temperature 1, cfg_coef 3 and a stride of 18 s
        for the published models.

        `duration` and `extend_stride` in seconds; `bpm`, `start_beats` (host beat of the first sample) and
        `beats_per_bar` (quarter notes) are for models with tempo conditioning. `keep_harmony`: without a melody, a
        model that supports it stays within the chords and key of its prompt. `instruments` (of drums, bass, keys,
        guitar, strings, winds, lead, pads), `density` (0 to 1), `section` (intro, verse, chorus, break, build, fill,
        out) and `key` ("A minor") are for models that play parts.  Raises TypeError for values of other types,
        ValueError out of range, UnsupportedError for what the model cannot be asked for.
        """
        must_be_whole(top_k=top_k)
        must_be_number(top_p=top_p, temperature=temperature, duration=duration, extend_stride=extend_stride)
        must_be_number(cfg_coef=cfg_coef, cfg_coef_beta=cfg_coef_beta)
        must_be_number(bpm=bpm, start_beats=start_beats, beats_per_bar=beats_per_bar)
        model = self.model
        sampling = sampling_for(model, use_sampling, top_k, top_p, temperature, self.reference)
        grid = grid_for(model, bpm, start_beats, beats_per_bar)
        plays = plays_for(model, instruments, density, section, key)
        stride = stride_for(model, duration, extend_stride)
        guidance = Guidance(model.cfg_coef if cfg_coef is None else cfg_coef, cfg_coef_beta, two_step_cfg)
        self.params = GenerationParams(sampling, guidance, duration, stride, grid, keep_harmony, plays)

    def set_style_conditioner_params(
        self,
        eval_q: int = 3,
        excerpt_length: float = 3.0,
        ds_factor: int | None = None,
        encodec_n_q: int | None = None,
    ) -> None:
        """How a style is encoded: by `eval_q` of the quantisers, from an excerpt of `excerpt_length` seconds.

        The model was trained on 1.5 to 4.5 s. `ds_factor`: one of how many feature frames is kept, None = the
        model's own. Raises UnsupportedError for a model without this kind of style, ValueError out of range.
        """
        n_quantizers = getattr(self.model.conditioner, "style_quantizers", 0)
        if not n_quantizers:
            raise UnsupportedError(f"model {self.name} has no style conditioner to set (musicgen-style has)")
        if encodec_n_q is not None:
            raise UnsupportedError("encodec_n_q: this model's style features do not come from EnCodec")
        must_be_whole(eval_q=eval_q, ds_factor=ds_factor)
        must_be_number(excerpt_length=excerpt_length)
        if not 1 <= eval_q <= n_quantizers:
            raise ValueError(f"eval_q is {eval_q}, must be 1 to {n_quantizers}")
        self.style_excerpt = StyleExcerpt(excerpt_length, eval_q, ds_factor)

    def set_custom_progress_callback(self, progress_callback: Callable[[int, int], None] | None = None) -> None:
        """Call `progress_callback(frames done, frames in total)` while generating; None = none."""
        self.progress_callback = progress_callback
