"""The plugin's plan of a jam is the one of `segue jam`: on equal beats both give equal orders."""

from __future__ import annotations

import ctypes
import random
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from bridge.time.transport import Grid
from bridge.time.units import Signature
from plugin_host.jam import state
from plugin_host.jam.state import PHASES
from plugin_host.plugin import build
from tests.plugin_host.plugin.native_core import NativeJam, native_heard, native_pace

modes = pytest.importorskip("plugin_host.jam.modes")
timing = pytest.importorskip("plugin_host.jam.timing")
plans = pytest.importorskip("plugin_host.jam.plan")
input_filter = pytest.importorskip("plugin_host.jam.input_filter")
MODES = ("accompany", "trade", "continue", "loop")  # as the parameter counts, from 1


class FixedPace(timing.JamTiming):
    """The interval that a test says."""

    every = 1

    def listen_every_bars(self, bars: int, grid: Grid) -> int:
        return max(bars, self.every)


def as_row(order: object) -> tuple[str, int, int, float, float, bool]:
    """An order as NativeJam gives it."""
    kind = type(order).__name__
    heard = next((getattr(order, name) for name in ("heard", "loop", "music") if hasattr(order, name)), None)
    begin, end = (float(heard.begin), float(heard.end)) if heard is not None else (0.0, 0.0)
    own = bool(getattr(order, "own", False))
    return kind, order.bar, getattr(order, "bars", 0), begin, end, own  # type: ignore[attr-defined]


@pytest.mark.parametrize("signature", [Signature(4, 4), Signature(3, 4), Signature(7, 8), Signature(3, 8)])
@pytest.mark.parametrize("mode", MODES)
def test_both_plans_give_the_same_orders(core: ctypes.CDLL, mode: str, signature: Signature) -> None:
    """Players that stop and play by dice, machines of any speed, music that comes late."""
    kinds, phases = set(), set()
    for seed in range(30):
        dice = random.Random(f"{mode} {signature} {seed}")
        bars, fixed = dice.choice((None, 1, 2, 3, 8)), FixedPace()
        python = plans.Plan(modes.make_mode(mode, bars, fixed))
        native = NativeJam(core, 1 + MODES.index(mode), bars or 0)
        grid = Grid(48_000, dice.choice((60.0, 93.7, 120.0, 240.0)), signature)
        per_bar = signature.beats_per_bar
        playing, lead = False, 2
        for bar in range(40):
            beats = bar * per_bar
            while beats < (bar + 1) * per_bar:
                playing = playing != (dice.random() < 0.12)
                lead = dice.randint(1, 9) if dice.random() < 0.1 else lead
                fixed.every = dice.randint(1, 4) if dice.random() < 0.1 else fixed.every
                now = plans.Moment(beats, grid, lead, playing)
                orders = [as_row(order) for order in python.tick(now)]
                assert orders == native.tick(
                    float(beats), float(per_bar), lead, max(python.mode.bars, fixed.every), playing, grid.tempo_bpm
                ), (seed, beats)
                for kind, at, *_ in orders:
                    kinds.add(kind)
                    if kind in ("Answer", "Accompany", "Vary") and dice.random() < 0.1:
                        python.moved(at, at + 1)
                        native.moved(at, at + 1)
                change = python.next_change()
                assert (PHASES[native.phase - 1], native.change_bar) == (python.phase, change.bar if change else -1)
                phases.add(python.phase)
                beats += Fraction(1)
        native.close()
    assert kinds == {"accompany": {"Accompany", "Relisten"}, "trade": {"Answer"}, "continue": {"Answer", "Stop"},
                     "loop": {"Repeat", "Vary"}}[mode]  # fmt: skip
    assert len(phases) == 2


VERBS_HEARD = {  # orders that only presses ask for, by mode
    "accompany": {"Answer", "Repeat", "Release", "Stop"}, "trade": {"Stop", "Repeat"}, "continue": {"Repeat"},
    "loop": {"Stop", "Release"},
}  # fmt: skip


