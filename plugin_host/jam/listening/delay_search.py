"""Where the played signal comes back in the captured one: cross-correlation of phases alone (GCC-PHAT), by votes.

Music has few strong tones and repeats itself; with all magnitudes taken out, only the true delay adds up over all
frequencies, and stands out of the noise of the player's own music. A drum hit that both sides play alike does so once;
the delay of a leak does it again and again: every stretch of music has one vote, however loud.
Source: C. Knapp, G. Carter (1976), "The generalized correlation method for estimation of time delay".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.ring.form import Audio

ENOUGH = 8.0  # votes: two clear stretches, or some more that are less so
_FORGET = 0.85  # of what earlier stretches said, with each further stretch
_NOISE, _CLEAR = 4.0, 10.0  # times the noise: what chance reaches, and what counts as a whole vote
_CLEAREST = 12.0  # times the noise: what stands out as much as this counts whole, and what is much smaller does not
_DOUBT = 0.1  # what is left of the votes
_FIRST_SHARE = 0.5  # of the strongest echo: an earlier one this strong is the direct path
_FIRST_SECONDS = 0.01  # by which it may be earlier
_WIDTH = 31  # bins over which the power of both sides is compared
_LEAST_POWER = 1e-8  # of the strongest frequency: below it the played signal has no phase


def fast_length(least: int) -> int:
    """The smallest product of 2, 3 and 5 that is at least this: lengths with a fast Fourier transform.  [any]"""
    length = least
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1


class DelaySearch:
    """Searches delays from 0 to `longest` samples, in stretches of `stretch` samples.  [main]"""

    def __init__(self, sample_rate_hz: int, stretch: int, longest: int) -> None:
        self.longest = longest
        self._size = fast_length(stretch + longest)
        self._early = round(_FIRST_SECONDS * sample_rate_hz)
        self.votes = np.zeros(longest + 1)

    def add(self, captured: Audio, played: Audio) -> None:
        """Add a stretch: captured [n, C]; played [longest + n, R], which begins `longest` samples earlier."""
        here = np.fft.rfft(captured.astype(np.float64), self._size, axis=0)
        there = np.fft.rfft(played.astype(np.float64), self._size, axis=0)
        clear = np.zeros(self.longest + 1)
        for reference in there.T:
            power = np.square(np.abs(reference))
            audible = power > _LEAST_POWER * max(float(power.max()), 1e-12)
            for channel in here.T:
                share = np.sqrt(np.minimum(_smooth(power) / (_smooth(np.square(np.abs(channel))) + 1e-20), 1.0))
                clear = np.maximum(clear, self._clearness(audible * channel * np.conj(reference), share))
        self.votes = _FORGET * self.votes + np.clip(clear, _NOISE, _CLEAR) - _NOISE

    def doubt(self) -> None:
        """What was found no longer holds: nearly begin anew."""
        self.votes *= _DOUBT

    def _clearness(self, cross: NDArray[np.complex128], weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far each lag stands out of the noise; `weight` of each frequency's phase."""
        found = np.fft.irfft(weight * cross / np.maximum(np.abs(cross), 1e-30), self._size)
        lags = np.abs(np.concatenate([found[self._size - self.longest :], found[:1]]))
        noise = max(float(np.median(lags)) / 0.6745, float(lags.max()) / _CLEAREST)
        return lags / noise if noise > 0 else np.zeros_like(lags)

    def lag(self) -> int | None:
        """The delay of the direct path in samples; None where nothing stands out."""
        strongest = int(self.votes.argmax())
        if self.votes[strongest] < ENOUGH:
            return None
        begin = max(strongest - self._early, 0)
        return begin + int(np.argmax(self.votes[begin : strongest + 1] >= _FIRST_SHARE * self.votes[strongest]))


def _smooth(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power averaged over neighbouring frequencies."""
    padded = np.pad(power, (_WIDTH // 2 + 1, _WIDTH // 2), mode="edge")
    sums = np.cumsum(padded)
    return (sums[_WIDTH:] - sums[:-_WIDTH]) / _WIDTH
