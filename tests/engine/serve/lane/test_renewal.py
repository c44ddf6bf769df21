"""How far ahead of the host a change takes effect: the ring's recent fall, and a little more."""

from __future__ import annotations

import pytest
from lane_rig import HandClock

from engine.serve.lane.renewal import LATELY_SECONDS, MARGIN_MOST_SECONDS, TURNED_MARGIN_SECONDS, Renewal


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def renewal(clock):
    return Renewal(clock)


def test_the_margin_is_what_the_ring_fell_while_it_was_filled_and_more(renewal, clock):
    assert renewal.margin_seconds(0.2, True) == 0.2
    renewal.filled(1.0, 1.1, 2.0)
    renewal.filled(0.9, 1.0, 2.0)  # 0.2 below what it held
    renewal.filled(0.86, 1.0, 2.0)
    assert renewal.fall_seconds == pytest.approx(0.24)
    assert renewal.margin_seconds(0.2, True) == pytest.approx(0.4)
    renewal.filled(0.1, 0.2, 2.0)
    assert renewal.margin_seconds(0.2, True) == MARGIN_MOST_SECONDS
    clock.seconds += LATELY_SECONDS + 1.0
    assert renewal.margin_seconds(0.2, True) == 0.2


def test_a_ring_that_is_full_and_one_that_was_cut_have_not_fallen(renewal):
    renewal.filled(1.9, 2.1, 2.0)
    renewal.filled(1.98, 2.1, 2.0)  # it was full in between
    assert renewal.fall_seconds == pytest.approx(0.02)
    renewal.made()
    renewal.filled(0.3, 0.4, 2.0)
    assert renewal.fall_seconds == pytest.approx(0.02)


def test_a_change_in_the_open_window_counts_from_what_it_left(renewal):
    renewal.made()
    renewal.made_in_window(0.4)
    renewal.filled(0.25, 0.3, 2.0)
    assert renewal.fall_seconds == pytest.approx(0.15)


def test_no_more_than_the_margin_is_made_while_a_dial_is_turned(renewal, clock):
    clock.seconds += 10.0
    renewal.made()
    renewal.made_in_window(0.3)
    assert not renewal.turning  # one change is no dial
    assert renewal.lead_seconds(2.0, 0.2) == 2.0
    clock.seconds += 0.2
    renewal.led()
    assert renewal.turning
    assert renewal.lead_seconds(2.0, 0.2) == TURNED_MARGIN_SECONDS
    clock.seconds += 1.1
    assert renewal.lead_seconds(2.0, 0.2) == 2.0


def test_a_change_is_led_on_where_little_lies_behind_the_margin(renewal):
    assert renewal.leads(True, -4800, 48_000)
    assert renewal.leads(True, 4800, 48_000)
    assert not renewal.leads(True, 9600, 48_000)
    assert not renewal.leads(False, -4800, 48_000)
    assert not renewal.leads(True, None, 48_000)
