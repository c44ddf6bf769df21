"""The codes of a lane's music, for clients that store it. All of it [generate]."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bridge.control.requests import TEXT_BYTES_MAX

if TYPE_CHECKING:
    from engine.serve.render.stream_renderer import StreamRenderer


@dataclass(frozen=True)
class MadeCodes:
    """Codes [frames, codebooks] that were drawn, without the audio prompt's."""

    codes: npt.NDArray[np.int16]
    frames_per_second: float

    def part(self, first: int) -> tuple[int, int, float, str]:
        """Frames in all, codebooks, frames a second, and base64 of as many codes from frame `first` on as fit."""
        frames, codebooks = self.codes.shape
        count = 3 * TEXT_BYTES_MAX // 4 // (2 * max(1, codebooks))
        data = self.codes[first : first + count].astype("<i2").tobytes()
        return frames, codebooks, self.frames_per_second, base64.b64encode(data).decode()


NO_CODES = MadeCodes(np.zeros((0, 0), np.int16), 0.0)


def made_codes(renderer: StreamRenderer) -> MadeCodes:
    """The codes of a stream up to now."""
    codec = renderer.model.codec
    codes = renderer.stream.codes(renderer.prompt_frames, renderer.taken_frames).numpy().astype(np.int16)
    return MadeCodes(np.ascontiguousarray(codes.T), codec.sample_rate / codec.frame_samples)
