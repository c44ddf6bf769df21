"""A jam while the host goes round in its cycle: it goes on in those bars, pass after pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.plugin_host.plugin.jam_rig import (
    ACCOMPANY,
    BAR,
    CONTINUE,
    FADE,
    LOOP,
    TRADE,
    captured,
    heard,
    is_segue,
    opened,
    plays,
)  # fmt: skip
from tests.plugin_host.plugin.plugin_rig import CountingProcess, DrivenHost

FIRST = 4  # bar of the cycle
LOOPED = 4  # bars


@pytest.fixture
def engine(bundles: Path) -> Iterator[CountingProcess]:
    made = CountingProcess()
    yield made
    made.kill()


@pytest.fixture
def host(bundles: Path, engine: CountingProcess) -> Iterator[DrivenHost]:
    yield from opened(bundles, engine)


class Cycle:
    """Runs passes of a cycle, and tells its bars: what each is."""

    def __init__(self, host: DrivenHost, n_bars: int, told: bool = True) -> None:
        self.host, self.n_bars, self.told = host, n_bars, told
        self.samples = (FIRST * BAR, (FIRST + n_bars) * BAR)
        self.at: int | None = FIRST * BAR
        self.audio = np.zeros(0, np.float32)

    def run(self, n_bars: int, counted: bool = True, noise: bool = False, **turned: float) -> None:
        found = self.host.run(n_bars * BAR, at=self.at, playing=True, counted=counted, noise=noise, cycle=self.samples,
                              told=self.told, output=1, generate=1, **turned)  # fmt: skip
        self.at = None
        self.audio = np.concatenate([self.audio, found])

    def kinds(self) -> str:
        """A letter for each bar: S Segue's music of that bar, p a bar of the player's once more, - silence, ? else."""
        return "".join(map(self.kind, range(len(self.audio) // BAR)))

    def kind(self, bar: int) -> str:
        part = self.audio[bar * BAR + FADE : (bar + 1) * BAR]
        position = (FIRST + bar % self.n_bars) * BAR + FADE
        if not part.any():
            return "-"
        if is_segue(part, position):
            return "S"
        first = (FIRST + bar % LOOPED) * BAR + FADE
        wanted = np.array([heard(n) for n in range(first, first + 100)], np.float32)
        return "p" if np.allclose(part[:100], wanted, atol=1e-6) else "?"


@pytest.mark.parametrize(
    ("mode", "turn", "n_bars", "wanted"),
    [
        (TRADE, 2, 4, "--SS--SS"),
        (TRADE, 4, 4, "----SSSS----S"),
        (TRADE, 3, 4, "---SSS---"),
        (ACCOMPANY, 2, 4, "--SSSSSS"),
        (LOOP, 4, 4, "----pppp"),
        (LOOP, 4, 8, "----ppppS"),
    ],
)
def test_it_goes_on_in_the_cycle(
    host: DrivenHost, engine: CountingProcess, mode: int, turn: int, n_bars: int, wanted: str
) -> None:
    cycle = Cycle(host, n_bars)
    cycle.run(len(wanted), follow_input=mode, capture_bars=turn)
    assert cycle.kinds() == wanted
    assert all(line["start"] >= 0 for line in captured(engine))


def test_continue_takes_over_in_any_pass(host: DrivenHost, engine: CountingProcess) -> None:
    cycle = Cycle(host, 4)
    cycle.run(6, counted=False, noise=True, follow_input=CONTINUE)
    cycle.run(5, counted=False)  # takes over on the first bar of the third pass
    cycle.run(2, counted=False, noise=True)  # hands back on the first bar of the fourth
    assert cycle.kinds() == "--------SSSS-"


def test_a_cycle_that_the_host_does_not_report(host: DrivenHost, engine: CountingProcess) -> None:
    """As in LV2: music that was told for a bar behind the cycle's end is told again once the cycle has led back."""
    cycle = Cycle(host, 4, told=False)
    cycle.run(16, follow_input=TRADE, capture_bars=4)
    assert plays(engine)[0] == ["bar 8", "4"]
    kinds = cycle.kinds()
    assert kinds[:4] == "----"
    assert "SS" in kinds[4:]
    late = {n for n, kind in enumerate(kinds) if kind == "?"}  # the bar before is held: the jump was not foreseen
    assert all(n % 4 == 0 for n in late), kinds


def test_another_place_in_the_bar_is_a_new_beginning(host: DrivenHost, engine: CountingProcess) -> None:
    host.run(3 * BAR, at=0, playing=True, counted=True, generate=1, follow_input=TRADE, capture_bars=2, output=1)
    audio = host.run(4 * BAR, at=20 * BAR + 5000, playing=True, counted=True)
    assert plays(engine)[-1] == ["bar 23", "2"]
    assert not audio[FADE : 3 * BAR - 5000].any()
