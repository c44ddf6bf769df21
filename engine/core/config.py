"""Shapes of a model, as frozen values; nothing here imports torch.

Legend used throughout the engine: B batch, R guidance rows of one lane, K codebooks, T frames, S steps of the
delayed sequence, D model width, P prefix vectors, M memory vectors, F features a frame.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class LMConfig:
    """Sizes of the token language model (MusicGen's decoder transformer).

    `delays` has one entry per codebook. `frame_features` is the width F of the per-frame features that are added
    to the input (tempo, beat phase, melody of the embedded model); 0 for the published checkpoints.
    """

    dim: int
    n_heads: int
    n_layers: int
    n_codebooks: int = 4
    card: int = 2048
    delays: tuple[int, ...] = (0, 1, 2, 3)
    cross_attention: bool = True
    ffn_mult: int = 4
    max_period: float = 10000.0
    frame_features: int = 0

    def __post_init__(self) -> None:
        """Raise an error for sizes that do not divide."""
        if self.dim % self.n_heads or self.dim % 2:
            raise ValueError(f"dim {self.dim} must be even and divisible by n_heads {self.n_heads}")
        if len(self.delays) != self.n_codebooks or min(self.delays, default=0) < 0:
            raise ValueError(f"delays {self.delays}: need {self.n_codebooks} entries, none negative")

    @property
    def head_dim(self) -> int:
        """Width of one attention head.  [any]"""
        return self.dim // self.n_heads

    @property
    def special(self) -> int:
        """The token that fills cells outside the delay pattern; never sampled.  [any]"""
        return self.card

    @property
    def max_delay(self) -> int:
        """Steps between a frame's first and its last code.  [any]"""
        return max(self.delays)

    def sequence_steps(self, n_frames: int) -> int:
        """Steps S of the delayed sequence of `n_frames` frames: one special step, the frames, the largest delay.

        [any]
        """
        return 1 + n_frames + self.max_delay
