"""What the language model is conditioned on, as one value."""

from collections.abc import Hashable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Conditions:
    """Projected conditions of R guidance rows, in the order conditional, (wav only,) null.

    prefix [R, P, D] precedes the audio steps; cross-attention reads memory [R, M, D]; frames [R, T, F] are features of
    each frame: row t is added to the input of step t (which predicts frame t of codebook 0), steps beyond T get none.
    Any of them may be None. `version` is what they were made for, if that changes within a window.
    """

    prefix: Tensor | None = None
    memory: Tensor | None = None
    frames: Tensor | None = None
    version: Hashable = None

    @property
    def rows(self) -> int | None:
        """R, or None without any condition.  [generate]"""
        for part in (self.prefix, self.memory, self.frames):
            if part is not None:
                return part.shape[0]
        return None

    @property
    def prefix_steps(self) -> int:
        """P: positions of the prefix before step 0.  [generate]"""
        return 0 if self.prefix is None else self.prefix.shape[1]
