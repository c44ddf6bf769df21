"""Classifier-free guidance: combines the logits of one lane's rows into one distribution.

Rows are in the order conditional, (wav only,) unconditional. R is 2, or 3 for double guidance.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Guidance:
    """Coefficients of guidance; `cfg_coef_beta` None = single, a number = double (text against the wav).

    `two_step` uses two passes with their own caches, whose conditions may differ in length; double guidance takes
    precedence over it.  Raises ValueError for numbers that are not finite.  [any]
    """

    cfg_coef: float = 3.0
    cfg_coef_beta: float | None = None
    two_step: bool = False

    def __post_init__(self) -> None:
        for name, value in (("cfg_coef", self.cfg_coef), ("cfg_coef_beta", self.cfg_coef_beta or 0.0)):
            if not abs(value) < float("inf"):
                raise ValueError(f"{name} is {value}, must be a finite number")

    @property
    def rows(self) -> int:
        """Rows of conditions of one lane: 2, or 3 with `cfg_coef_beta`.  [any]"""
        return 2 if self.cfg_coef_beta is None else 3

    def same_rows(self, other: Guidance) -> bool:
        """Whether both use the same conditions; coefficients may differ.  [any]"""
        return (self.rows, self.two_step) == (other.rows, other.two_step)


def combine(logits: Tensor, guidance: Guidance) -> Tensor:
    """Guided logits: float [R, ..., card] -> float [..., card].

    One row is unchanged (a model without guidance).  Two rows: u + cfg (c - u).
    Three: u + cfg (w + beta (c - w) - u).  Raises ValueError for other row counts.  [generate]
    """
    rows = logits.shape[0]
    if rows == 1:
        return logits[0]
    if rows == 2:
        conditional, null = logits[0], logits[1]
        return null + guidance.cfg_coef * (conditional - null)
    if rows == 3 and guidance.cfg_coef_beta is not None:
        conditional, wav_only, null = logits[0], logits[1], logits[2]
        mixed = wav_only + guidance.cfg_coef_beta * (conditional - wav_only)
        return null + guidance.cfg_coef * (mixed - null)
    raise ValueError(f"guidance got {rows} rows, needs {guidance.rows} (or 1 for none)")
