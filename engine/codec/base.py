"""The codecs' interface: audio to codes and back, whole and as a stream.

Implementations: EnCodec 32 kHz (`encodec.py`), two of it for stereo (`stereo.py`), and the embedded model's own
(`spectral.py`). B batch, C channels, N samples, K codebooks, T frames.
"""

from typing import Any, Protocol

import torch
from torch import Tensor


class Codec(Protocol):
    """Codes at `sample_rate / frame_samples` frames a second. All methods [generate]."""

    sample_rate: int
    channels: int
    frame_samples: int
    n_codebooks: int
    card: int
    lookahead_frames: int

    def encode(self, audio: Tensor) -> Tensor:
        """Audio [B, C, N] to codes [B, K, ceil(N / frame_samples)]."""
        ...

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, K, T] to audio [B, C, frame_samples * T]."""
        ...

    def init_decoder(self, prompt_audio: Tensor | None = None, prompt_codes: Tensor | None = None) -> Any:
        """State of a streamed decode of one stream (B = 1; EnCodec supports more) that follows the prompt.

        prompt_audio [1, C, N] is the audio before, prompt_codes [1, K, Tp] its codes; both end where the stream
        begins. With neither the stream begins from silence, as in `decode`.
        """
        ...

    def decode_step(self, codes: Tensor, state: Any, last: bool = False) -> tuple[Tensor, Any]:
        """Next codes [1, K, t] to the audio [1, C, n] that is final now; with `last` all the rest.

        For any cut of the codes, the joined audio equals `decode` of the whole (after `init_decoder()`).
        """
        ...


def encode_within(codec: Codec, audio: Tensor, before: Tensor | None = None, after: Tensor | None = None) -> Tensor:
    """Codes [B, K, ceil(N / frame_samples)] of `audio` [B, C, N], a part of longer music.

    `before` [B, C, .] ends where `audio` begins, `after` begins where it ends; both are encoded too, so that the edges
    of `audio` are not edges of the music. Whole frames of `before` are used, counted from its end. With all audio
    before and `codec.lookahead_frames + 1` frames after, the codes equal those of the whole music.  [generate]
    """
    heard = [audio]
    n_before = 0
    if before is not None:
        n_before = before.shape[-1] // codec.frame_samples
        heard.insert(0, before[..., before.shape[-1] - n_before * codec.frame_samples :])
    if after is not None:
        heard.append(after)
    n_frames = -(-audio.shape[-1] // codec.frame_samples)
    return codec.encode(torch.cat(heard, dim=-1))[..., n_before : n_before + n_frames]
