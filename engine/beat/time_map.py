"""Which sample of what a model made is heard at which sample of what is put out, exactly.

The map is made of stretches within which both run alike; each begins where something was skipped or repeated:

    put out   0 .............. 1000 ............ 2500 ...
    made      0 .............. 1200 (200 skipped) 2600 (100 repeated) ...
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass


@dataclass(frozen=True)
class MapStretch:
    """From `out` on, what is put out is what was made from `made` on; samples at the model's rate.  [any]"""

    out: int
    made: int

    @property
    def shift(self) -> int:
        """Samples by which what is put out lies before what was made: positive where something was skipped.  [any]"""
        return self.made - self.out


class TimeMap:
    """Both ways between samples made and put out; grows at its end only.

    `made_at` is defined for every sample put out. `out_at` of a sample that was skipped is where it was skipped; of
    one that is repeated, where it sounds last. So `out_at(made_at(x)) == x` for what is not repeated later, and
    `made_at(out_at(m)) == m` for what is not skipped.
    """

    def __init__(self, stretches: tuple[MapStretch, ...] = (MapStretch(0, 0),)) -> None:
        """From stretches in order; the first also holds before its begin.  [any]"""
        self._stretches = list(stretches)

    @property
    def last(self) -> MapStretch:
        """The newest stretch.  [any]"""
        return self._stretches[-1]

    @property
    def stretches(self) -> tuple[MapStretch, ...]:
        """All that are known.  [any]"""
        return tuple(self._stretches)

    def jump(self, out: int, skipped: int) -> None:
        """From `out` on `skipped` samples more of what was made are left out (negative: repeated).

        Raises ValueError where that lies before the newest stretch.  [generate]
        """
        if out < self.last.out:
            raise ValueError(f"a jump at {out} lies before the one at {self.last.out}")
        stretch = MapStretch(out, out + self.last.shift + skipped)
        if out == self.last.out:
            self._stretches[-1] = stretch
        else:
            self._stretches.append(stretch)

    def made_at(self, out: int) -> int:
        """What was made that is heard at a sample put out.  [any]"""
        index = bisect_right(self._stretches, out, key=lambda each: each.out) - 1
        return out + self._stretches[max(index, 0)].shift

    def out_at(self, made: int) -> int:
        """Where a sample that was made is heard (last, or where it was skipped).  [any]"""
        end: int | None = None  # of the stretch that is looked at
        for stretch in reversed(self._stretches):
            if made >= stretch.made or stretch is self._stretches[0]:
                out = made - stretch.shift
                return out if end is None else min(out, end)
            end = stretch.out
        raise AssertionError("a map has a stretch")

    def cut(self, out: int, made: int) -> TimeMap:
        """The map up to `out`, going on there with what is made as number `made`.  [generate]"""
        kept = tuple(each for each in self._stretches if each.out < out)
        if not kept:
            return TimeMap((MapStretch(out, made),))
        begun = TimeMap(kept)
        return begun if begun.made_at(out) == made else TimeMap((*kept, MapStretch(out, made)))

    def forget_before(self, out: int) -> None:
        """Keep only the stretches that say something of `out` and later.  [generate]"""
        index = bisect_right(self._stretches, out, key=lambda each: each.out) - 1
        if index > 0:
            del self._stretches[:index]
