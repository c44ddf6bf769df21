"""The exact map between samples that a model made (the input of `Bend`) and output samples.

The map consists of stretches in which both advance alike; each begins where samples were skipped or repeated:

    output   0 .............. 1000 ............ 2500 ...
    made     0 .............. 1200 (200 skipped) 2600 (100 repeated) ...
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass


@dataclass(frozen=True)
class MapStretch:
    """Output from sample `out` on equals made audio from sample `made` on; samples at the model's rate.  [any]"""

    out: int
    made: int

    @property
    def shift(self) -> int:
        """Made samples minus output samples: positive if more were skipped than repeated.  [any]"""
        return self.made - self.out


class TimeMap:
    """Maps made samples to output samples and back; grows only at its end.

    `made_at` is defined for every output sample. `out_at` of a skipped sample is where it was skipped; of a repeated
    one, its last position. So `out_at(made_at(x)) == x` for samples that are not repeated later, and
    `made_at(out_at(m)) == m` for samples that are not skipped.
    """

    def __init__(self, stretches: tuple[MapStretch, ...] = (MapStretch(0, 0),)) -> None:
        """Stretches are in order; the first also holds before its start.  [any]"""
        self._stretches = list(stretches)

    @property
    def last(self) -> MapStretch:
        """The newest stretch.  [any]"""
        return self._stretches[-1]

    @property
    def stretches(self) -> tuple[MapStretch, ...]:
        """All known stretches.  [any]"""
        return tuple(self._stretches)

    def jump(self, out: int, skipped: int) -> None:
        """Skip `skipped` made samples at `out` (negative: repeat).

        Raises ValueError if that lies before the newest stretch.  [generate]
        """
        if out < self.last.out:
            raise ValueError(f"a jump at {out} lies before the one at {self.last.out}")
        stretch = MapStretch(out, out + self.last.shift + skipped)
        if out == self.last.out:
            self._stretches[-1] = stretch
        else:
            self._stretches.append(stretch)

    def made_at(self, out: int) -> int:
        """The made sample at an output sample.  [any]"""
        index = bisect_right(self._stretches, out, key=lambda each: each.out) - 1
        return out + self._stretches[max(index, 0)].shift

    def out_at(self, made: int) -> int:
        """The (last) output sample of a made sample, or where it was skipped.  [any]"""
        end: int | None = None  # of the present stretch
        for stretch in reversed(self._stretches):
            if made >= stretch.made or stretch is self._stretches[0]:
                out = made - stretch.shift
                return out if end is None else min(out, end)
            end = stretch.out
        raise AssertionError("a map has a stretch")

    def cut(self, out: int, made: int) -> TimeMap:
        """The map up to `out`, continued there with sample `made`.  [generate]"""
        kept = tuple(each for each in self._stretches if each.out < out)
        if not kept:
            return TimeMap((MapStretch(out, made),))
        begun = TimeMap(kept)
        return begun if begun.made_at(out) == made else TimeMap((*kept, MapStretch(out, made)))

    def forget_before(self, out: int) -> None:
        """Drop the stretches that end before `out`.  [generate]"""
        index = bisect_right(self._stretches, out, key=lambda each: each.out) - 1
        if index > 0:
            del self._stretches[:index]
