"""How the ticks of a MIDI clock arrive: evenly, in bursts, each one several times, or in no order.

    even      |   |   |   |   |   |     one tick's length apart, give or take
    bursts    ||  |   ||  |   ||  |     sent or received once per audio block: every gap is a multiple of the block
    copies    | . | . | . | . | . |     one clock over two cables: long and short gaps in turn
    uneven    || |    | |  |      |     none of these

Bursts need a model of their own because their lateness is no noise: at 120 bpm and blocks of 512 samples at
48 kHz twenty gaps in a row are two blocks, exactly, then one is a single block. Twenty gaps say 117.19 bpm.
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
GAPS_LEAST = 12  # that say something
SPANS = (48, 144, 600)  # gaps looked at: a burst clock near a multiple of its block shows it rarely
BLOCKS_SECONDS = sorted(
    {n / rate for n, rate in product((64, 128, 256, 512, 1024, 2048), (44_100, 48_000, 88_200, 96_000))} | {0.01}
)
KNOWN_FROM, SHORTEST_BLOCK = 0.005, 0.0006  # blocks longer than the first are looked for by name
NEAR_BLOCK = 0.00015  # of the usual gap to a multiple of a block
TOLERANCE, SHARE = 1 / 6, 0.94  # of a block, and of the gaps that must be within it
SPREAD = 1.3  # in blocks, at most, of the ticks around their line
COPY_SECONDS, COPIES = 0.016, (2, 3)  # at most so far behind, and so many
COPY_LEAST, COPY_LEAST_FAST, COPY_SURE = 0.25, 0.08, 10.0  # how different gaps are, of their mean; standard errors
ONE_BLOCK, AT_ONCE_SECONDS = 0.007, 0.0005  # of a block
FAST_BPM = 200  # above this ticks that come in exact turns are copies
UNEVEN, UNEVEN_GAPS = 1.1, 24  # mean gaps between the shortest tenth and the longest; of so many
TIGHT_SECONDS = 0.0003  # a gap that is a known block's multiple this nearly is no accident


class Arrival(Enum):
    """How ticks arrive."""

    EVEN = auto()
    BURSTS = auto()
    COPIES = auto()
    UNEVEN = auto()
    UNCLEAR = auto()  # yet


@dataclass(frozen=True, slots=True)
class Pattern:
    """`seconds`: the block of bursts, how far the last copy is behind, or how far uneven ticks spread.

    `period_seconds`: of `copies` copies, from one tick to the next one that is none.
    """

    arrival: Arrival
    seconds: float = 0.0
    copies: int = 1
    period_seconds: float = 0.0

    @property
    def longest_copy_gap(self) -> float:
        """Of copies: a tick after a longer gap is none.  [any]"""
        return (self.period_seconds - self.seconds + self.seconds / max(self.copies - 1, 1)) / 2

    @property
    def all_bpm(self) -> float:
        """Of copies: the tempo if none were one.  [any]"""
        return SECONDS_PER_MINUTE / TICKS_PER_BEAT * self.copies / self.period_seconds


EVEN, UNCLEAR = Pattern(Arrival.EVEN), Pattern(Arrival.UNCLEAR)


def pattern(instants: Sequence[float]) -> Pattern:
    """What the ticks at these instants (seconds, in order, not across a pause) look like.  [any]"""
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
    """Whether the longest gap is no longer than so many times the shortest.  [any]"""
    return bool(gaps) and max(gaps) <= ratio * min(gaps)


def take_turns(gaps: Sequence[float]) -> bool:
    """Whether long and short gaps follow each other, as of one clock over two cables.  [any]"""
    evens, odds = sorted(gaps[::2]), sorted(gaps[1::2])
    return evens[0] > odds[-1] or odds[0] > evens[-1]


def spread_seconds(times: NDArray[np.float64]) -> float:
    """How far these ticks, all of them counted, lie from the straight line through them, first to last.  [any]"""
    counts = np.arange(len(times), dtype=np.float64) - (len(times) - 1) / 2
    centred = times - times.mean()
    off = centred - counts * (counts @ centred) / (counts @ counts)
    return float(off.max() - off.min())


def _bpm(gaps: NDArray[np.float64]) -> float:
    return float(SECONDS_PER_MINUTE / TICKS_PER_BEAT / gaps.mean())


def _is_rather(block: float, copies: Pattern) -> bool:
    """Whether what looks like copies is bursts of a common block: as exact as one, and no faster than music is."""
    gap = copies.seconds / (copies.copies - 1)
    exact = block > 0 and abs(gap - round(gap / block) * block) < AT_ONCE_SECONDS
    return exact and _is_known(block) and copies.all_bpm <= FAST_BPM


def _is_known(block: float) -> bool:
    return block >= KNOWN_FROM and any(abs(block - each) < NEAR_BLOCK for each in BLOCKS_SECONDS)


def _copies(gaps: NDArray[np.float64]) -> Pattern | None:
    """Gaps in turn short and long: the one tick after the long gap, and its copies."""
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
    """Two or three ticks at once, a common block apart, and no faster than music is."""
    near = any(abs(found.period_seconds / each - 1) < ONE_BLOCK for each in BLOCKS_SECONDS if each >= KNOWN_FROM)
    return near and found.seconds < AT_ONCE_SECONDS and found.all_bpm <= FAST_BPM


def _block(times: NDArray[np.float64]) -> float:
    """The block whose multiples all gaps are, and around a straight line; 0 when there is none."""
    gaps = np.diff(times)
    usual, some = float(np.median(gaps)), gaps[gaps > SHORTEST_BLOCK]
    known = known_blocks(float(np.median(some))) if len(some) else []
    for block in [*reversed(known), _step_between(gaps)]:
        fits = block >= SHORTEST_BLOCK and _all_multiples(gaps, usual, block, block in known)
        if fits and spread_seconds(times) < SPREAD * block + 0.001:
            return block
    return 0.0


def known_blocks(gap_seconds: float) -> list[float]:
    """Audio blocks that are common and not short, of which this gap is a multiple; shortest first.  [any]"""
    long = [each for each in BLOCKS_SECONDS if each >= KNOWN_FROM]
    return [each for each in long if abs(gap_seconds - round(gap_seconds / each) * each) < NEAR_BLOCK]


def _step_between(gaps: NDArray[np.float64]) -> float:
    """How far two clusters of gaps are apart: split where sorted gaps are furthest from each other."""
    ordered = np.sort(gaps)
    cut = int(np.diff(ordered).argmax()) + 1
    return float(np.median(ordered[cut:]) - np.median(ordered[:cut]))


def _all_multiples(gaps: NDArray[np.float64], usual: float, block: float, known: bool) -> bool:
    """Nearly all gaps are one of two neighbouring multiples of the block: rare ones often enough to be no accident.

    Ticks lost or doubled look like bursts whose block is a tick's length, but come at random, and both kinds.
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
