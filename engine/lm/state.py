"""What a stream keeps between steps: a static KV cache and the position. One value per lane and window."""

from dataclasses import dataclass

from torch import Tensor


@dataclass
class LMState:
    """Keys and values [L, R, H, C, D/H] written in place up to `length`, and each layer's cross keys and values.

    A state belongs to one window of one lane; `prefill` and `step` advance it. To go back, begin again from the
    tokens: they are the truth, the cache is only their echo.
    """

    keys: Tensor
    values: Tensor
    cross_kv: list[tuple[Tensor, Tensor]] | None
    length: int = 0
    step: int = 0

    @property
    def rows(self) -> int:
        """R, the guidance rows."""
        return self.keys.shape[1]

    @property
    def capacity(self) -> int:
        """Positions the cache can hold, prefix included."""
        return self.keys.shape[3]
