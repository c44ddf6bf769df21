"""How the ticks of a MIDI clock arrive: evenly, in bursts, as copies, or irregularly.

    even      |   |   |   |   |   |     about one tick's length apart
    bursts    ||  |   ||  |   ||  |     sent or received once per audio block: every gap is a multiple of the block
    copies    | . | . | . | . | . |     one clock over two cables: alternating long and short gaps
    uneven    || |    | |  |      |     none of these

Bursts need their own model because their lateness is not noise: at 120 bpm and blocks of 512 samples at 48 kHz twenty
gaps in a row are exactly two blocks, then one is a single block. Twenty gaps show 117.19 bpm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import product

import numpy as np
from numpy.typing import NDArray

from bridge.time.units import SECONDS_PER_MINUTE

TICKS_PER_BEAT = 24
GAPS_LEAST = 12  # for a result
SPANS = (48, 144, 600)  # gaps analysed: a burst clock near a multiple of its block shows it rarely
BLOCKS_SECONDS = sorted(
    {n / rate for n, rate in product((64, 128, 256, 512, 1024, 2048), (44_100, 48_000, 88_200, 96_000))} | {0.01}
)
KNOWN_FROM, SHORTEST_BLOCK = 0.005, 0.0006  # longer blocks are searched among common sizes
NEAR_BLOCK = 0.00015  # of the usual gap to a multiple of a block
TOLERANCE, SHARE = 1 / 6, 0.94  # of a block; share of the gaps that must be within it
SPREAD = 1.3  # of the ticks around their line, in blocks, at most
COPY_SECONDS, COPIES = 0.016, (2, 3)  # largest delay, and numbers of copies
COPY_LEAST, COPY_LEAST_FAST, COPY_SURE = 0.25, 0.08, 10.0  # difference of gaps, of their mean; standard errors
ONE_BLOCK, AT_ONCE_SECONDS = 0.007, 0.0005  # of a block
FAST_BPM = 200  # above this, exactly alternating ticks are copies
UNEVEN, UNEVEN_GAPS = 1.1, 24  # mean gaps between the shortest and the longest tenth; number of gaps
TIGHT_SECONDS = 0.0003  # a gap this near a known block's multiple is no accident


class Arrival(Enum):
    """How ticks arrive."""

    EVEN = auto()
    BURSTS = auto()
    COPIES = auto()
    UNEVEN = auto()
    UNCLEAR = auto()  # not known yet


@dataclass(frozen=True, slots=True)
class Pattern:
    """`seconds`: the block of bursts, the delay of the last copy, or the spread of uneven ticks.

    `period_seconds`: with `copies` copies, from one original tick to the next.
    """

    arrival: Arrival
    seconds: float = 0.0
    copies: int = 1
    period_seconds: float = 0.0

    @property
    def longest_copy_gap(self) -> float:
        """With copies: a tick after a longer gap is an original.  [any]"""
        return (self.period_seconds - self.seconds + self.seconds / max(self.copies - 1, 1)) / 2

    @property
    def all_bpm(self) -> float:
        """With copies: the tempo if all ticks were originals.  [any]"""
        return SECONDS_PER_MINUTE / TICKS_PER_BEAT * self.copies / self.period_seconds


EVEN, UNCLEAR = Pattern(Arrival.EVEN), Pattern(Arrival.UNCLEAR)


def pattern(instants: Sequence[float]) -> Pattern:
    """The pattern of ticks at these instants (seconds, in order, without a pause).  [any]"""
    times = np.asarray(instants, np.float64)
    gaps = np.diff(times)
    if len(gaps) < GAPS_LEAST or gaps.mean() <= 0:
        return UNCLEAR
    block = next((found for span in SPANS if (found := _block(times[-span - 1 :]))), 0.0)
    copies = _copies(gaps[-SPANS[0] :])
    if copies is not None and not _is_rather(block, copies):
        return UNCLEAR if len(gaps) < SPANS[0] and _is_known(float(gaps.max())) else copies
    if block:
        return Pattern(Arrival.BURSTS, block)
    recent = gaps[-SPANS[0] :]
    apart = np.quantile(recent, 0.9) - np.quantile(recent, 0.1)
    if len(recent) >= UNEVEN_GAPS and apart > UNEVEN * recent.mean():
        return Pattern(Arrival.UNEVEN, float(np.quantile(recent, 0.98) - np.quantile(recent, 0.02)))
    return EVEN


def is_even(gaps: Sequence[float], ratio: float) -> bool:
    """Whether the longest gap is at most `ratio` times the shortest.  [any]"""
    return bool(gaps) and max(gaps) <= ratio * min(gaps)


def take_turns(gaps: Sequence[float]) -> bool:
    """Whether long and short gaps alternate, as with one clock over two cables.  [any]"""
    evens, odds = sorted(gaps[::2]), sorted(gaps[1::2])
    return evens[0] > odds[-1] or odds[0] > evens[-1]


def spread_seconds(times: NDArray[np.float64]) -> float:
    """The spread of these ticks around the straight line through them.  [any]"""
    counts = np.arange(len(times), dtype=np.float64) - (len(times) - 1) / 2
    centred = times - times.mean()
    off = centred - counts * (counts @ centred) / (counts @ counts)
    return float(off.max() - off.min())


def _bpm(gaps: NDArray[np.float64]) -> float:
    return float(SECONDS_PER_MINUTE / TICKS_PER_BEAT / gaps.mean())


def _is_rather(block: float, copies: Pattern) -> bool:
    """Whether apparent copies are bursts of a common block: as exact, and no faster than music."""
    gap = copies.seconds / (copies.copies - 1)
    exact = block > 0 and abs(gap - round(gap / block) * block) < AT_ONCE_SECONDS
    return exact and _is_known(block) and copies.all_bpm <= FAST_BPM


def _is_known(block: float) -> bool:
    return block >= KNOWN_FROM and any(abs(block - each) < NEAR_BLOCK for each in BLOCKS_SECONDS)


def _copies(gaps: NDArray[np.float64]) -> Pattern | None:
    """Alternating short and long gaps: the tick after the long gap, and its copies."""
    for copies in COPIES:
        if len(gaps) < GAPS_LEAST or len(gaps) < 6 * copies:
            return None
        turns = gaps[len(gaps) % copies :].reshape(-1, copies)
        means = turns.mean(axis=0)
        longest = int(means.argmax())
        others = np.delete(means, longest)
        errors = turns.std(axis=0, ddof=1) / np.sqrt(len(turns)) + 1e-6
        apart = means[longest] - others.max()
        behind = float(others.sum())
        least = COPY_LEAST_FAST if _bpm(gaps) > FAST_BPM else COPY_LEAST
        sure = apart > COPY_SURE * errors.max() and apart > least * means.mean()
        if sure and behind <= COPY_SECONDS and turns.std(axis=0, ddof=1).max() < means.sum() / 6:
            found = Pattern(Arrival.COPIES, behind, copies, float(means.sum()))
            return None if _are_bursts(found) else found
    return None


def _are_bursts(found: Pattern) -> bool:
    """Two or three ticks at once, a common block apart, and no faster than music."""
    near = any(abs(found.period_seconds / each - 1) < ONE_BLOCK for each in BLOCKS_SECONDS if each >= KNOWN_FROM)
    return near and found.seconds < AT_ONCE_SECONDS and found.all_bpm <= FAST_BPM


def _block(times: NDArray[np.float64]) -> float:
    """The block of which all gaps are multiples, with ticks around a straight line; 0 if there is none."""
    gaps = np.diff(times)
    usual, some = float(np.median(gaps)), gaps[gaps > SHORTEST_BLOCK]
    known = known_blocks(float(np.median(some))) if len(some) else []
    for block in [*reversed(known), _step_between(gaps)]:
        fits = block >= SHORTEST_BLOCK and _all_multiples(gaps, usual, block, block in known)
        if fits and spread_seconds(times) < SPREAD * block + 0.001:
            return block
    return 0.0


def known_blocks(gap_seconds: float) -> list[float]:
    """Common audio blocks, not short ones, of which this gap is a multiple; shortest first.  [any]"""
    long = [each for each in BLOCKS_SECONDS if each >= KNOWN_FROM]
    return [each for each in long if abs(gap_seconds - round(gap_seconds / each) * each) < NEAR_BLOCK]


def _step_between(gaps: NDArray[np.float64]) -> float:
    """The distance of two clusters of gaps, split at the largest step of the sorted gaps."""
    ordered = np.sort(gaps)
    cut = int(np.diff(ordered).argmax()) + 1
    return float(np.median(ordered[cut:]) - np.median(ordered[:cut]))


def _all_multiples(gaps: NDArray[np.float64], usual: float, block: float, known: bool) -> bool:
    """Whether nearly all gaps are one of two neighbouring multiples of the block, both often enough.

    Lost and doubled ticks look like bursts whose block is a tick's length, but come at random, and in both kinds.
    """
    numbers = np.rint(gaps / block)
    off = np.abs(gaps - numbers * block)
    near = off < TOLERANCE * block
    most = round(usual / block)
    rare = numbers[near & (numbers != most)] - most
    if near.mean() < SHARE or not len(rare):
        return False
    if known and np.mean(off < TIGHT_SECONDS) >= SHARE:
        return bool(np.abs(rare).max() <= max(1, most))
    like_lost_ticks = most <= 1
    one_sided = rare.min() == rare.max()
    return bool(one_sided and len(rare) >= (6 if like_lost_ticks and not known else 3))