@pytest.mark.parametrize("signature", [Signature(4, 4), Signature(7, 8)])
@pytest.mark.parametrize("mode", MODES)
def test_both_plans_take_the_same_presses(core: ctypes.CDLL, mode: str, signature: Signature) -> None:
    """All verbs at any moment, also between beats and twice: equal replies and orders; music that comes late."""
    kinds: set[str] = set()
    replies: dict[tuple[str, bool], int] = {}
    for seed in range(40):
        dice = random.Random(f"press {mode} {signature} {seed}")
        bars, fixed = dice.choice((None, 1, 2, 4)), FixedPace()
        python = plans.Plan(modes.make_mode(mode, bars, fixed))
        native = NativeJam(core, 1 + MODES.index(mode), bars or 0)
        grid, per_bar = Grid(48_000, 120.0, signature), signature.beats_per_bar
        playing, lead, beats = False, 2, Fraction(0)
        often = dice.choice((0.04, 0.15, 0.4))
        while beats < 60 * per_bar:
            playing = playing != (dice.random() < 0.12)
            lead = dice.randint(1, 6) if dice.random() < 0.1 else lead
            while dice.random() < often:
                verb, count = dice.choice(state.VERBS), dice.choice((None, None, 1, 3))
                at = beats - dice.choice((0, 0, Fraction(1, 4), Fraction(3, 2)))
                here = beats - Fraction(dice.randint(1, 7), 8)
                press = state.Press(verb, count if verb == "record" else None)
                wanted = python.press(press, at, plans.Moment(here, grid, lead, playing))
                got = native.press(
                    state.VERBS.index(verb), press.bars or 0, float(at), float(here), float(per_bar), lead, 120.0
                )
                assert got == (wanted.accepted, wanted.at_bar, wanted.text), (seed, beats, verb)
                replies[verb, wanted.accepted] = replies.get((verb, wanted.accepted), 0) + 1
            now = plans.Moment(beats, grid, lead, playing)
            orders = [as_row(order) for order in python.tick(now)]
            every = max(python.mode.bars, fixed.every)
            assert orders == native.tick(float(beats), float(per_bar), lead, every, playing, 120.0), (seed, beats)
            for kind, bar, *_ in orders:
                kinds.add(kind)
                if kind in ("Answer", "Accompany", "Vary") and dice.random() < 0.2:
                    again = dice.random() < 0.5
                    python.moved(bar, bar + 1, ordered=again)
                    native.moved(bar, bar + 1, ordered=again)
            change = python.next_change()
            assert (PHASES[native.phase - 1], native.change_bar) == (python.phase, change.bar if change else -1)
            beats = min(beats + 1, (beats // per_bar + 1) * per_bar)
        native.close()
    assert kinds >= VERBS_HEARD[mode]
    assert {verb for verb, accepted in replies if accepted} >= {"play_stop", "hold", "record", "again", "cancel"}
    assert ("cancel", False) in replies


def test_the_knobs_have_the_same_names() -> None:
    header = (Path(build.__file__).parent / "src" / "params.hpp").read_text()
    choices = {
        row[0]: row[1].lower().split("|") for row in re.findall(r'{"(\w+)", "[^"]*", "", [^"]*"([^"]*)"', header)
    }
    assert choices["follow_input"] == ["off", *MODES]
    assert set(MODES) == set(state.MODES)
    assert choices["jam_now"] == ["off", *PHASES]


@pytest.mark.parametrize(
    "seconds",
    [
        [],
        [0.1],
        [0.4] * 19 + [3.0],
        [0.4] * 100 + [9.0, 2.0],
        [0.05, 7.0],
        [0.4, -1, 0, 0, -1, -1, -1],
        [-1, -1, *[0] * 5],
    ],
)
@pytest.mark.parametrize("needs", [[], [0.9, 0.7], [5.0] + [0.3] * 4])
@pytest.mark.parametrize("bpm", [60.0, 93.7, 200.0])
def test_both_take_as_long(core: ctypes.CDLL, seconds: list[float], needs: list[float], bpm: float) -> None:
    known, grid = timing.JamTiming(), Grid(48_000, bpm, Signature(7, 8))
    for each in needs:
        known.needs(each)
    for each in seconds:
        if each > 0:
            known.took(each)
        else:
            known.listened(each < 0)
    assert native_pace(core, seconds, needs, bpm, 3.5, 2) == (known.lead_beats(grid), known.listen_every_bars(2, grid))


@pytest.mark.parametrize("bpm", [50.0, 93.7, 300.0])
def test_both_give_the_model_the_same_music(core: ctypes.CDLL, bpm: float) -> None:
    """The end of the player's music is faded, Segue's own is not."""
    noise = np.random.default_rng(3).uniform(-0.2, 0.2, (2, 24_000, 2)).astype(np.float32)
    wanted = input_filter.given(noise[0], 8000, bpm) + noise[1]
    np.testing.assert_allclose(native_heard(core, *noise, bpm, 8000), wanted, atol=2e-6)
    assert not np.allclose(wanted[-200:], noise[0, -200:] + noise[1, -200:])
