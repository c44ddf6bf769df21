"""The way from the loudspeaker to one microphone: a short filter, estimated while both sides play.

    captured = player + filter * played        per frame t and frequency f, with S the player's power there:

    A = sum over t of  conj(P) P / S           what the played signal can tell of the filter
    b = sum over t of  conj(P) X / S           what the captured one says of it
    (A + 1 / v) filter = b                     v: how large each tap may be, learned from the filter itself

Where the player is loud a frame counts little, where he is silent it counts much: so both may play at once.
Filters are made of the last stretches and of all, of a direct path alone and with a room around it. The simplest is
used that takes away as much as any from stretches that it was not made from; none where nothing is taken away.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Spectra = NDArray[np.complex128]

RECENT = (6, 2)  # stretches of which filters are made, besides all that last: a new path is learned from few
TRUSTED = 60.0  # log likelihood by which a filter explains the last stretches better than none
_LASTING = 0.995  # what earlier stretches count, with each further one
_FORGET = 0.7  # the same, of how well a filter explained them
_AS_GOOD = 20.0  # log likelihood by which a simple filter may be worse than the best one
_NEW_SHARE = 0.85  # of what the newest filter explains: lasting ones that explain less are of another path
_CLOSER = 6  # filters for a stretch, each made from what the one before leaves, while they leave less
_LESS = 0.1  # of the logarithm of power, over all frequencies: by so much at least
_OVERLAP = 0.5  # frames overlap by half: each sample is counted twice
_STEPS = 30  # of conjugate gradients; each solution starts from the one before
_DIRECT_STEPS = 8  # the same, of a direct path alone: a few taps
_SPREAD = 9  # taps on either side over which a tap's size is averaged
_FLOOR = 1e-5  # of the largest tap's variance
_ECHOES = 1e-3  # the same, where the echoes of a room begin: they are learned last, and are not ruled out before
_ECHO_TAPS = 1000.0  # in which it falls to 0.37


@dataclass(frozen=True)
class Evidence:
    """A [R, R, bins] and b [R, bins] of a stretch, before they are turned into taps."""

    power: Spectra
    cross: Spectra

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(self.power + other.power, self.cross + other.cross)

    def fading(self, share: float) -> Evidence:
        """The same evidence, counting `share` as much.  [any]"""
        return Evidence(share * self.power, share * self.cross)

    def louder(self, ratio: float) -> Evidence:
        """What would be found of a path that is `ratio` times as loud.  [any]"""
        return Evidence(self.power, ratio * self.cross)


class Taps:
    """Arithmetic of filters [R, taps] in frames of `size` samples.  [main]"""

    def __init__(self, taps: int, size: int) -> None:
        if size < 2 * taps:
            raise ValueError(f"frames of {size} samples for {taps} taps: twice as many samples are needed")
        self.taps, self.size = taps, size
        self._scale = _OVERLAP * size

    def spectra(self, filters: Floats) -> Spectra:
        """Frequency responses [R, bins]."""
        return np.fft.rfft(filters, self.size, axis=-1)

    def told(self, evidence: Evidence) -> Floats:
        """b as taps [R, taps]."""
        return self._scale * np.fft.irfft(evidence.cross, self.size, axis=-1)[:, : self.taps]

    def applied(self, evidence: Evidence, filters: Floats) -> Floats:
        """A times a filter, [R, taps]."""
        there = (evidence.power * self.spectra(filters)[None]).sum(axis=1)
        return self._scale * np.fft.irfft(there, self.size, axis=-1)[:, : self.taps]

    def gain(self, evidence: Evidence, filters: Floats) -> float:
        """Log likelihood by which a filter explains a stretch better than no filter."""
        return float((filters * (self.told(evidence) - 0.5 * self.applied(evidence, filters))).sum())

    def certainty(self, evidence: Evidence) -> Floats:
        """A's diagonal, one value for each reference [R, 1]."""
        own = np.einsum("rrf->rf", evidence.power).real
        return self._scale * np.fft.irfft(own, self.size, axis=-1)[:, :1]

    def solved(self, evidence: Evidence, variance: Floats, start: Floats, steps: int = _STEPS) -> Floats:
        """The filter [R, taps] for a variance of each tap, by conjugate gradients from `start`."""
        root = np.sqrt(variance)
        x = start / root
        rest = root * (self.told(evidence) - self.applied(evidence, root * x)) - x
        along, size = rest, float((rest * rest).sum())
        least = 1e-7 * float(np.square(root * self.told(evidence)).sum())
        for _ in range(steps):
            if size <= least:
                break
            turned = root * self.applied(evidence, root * along) + along
            step = size / float((along * turned).sum())
            x, rest = x + step * along, rest - step * turned
            new = float((rest * rest).sum())
            along, size = rest + (new / size) * along, new
        return root * x


