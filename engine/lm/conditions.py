"""What the language model is conditioned on, as one value."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Conditions:
    """Conditions of R guidance rows, in the order conditional, (wav only,) null; projected, ready to attend to.

    prefix [R, P, D] stands in front of the audio steps; memory [R, M, D] is what cross-attention reads; frames
    [R, T, F] are features of each frame, row t being added to the input of step t (the step that predicts frame t
    of codebook 0); steps beyond T get none. Any of them may be None.
    """

    prefix: Tensor | None = None
    memory: Tensor | None = None
    frames: Tensor | None = None

    @property
    def rows(self) -> int | None:
        """R, or None when there is nothing at all.  [generate]"""
        for part in (self.prefix, self.memory, self.frames):
            if part is not None:
                return part.shape[0]
        return None

    @property
    def prefix_steps(self) -> int:
        """P: positions the prefix takes in front of step 0.  [generate]"""
        return 0 if self.prefix is None else self.prefix.shape[1]
