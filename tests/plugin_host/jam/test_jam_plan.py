"""What follows what in a jam, bar by bar: plans and modes without engine, clock or device."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest

from bridge.time.transport import Grid
from bridge.time.units import Signature
from plugin_host.jam.modes import make_mode
from plugin_host.jam.orders import Accompany, Answer, Order, Release, Relisten, Repeat, Stop, Stretch, Vary
from plugin_host.jam.plan import Moment, Plan
from plugin_host.jam.state import MODES, VERBS, Mode, Press, PressReply, Verb
from plugin_host.jam.timing import JamTiming

GRID = Grid(48_000, 120.0)


class Bars:
    """A plan that is run beat by beat; `ordered` has each order and the beat on which it was given."""

    def __init__(self, mode: Mode, bars: int | None = None, seconds: float = 0.2, grid: Grid = GRID) -> None:
        self.timing = JamTiming(seconds)
        self.plan, self.grid = Plan(make_mode(mode, bars, self.timing)), grid
        self.ordered: list[tuple[Fraction, Order]] = []
        self.phases: list[tuple[int, str]] = [(0, "listening")]
        self.beat = Fraction(0)

    def now(self, beats: Fraction, playing: bool = True) -> Moment:
        return Moment(beats, self.grid, self.timing.lead_beats(self.grid), playing)

    def beats(self, until_bar: int) -> Iterator[Fraction]:
        while self.beat < until_bar * self.now(self.beat).per_bar:
            yield self.beat
            bar = (self.beat // self.now(self.beat).per_bar + 1) * self.now(self.beat).per_bar
            self.beat = min(self.beat + 1, bar)

    def run(self, until_bar: int, playing: bool = True) -> Bars:
        for beat in self.beats(until_bar):
            before = self.plan.since_bar, self.plan.phase
            self.ordered += [(beat, order) for order in self.plan.tick(self.now(beat, playing))]
            if (self.plan.since_bar, self.plan.phase) != before:
                self.phases.append((self.plan.since_bar, self.plan.phase))
        return self

    def press(self, verb: Verb, at_beats: float, bars: int | None = None) -> PressReply:
        return self.plan.press(Press(verb, bars), Fraction(at_beats), self.now(Fraction(at_beats)))

    def orders(self, kind: type) -> list[Order]:
        return [order for _, order in self.ordered if isinstance(order, kind)]


def test_trade_changes_turns_on_bar_lines_and_listens_up_to_a_beat_before() -> None:
    jam = Bars("trade", 2).run(9)
    assert jam.phases == [(0, "listening"), (2, "playing"), (4, "listening"), (6, "playing"), (8, "listening")]
    assert jam.ordered == [
        (7, Answer(2, 2, Stretch(Fraction(0), Fraction(7)))),
        (23, Answer(6, 2, Stretch(Fraction(0), Fraction(23)))),
    ]


def test_a_slow_machine_goes_on_from_the_bar_line_before() -> None:
    jam = Bars("trade", 2, seconds=1.4).run(3)  # 3.1 beats
    assert jam.ordered == [(4, Answer(2, 2, Stretch(Fraction(0), Fraction(4))))]


def test_an_answer_that_begins_later_moves_its_turn() -> None:
    jam = Bars("trade", 2).run(2)
    jam.plan.moved(2, 3)
    assert jam.run(7).phases == [(0, "listening"), (3, "playing"), (5, "listening")]


def test_an_answer_that_begins_later_is_moved_even_if_its_bar_has_come() -> None:
    jam = Bars("trade", 2).run(2)
    jam.run(3)
    jam.plan.moved(2, 3)
    assert jam.plan.phase == "listening"
    assert jam.run(6).phases[-2:] == [(3, "playing"), (5, "listening")]


def test_accompany_listens_again_every_other_bar_to_whole_bars_up_to_now() -> None:
    jam = Bars("accompany", 2).run(9)
    assert jam.phases == [(0, "listening"), (2, "both")]
    assert jam.ordered == [
        (7, Accompany(2, Stretch(Fraction(3), Fraction(7)))),
        (15, Relisten(4, Stretch(Fraction(3), Fraction(15)))),
        (23, Relisten(6, Stretch(Fraction(7), Fraction(23)))),
        (31, Relisten(8, Stretch(Fraction(15), Fraction(31)))),
    ]


def test_a_machine_that_needs_longer_than_a_bar_listens_every_other_bar() -> None:
    jam = Bars("accompany", 1, seconds=2.4).run(12)  # a bar lasts two seconds
    assert [order.bar for order in jam.orders(Relisten)] == [3, 5, 7, 9, 11, 13]
    assert jam.timing.listen_every_bars(1, GRID) == 2


def test_continue_takes_over_when_the_player_stops_and_hands_back_when_she_plays() -> None:
    jam = Bars("continue").run(3)
    assert jam.phases == [(0, "listening")]
    jam.run(5, playing=False)
    assert jam.phases[1:] == [(4, "playing")]
    jam.run(6, playing=True)
    assert jam.phases[2:] == [(5, "listening")]
    assert jam.orders(Stop) == [Stop(5)]


def test_continue_does_not_take_over_from_a_player_who_has_not_begun_or_plays_on() -> None:
    assert Bars("continue").run(4, playing=False).phases == [(0, "listening")]
    jam = Bars("continue", seconds=1.9).run(2)
    jam.run(2)
    for beat in (8, 9):
        jam.plan.tick(jam.now(Fraction(beat), playing=beat != 8))
    assert not jam.plan.changes


def test_a_loop_comes_once_as_it_was_and_is_varied_from_then_on() -> None:
    jam = Bars("loop", 2).run(7)
    loop = Stretch(Fraction(0), Fraction(8))
    assert [order for _, order in jam.ordered] == [
        Repeat(2, 2, loop, own=False), Vary(4, loop, own=False), Vary(6, loop, own=False)
    ]  # fmt: skip


def test_keep_makes_the_pass_that_sounds_the_loop_and_undo_takes_it_back() -> None:
    jam = Bars("loop", 2).run(5)
    assert jam.press("keep", 21.0).accepted
    jam.run(9)
    kept = Stretch(Fraction(16), Fraction(24))
    assert [order for _, order in jam.ordered[2:]] == [Repeat(6, 2, kept), Vary(8, kept, own=True)]
    assert jam.press("undo", 33.0).at_bar == 9
    jam.run(12)
    assert jam.orders(Repeat)[-1] == Repeat(9, 2, Stretch(Fraction(0), Fraction(8)), own=False)


@pytest.mark.parametrize(("at", "bar"), [(3.9, 1), (4.4, 1), (5.9, 1), (6.1, 2)])
def test_a_press_means_the_nearest_bar(at: float, bar: int) -> None:
    jam = Bars("accompany", 1).run(1)
    reply = jam.press("play_stop", at)
    assert (reply.accepted, reply.at_bar, reply.at_beat) == (True, bar, 4.0 * bar)


def test_a_second_press_cancels_what_is_pending_and_the_turns_go_on() -> None:
    jam = Bars("trade", 4).run(1)
    assert jam.press("take_over", 5.0).text == "Segue takes over, at bar 3"
    assert jam.plan.pending == [("take_over", 2)]
    assert jam.press("take_over", 5.5).text == "cancelled: take over, at bar 3"
    assert jam.run(5).phases == [(0, "listening"), (4, "playing")]


def test_what_is_committed_is_not_cancelled() -> None:
    jam = Bars("trade", 4).run(1)
    jam.press("take_over", 5.0)
    jam.run(2)
    reply = jam.press("cancel", 7.5)
    assert (reply.accepted, reply.text) == (False, "too late to cancel: take over is committed, at bar 3")
    assert jam.run(3).phases == [(0, "listening"), (2, "playing")]


def test_hold_keeps_the_turn_and_gives_it_back() -> None:
    jam = Bars("trade", 2).run(1)
    assert jam.press("hold", 5.0).text == "the turn stays yours"
    assert jam.run(6).phases == [(0, "listening")]
    assert jam.press("hold", 24.5).text == "turns change again"
    assert jam.run(9).phases[1:] == [(7, "playing")]


def test_hold_repeats_the_last_bars_of_an_accompaniment_until_it_is_pressed_again() -> None:
    jam = Bars("accompany", 2).run(5)
    jam.press("hold", 20.0)
    jam.run(8)
    assert jam.orders(Repeat) == [Repeat(5, 0, Stretch(Fraction(12), Fraction(20)))]
    jam.press("hold", 32.0)
    jam.run(9)
    assert jam.orders(Release) == [Release(8)]


def test_again_repeats_the_last_answer() -> None:
    jam = Bars("trade", 2).run(5)
    jam.press("again", 20.2)
    jam.run(8)
    assert jam.orders(Repeat) == [Repeat(5, 2, Stretch(Fraction(8), Fraction(16)))]
    assert jam.phases[-2:] == [(5, "playing"), (7, "listening")]


def test_stop_and_play_begin_anew() -> None:
    jam = Bars("trade", 2).run(3)
    jam.press("play_stop", 12.0)
    jam.run(6)
    assert jam.phases[2:] == [(3, "stopped")]
    jam.press("play_stop", 24.0)
    assert jam.run(10).phases[3:] == [(6, "listening"), (8, "playing")]


def test_record_gives_the_player_so_many_bars_from_the_nearest_one() -> None:
    jam = Bars("trade", 4).run(1)
    assert jam.press("record", 4.3, bars=2).at_bar == 1
    assert jam.run(4).phases == [(0, "listening"), (1, "listening"), (3, "playing")]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("verb", VERBS)
def test_every_press_is_answered_at_any_time_in_any_mode(mode: Mode, verb: Verb) -> None:
    for before in range(9):
        jam = Bars(mode, 2).run(before)
        for beat in (0.1, 1.6, 3.9):
            reply = jam.press(verb, 4 * before + beat)
            assert reply.text
        jam.run(before + 6)
        changes = [each.bar for each in jam.plan.changes]
        assert changes == sorted(changes)


def test_bars_of_seven_eighths_are_kept() -> None:
    grid = Grid(48_000, 140.0, Signature(7, 8))
    jam = Bars("trade", 2, grid=grid).run(7)
    assert jam.phases == [(0, "listening"), (2, "playing"), (4, "listening"), (6, "playing")]
    assert jam.ordered[0] == (Fraction(13, 2), Answer(2, 2, Stretch(Fraction(0), Fraction(13, 2))))


def test_after_gaps_the_interval_is_at_most_four_times_and_soon_itself_again() -> None:
    timing = JamTiming()
    timing.took(0.2)
    for _ in range(5):
        timing.listened(fell_behind=True)
    assert timing.listen_every_bars(2, GRID) == 8
    timing.listened(fell_behind=False)
    timing.listened(fell_behind=False)
    assert timing.listen_every_bars(2, GRID) == 2


def test_a_rehearsed_generation_moves_the_first_listening() -> None:
    timing = JamTiming()
    timing.rehearsed(4.0)
    assert timing.lead_beats(GRID) == 22, "1.3 * 2 * 4 s, and 0.15 s, are 21.1 beats of 120 bpm"


def test_the_engine_is_given_the_time_that_it_wants() -> None:
    """It begins only what comes so far ahead, however quickly it makes music in the end."""
    timing = JamTiming()
    timing.took(0.2)
    timing.needs(0.7)
    assert timing.lead_beats(GRID) == 2, "0.7 s, and 0.15 s, are 1.7 beats of 120 bpm"
    timing.took(0.7)
    assert timing.lead_beats(GRID) == 3, "1.3 * 0.7 s, and 0.15 s, are 2.1 beats"


def test_the_lead_has_what_the_engine_keeps_in_hand_and_grows_when_that_was_not_enough() -> None:
    timing = JamTiming()
    timing.took(0.3)
    assert timing.lead_beats(GRID) == 2, "1.3 * 0.3 s, and 0.15 s, are 1.1 beats"
    assert timing.listen_every_bars(1, GRID) == 1
    for allowed_beats in range(2, 6):
        timing.was_late(allowed_beats / 2)
        assert timing.lead_beats(GRID) > allowed_beats
