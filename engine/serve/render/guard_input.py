"""Feeds a renderer's guard with its codec output, and rewinds with it. All of it [generate]."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from engine.listen.faults import Verdict
from engine.listen.features import Audio
from engine.listen.guard import Guard
from engine.serve.render.codec_output import CodecOutput


class GuardInput:
    """The guard's frames are a codec frame's length of output; negative frames are the prompt."""

    def __init__(self, codec_output: CodecOutput, codes: Tensor | None, bpm: float) -> None:
        """Begin where the codec output does; codes [K, P] end there, as its history does."""
        codec = codec_output.codec
        self._guard = Guard(codec.sample_rate, codec.n_codebooks, bpm)
        self.verdict: Verdict | None = None
        frame = codec_output.audio_end // codec.frame_samples
        if codes is not None:
            self._guard.begin(_mono(codec_output.history), codes.cpu().numpy(), frame)
        else:
            self._guard.begin(np.zeros(0, np.float32), np.zeros((codec.n_codebooks, 0), np.int16), frame)

    def add(self, codec_output: CodecOutput, codes: Tensor, n_samples: int, bpm: float) -> None:
        """Take codes [K, n] and the `n_samples` that the codec output has added, at the codec's rate."""
        self._guard.tempo(bpm)
        audio = _mono(codec_output.history[:, codec_output.history.shape[1] - n_samples :])
        found = self._guard.add(audio, codes.cpu().numpy())
        self.verdict = self.verdict or found

    def pardon(self, verdict: Verdict) -> None:
        """Let a fault pass; the next one detected is the verdict then."""
        self._guard.pardon(verdict)
        self.verdict = self._guard.go_on()

    def back_to(self, codec_output: CodecOutput) -> None:
        """Rewind to where a codec output continues."""
        self.verdict = None
        self._guard.back_to(codec_output.audio_end // codec_output.codec.frame_samples, _mono(codec_output.history))


def _mono(audio: Tensor) -> Audio:
    """[C, n] as [n]."""
    return np.asarray(audio.mean(dim=0).numpy(), np.float32)
