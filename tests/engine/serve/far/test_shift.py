"""Where a host elsewhere is taken to be."""

from bridge.time.transport import Grid, Transport
from engine.serve.far.shift import shifted

RATE, SECOND = 48_000, 10**9


def test_a_host_that_plays_is_ahead_by_the_age_of_its_words_and_the_buffer() -> None:
    host = Transport(True, 1000, Grid(RATE))
    moved, at_ns = shifted(host, 5 * SECOND, 0.05, 5 * SECOND + SECOND // 50)
    assert moved == host.advanced(int(0.07 * RATE))
    assert at_ns == 5 * SECOND + SECOND // 50 + SECOND // 20


def test_it_does_not_go_on_for_ever_without_news() -> None:
    host = Transport(True, 0, Grid(RATE))
    assert shifted(host, 0, 0.0, 100 * SECOND)[0].position_samples == RATE


def test_one_that_stands_or_waits_stays() -> None:
    standing, waiting = Transport(False, 7, Grid(RATE)), Transport(True, 7, Grid(RATE))
    assert shifted(standing, 0, 0.3, SECOND) == (standing, 0)
    assert shifted(waiting, 0, -1.0, SECOND) == (waiting, 0)


def test_it_goes_through_the_end_of_its_loop() -> None:
    host = Transport(True, 2 * RATE - 100, Grid(RATE, 120.0), (2.0, 4.0), 6)
    moved, _ = shifted(host, 0, 0.01, 0)
    assert (moved.position_samples, moved.seek_id) == (RATE + 380, 7)
