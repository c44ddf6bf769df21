"""An order of stems: what is made of a region, which of it is there already, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from plugin_host.takes.errors import TakeError
from plugin_host.takes.order import TakeOrder
from plugin_host.takes.recipe import Recipe
from plugin_host.takes.stems.lanes import Lane, read_lanes
from plugin_host.takes.take import Take, read_take

LANES = "drums,bass,keys"
VARIATIONS_MAX = 32


@dataclass(frozen=True)
class StemsOrder:
    """What is ordered: `take` has region, bars, tempo, prompt, seed and files' form, `take.takes` is not used.

    Variation v of all lanes has the seed `take.seed` + v - 1. `guarded` False leaves the levels alone.
    """

    take: TakeOrder
    lanes: tuple[Lane, ...] = field(default_factory=lambda: read_lanes(LANES))
    variations: int = 4
    guarded: bool = True
    at_once: int = 4

    @property
    def total(self) -> int:
        """How many stems there are in the end.  [any]"""
        return len(self.lanes) * self.variations


@dataclass(frozen=True)
class Progress:
    """A moment of an order; `state` is making, made, done, cancelled or failed, `share` of all stems from 0 to 1.

    `made`: variation, lane, path and purity (NaN: none) are those of the stem that was just made.
    """

    state: str
    done: int
    total: int
    share: float
    variation: int = 0
    lane: str = ""
    path: str = ""
    purity: float = float("nan")


Tell = Callable[[Progress], None]


def path_of(folder: Path, variation: int, name: str, kind: str) -> Path:
    """The file of a lane, or of the mix.  [any]"""
    return folder / str(variation) / f"{name}.{kind}"


def present(path: Path, planned: Recipe) -> Take | None:
    """The stem in a file if it is the planned one; None if there is no file.

    Raises TakeError if there is another one: it is never replaced.  [main]
    """
    if not path.exists():
        return None
    try:
        found = read_take(path)
    except TakeError as fault:
        raise TakeError(f"{path} is there and none of this order's stems ({fault}): choose another --out") from None
    different = [name for name, value in _identity(planned).items() if _identity(found.recipe)[name] != value]
    different += [
        name for name, value in planned.values.items() if abs(found.recipe.values.get(name, value) - value) > 1e-4
    ]
    if different:
        words = f"{', '.join(different)} {'differs' if len(different) == 1 else 'differ'}"
        raise TakeError(f"{path} is of another order ({words}): choose another --out, or order the same")
    return found


def _identity(recipe: Recipe) -> dict[str, object]:
    """What must be equal in the recipes of the same stem; values that the model fills in are left out."""
    return {
        "tempo": recipe.bpm, "bars": (recipe.start_bar, recipe.bars), "time signature": recipe.signature,
        "sample rate": recipe.rate_hz, "prompt": recipe.prompt, "seed": recipe.seed, "loop": recipe.loop,
        "regions": [(region.role, region.sha256) for region in recipe.regions],
        "lane": (recipe.stem.lane, recipe.stem.variation),
    }  # fmt: skip


def seeded(base: Recipe, seed: int, variation: int) -> Recipe:
    """The recipe of a variation.  [any]"""
    return replace(base, seed=(seed + variation - 1) % 2**24)
