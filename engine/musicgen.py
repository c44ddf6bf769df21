"""MusicGen from Python, with the method names and argument order of audiocraft's class.

    model = MusicGen.get_pretrained("embedded")
    model.set_generation_params(duration=8, bpm=96)
    audio = model.generate(["slow dub with a warm bass"], seed=1)  # [1, C, 640 * frames] at model.sample_rate

Differences, all deliberate: every call takes `seed`; lengths are whole frames, never a lost one; two-step
guidance uses the caller's `cfg_coef`; what the loaded model cannot do is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.audio import as_heard
from engine.errors import AudioError, UnsupportedError
from engine.guidance import Guidance
from engine.model import MELODY, STYLE, TEMPO, TEXT, Ask, Grid, LoadedModel, Reference
from engine.offline import print_progress, run_together
from engine.sampling import Sampling
from engine.stream import StreamSettings, WindowSize

Generated = Tensor | tuple[Tensor, Tensor]
Wav = Tensor | None
_EPSILON = 1e-6  # whole frames from seconds: 0.58 s are 29 frames, not 28


@dataclass(frozen=True)
class GenerationParams:
    """What `set_generation_params` sets; seconds as the caller gave them.  [any]"""

    sampling: Sampling
    guidance: Guidance
    duration_seconds: float
    stride_frames: int
    bpm: float | None = None
    start_beats: float = 0.0
    beats_per_bar: float = 4.0


class MusicGen:
    """A loaded model with audiocraft's methods; all of them [generate]."""

    def __init__(self, model: LoadedModel) -> None:
        self.model = model
        self.progress_callback: Callable[[int, int], None] | None = None
        self.set_generation_params(duration=15.0)

    @staticmethod
    def get_pretrained(name: str = "embedded", device: str = "cpu") -> MusicGen:
        """The model that ships with Segue ("embedded"), or a folder with a checkpoint.

        Nothing is downloaded: give the folder of a published checkpoint that you have.  Raises
        CheckpointError.
        """
        from engine.load import load_model

        return MusicGen(load_model(name, device))

    @property
    def sample_rate(self) -> int:
        """Samples a second of what `generate` returns."""
        return self.model.codec.sample_rate

    @property
    def frame_rate(self) -> float:
        """Codec frames a second."""
        return self.model.codec.sample_rate / self.model.codec.frame_samples

    @property
    def audio_channels(self) -> int:
        """Channels of what `generate` returns."""
        return self.model.codec.channels

    @property
    def max_duration(self) -> float:
        """Seconds that one window sees."""
        return self.model.window_frames / self.frame_rate

    @property
    def duration(self) -> float:
        """Seconds that the next call generates, prompt included."""
        return self.params.duration_seconds

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
    ) -> None:
        """Set everything anew; None takes the model's own default (top_k 250 or its whole codebook; temperature 1
        for the published models, 0.9 for the embedded one).

        `duration` and `extend_stride` in seconds; `bpm`, `start_beats` (host beat of the first sample) and
        `beats_per_bar` (quarter notes) are for models that hear the tempo.  Raises ValueError out of range,
        UnsupportedError for a tempo given to a model that cannot take one.
        """
        model = self.model
        top_k = min(250, model.lm.config.card) if top_k is None else top_k
        temperature = model.temperature if temperature is None else temperature
        sampling = Sampling(use_sampling, temperature, top_k, top_p)
        sampling.check(model.lm.config.card)
        if bpm is not None:
            self._must_take(TEMPO)
            if not (math.isfinite(bpm) and bpm > 0):
                raise ValueError(f"bpm is {bpm}, must be above 0")
        if not (math.isfinite(duration) and self._frames(duration) > 0):
            raise ValueError(f"duration is {duration}, must be above 0 seconds")
        stride = model.stride_frames if extend_stride is None else self._frames(extend_stride)
        WindowSize(model.window_frames, stride)  # refuses a stride that does not fit
        guidance = Guidance(model.cfg_coef if cfg_coef is None else cfg_coef, cfg_coef_beta, two_step_cfg)
        self.params = GenerationParams(sampling, guidance, duration, stride, bpm, start_beats, beats_per_bar)

    def set_custom_progress_callback(self, progress_callback: Callable[[int, int], None] | None = None) -> None:
        """Call `progress_callback(frames done, frames in all)` while generating; None = none."""
        self.progress_callback = progress_callback

    def generate(
        self,
        descriptions: Sequence[str | None],
        progress: bool = False,
        return_tokens: bool = False,
        *,
        seed: int | None = None,
    ) -> Generated:
        """Music for each text: float32 [B, C, n], and codes [B, K, T] with `return_tokens`."""
        return self._run(self._asks(descriptions), None, progress, return_tokens, seed)

    def generate_unconditional(
        self,
        num_samples: int,
        progress: bool = False,
        return_tokens: bool = False,
        *,
        seed: int | None = None,
    ) -> Generated:
        """`num_samples` pieces that follow nothing."""
        if num_samples < 1:
            raise ValueError(f"num_samples is {num_samples}, must be 1 or more")
        return self._run(self._asks([None] * num_samples), None, progress, return_tokens, seed)

    def generate_with_chroma(
        self,
        descriptions: Sequence[str | None],
        melody_wavs: Tensor | Sequence[Wav],
        melody_sample_rate: int,
        progress: bool = False,
        return_tokens: bool = False,
        *,
        seed: int | None = None,
    ) -> Generated:
        """Music for each text that follows a melody: wavs [C, n] or None, or one tensor [B, C, n]."""
        asks = self._asks(descriptions, melody=melody_wavs, sample_rate=melody_sample_rate)
        return self._run(asks, None, progress, return_tokens, seed)

    def generate_continuation(
        self,
        prompt: Tensor,
        prompt_sample_rate: int,
        descriptions: Sequence[str | None] | None = None,
        progress: bool = False,
        return_tokens: bool = False,
        *,
        seed: int | None = None,
    ) -> Generated:
        """Go on from audio [B, C, n] (or [C, n]); the result begins with the prompt as the codec hears it."""
        return self.generate_with_references(
            descriptions,
            prompt=prompt,
            sample_rate=prompt_sample_rate,
            progress=progress,
            return_tokens=return_tokens,
            seed=seed,
        )

    def generate_with_references(
        self,
        descriptions: Sequence[str | None] | None = None,
        melody_wavs: Tensor | Sequence[Wav] | None = None,
        style_wavs: Tensor | Sequence[Wav] | None = None,
        prompt: Tensor | None = None,
        sample_rate: int = 32_000,
        progress: bool = False,
        return_tokens: bool = False,
        *,
        seed: int | None = None,
    ) -> Generated:
        """Any mix of text, melody, style and audio to continue, as far as the model takes them.

        All audio at `sample_rate`.  Raises UnsupportedError naming what the model cannot follow, AudioError
        for audio it cannot use, ValueError when counts differ or the prompt is too long for window or
        duration.
        """
        counts = [len(given) for given in (descriptions, melody_wavs, style_wavs) if given is not None]
        batch = None if prompt is None else (prompt[None] if prompt.dim() == 2 else prompt)
        counts += [] if batch is None else [batch.shape[0]]
        if not counts or min(counts) != max(counts) or counts[0] < 1:
            raise ValueError(f"references for {counts} pieces were given, need one count, 1 or more")
        texts = [None] * counts[0] if descriptions is None else descriptions
        asks = self._asks(texts, melody_wavs, style_wavs, sample_rate)
        codes = None if batch is None else self._encode(batch, sample_rate)
        return self._run(asks, codes, progress, return_tokens, seed)

    def generate_audio(self, gen_tokens: Tensor) -> Tensor:
        """Codes [B, K, T] to audio [B, C, 640 * T], not clipped."""
        with torch.no_grad():
            return self.model.codec.decode(gen_tokens)

    def _asks(
        self,
        texts: Sequence[str | None],
        melody: Tensor | Sequence[Wav] | None = None,
        style: Tensor | Sequence[Wav] | None = None,
        sample_rate: int = 32_000,
    ) -> list[Ask]:
        """What each piece asks for; refuses by name what the model has no conditioner for."""
        if any(texts):
            self._must_take(TEXT)
        params, grid = self.params, None
        if params.bpm is not None:
            grid = Grid(params.bpm, params.start_beats, params.beats_per_bar)
        melodies = self._references(MELODY, melody, sample_rate, len(texts))
        styles = self._references(STYLE, style, sample_rate, len(texts))
        return [
            Ask(text, melody_of, style_of, grid)
            for text, melody_of, style_of in zip(texts, melodies, styles, strict=True)
        ]

    def _references(
        self, name: str, wavs: Tensor | Sequence[Wav] | None, sample_rate: int, count: int
    ) -> list[Reference | None]:
        if wavs is None:
            return [None] * count
        if isinstance(wavs, Tensor) and wavs.dim() == 2:
            wavs = wavs[None]
        if len(wavs) != count:
            raise ValueError(f"{len(wavs)} {name} wavs for {count} descriptions")
        if any(wav is not None for wav in wavs):
            self._must_take(name)
        whole = self._frames(self.duration) <= self.model.window_frames
        return [
            None if wav is None else Reference(as_heard(wav, sample_rate, self.sample_rate), whole=whole)
            for wav in wavs
        ]

    def _must_take(self, name: str) -> None:
        if name not in self.model.takes:
            able = ", ".join(sorted(self.model.takes))
            raise UnsupportedError(f"model {self.model.name} cannot follow {name}; it can follow: {able}")

    def _encode(self, prompt: Tensor, sample_rate: int) -> Tensor:
        """Prompt [B, C, n] to codes [B, K, P]; refuses what leaves nothing to generate."""
        codec = self.model.codec
        wavs = [as_heard(wav, sample_rate, codec.sample_rate, codec.channels) for wav in prompt]
        frames = math.ceil(wavs[0].shape[1] / codec.frame_samples)
        limit = min(self._frames(self.duration), self.model.window_frames)
        if frames >= limit:
            raise AudioError(
                f"the prompt is {frames / self.frame_rate:.2f} s long, must be shorter than the duration "
                f"({self.duration} s) and the model's window ({self.max_duration} s)"
            )
        with torch.no_grad():
            return codec.encode(torch.stack(wavs).to(self.model.lm.out_norm.weight.device))

    def _run(
        self, asks: list[Ask], prompt: Tensor | None, progress: bool, return_tokens: bool, seed: int | None
    ) -> Generated:
        params = self.params
        settings = StreamSettings(
            params.sampling,
            params.guidance,
            WindowSize(self.model.window_frames, params.stride_frames),
            self._frames(params.duration_seconds),
        )
        if seed is None:
            seed = torch.seed() % 2**31
        report = self.progress_callback or (print_progress if progress else None)
        tokens = run_together(self.model, asks, prompt, settings, seed, report)
        audio = self.generate_audio(tokens)
        return (audio, tokens) if return_tokens else audio

    def _frames(self, seconds: float) -> int:
        return math.floor(seconds * self.frame_rate + _EPSILON)