class LeakPath:
    """Estimates the filter from `references` played signals to one captured channel.  [main]"""

    def __init__(self, taps: Taps, references: int, direct: int) -> None:
        self._taps, self.references = taps, references
        self.forget(direct)

    def forget(self, direct: int) -> None:
        """Start again, with a filter of nothing; the direct path is expected at tap `direct`."""
        away = np.abs(np.arange(self._taps.taps) - direct)
        room = 0.05 * np.exp(-away / 6.0) + 1e-5 * np.exp(-away / 1000.0)
        self._echoes = _ECHOES * np.exp(-away / _ECHO_TAPS) + _FLOOR
        self._direct = np.tile(0.2 * np.exp(-away / 4.0) + 1e-12, (self.references, 1))
        self._variance = np.tile(room, (self.references, 1))
        shape = (self.references, self._taps.taps)
        self.filter: Floats = np.zeros(shape)
        self._lasting: Evidence | None = None
        self._recent: deque[Evidence] = deque(maxlen=max(RECENT))
        self._made = [np.zeros(shape) for _ in range(2 + 2 * len(RECENT) + 1)]
        self._scores = np.zeros(len(self._made))
        self._chosen, self._ratio = 0, 0.0
        self.lost = False  # the path is another one since the last stretch

    def learn(self, left_by: Callable[[Floats], Spectra], played: Spectra) -> None:
        """Learn from a stretch: `left_by` gives what a filter leaves of it [T, bins], `played` is [R, T, bins]."""
        left = left_by(self.filter)
        player = _smooth_power(left)
        stretch = self._evidence(self.filter, left, played, 1.0 / player)
        even = player**-0.5
        by_power = self._evidence(self.filter, left, played, even * (even.size / float((even * player).sum())))
        gains = np.array([self._taps.gain(stretch, made) + self._taps.gain(by_power, made) for made in self._made])
        self._scores = _FORGET * self._scores + gains
        self.lost = self._begin_anew(gains)
        self._chosen = int(np.argmax(self._scores >= self._scores.max() - _AS_GOOD))
        trusted = self._scores.max() > (0.0 if self.filter.any() and not self.lost else TRUSTED)
        self._make(self._closer(stretch, player, left_by, played))
        self.filter = self._made[self._chosen] if trusted else np.zeros_like(self.filter)

    def _closer(
        self, stretch: Evidence, player: Floats, left_by: Callable[[Floats], Spectra], played: Spectra
    ) -> Evidence:
        """The evidence of a stretch, seen from a filter that leaves less of it, while there is one.

        What a filter leaves counts as the player's: the less it leaves, the more the stretch tells.
        """
        found = self.filter
        for _ in range(_CLOSER):
            total = stretch if self._lasting is None else self._lasting.fading(_LASTING) + stretch
            found = self._taps.solved(total, self._variance, found)
            left = left_by(found)
            power = _smooth_power(left)
            if float(np.mean(np.log(power / player))) > -_LESS:
                break
            player = power
            stretch = self._evidence(found, left, played, 1.0 / player)
        return stretch

    def _begin_anew(self, gains: Floats) -> bool:
        """After a change of gain, scale what is known; after one of the path, forget it. Whether nothing is known."""
        best, lasting = float(gains.max()), float(gains[:2].max())
        lost = bool(self.filter.any()) and gains[self._chosen] < -TRUSTED
        if self._lasting is not None and gains[-1] == best and best - lasting > TRUSTED:
            self._lasting = self._lasting.louder(self._ratio)
            self._recent = deque((each.louder(self._ratio) for each in self._recent), maxlen=self._recent.maxlen)
            self._made[:-1] = [self._ratio * made for made in self._made[:-1]]
        elif lost or (best - lasting > TRUSTED and lasting < _NEW_SHARE * best):
            self._recent.clear()
            self._lasting = None
            self._scores[:2] = np.minimum(self._scores[:2], 0.0)
        return lost

    def _evidence(self, filters: Floats, left: Spectra, played: Spectra, weight: Floats) -> Evidence:
        weighted = weight[None] * np.conj(played)
        power = np.einsum("itf,jtf->ijf", weighted, played)
        there = (power * self._taps.spectra(filters)[None]).sum(axis=1)
        return Evidence(power, (weighted * left[None]).sum(axis=1) + there)

    def _make(self, stretch: Evidence) -> None:
        """Make all filters anew, simple and lasting ones first; the last one is the chosen one, louder or softer."""
        self._recent.append(stretch)
        self._lasting = stretch if self._lasting is None else self._lasting.fading(_LASTING) + stretch
        totals = [self._lasting, *(_total(list(self._recent)[-count:]) for count in RECENT)]
        for number, (total, prior) in enumerate((total, prior) for total in totals for prior in (0, 1)):
            variance, steps = (self._variance, _STEPS) if prior else (self._direct, _DIRECT_STEPS)
            self._made[number] = self._taps.solved(total, variance, self._made[number], steps)
        model = self._made[self._chosen if self._chosen < len(self._made) - 1 else 1]
        size = float((model * self._taps.applied(stretch, model)).sum())
        told = float((model * self._taps.told(stretch)).sum())
        self._ratio = told / size if size > 0 else 0.0
        self._made[-1] = self._ratio * model
        self._learn_variance(self._made[self._chosen], self._lasting)

    def _learn_variance(self, found: Floats, total: Evidence) -> None:
        unsure = 1.0 / (self._taps.certainty(total) + 1.0 / self._variance)
        kernel = np.bartlett(2 * _SPREAD + 3)[1:-1]
        sizes = np.square(found) + unsure
        spread = np.stack([np.convolve(each, kernel / kernel.sum(), "same") for each in sizes])
        self._variance = np.maximum(spread, self._echoes * spread.max() + 1e-12)


def _total(stretches: list[Evidence]) -> Evidence:
    total = stretches[0]
    for more in stretches[1:]:
        total = total + more
    return total


def _smooth_power(frames: Spectra) -> Floats:
    """Power of frames [T, bins], averaged over neighbouring frequencies and frames."""
    power = np.square(np.abs(frames))
    width = 9
    padded = np.pad(power, ((1, 1), (width // 2 + 1, width // 2)), mode="edge")
    sums = np.cumsum(padded, axis=1)
    wide = (sums[:, width:] - sums[:, :-width]) / width
    along = 0.25 * wide[:-2] + 0.5 * wide[1:-1] + 0.25 * wide[2:]
    return np.asarray(along + 1e-6 * along.max() + 1e-12)
