"""The clock between two machines, and the jitter buffer made of it."""

from __future__ import annotations

import pytest

from bridge.errors import OutOfRange
from bridge.far.certificates import FarSecretError
from plugin_host.console.screen import Screen
from plugin_host.relay.jitter_buffer import BufferChoice, JitterBuffer
from plugin_host.relay.link_clock import LinkClock
from plugin_host.relay.run import RelayOptions, run_relay

MS = 10**6
OFFSET = 10**15


def pinged(clock: LinkClock, at_ms: int, there_ms: int, back_ms: int) -> None:
    asked, now = at_ms * MS, (at_ms + there_ms + back_ms) * MS
    clock.answered(asked, asked + there_ms * MS + OFFSET, now)


def test_the_offset_is_that_of_the_quickest_ping() -> None:
    clock = LinkClock()
    assert not clock.known
    pinged(clock, 0, 10, 10)
    pinged(clock, 50, 300, 10)
    assert clock.ahead_ns == OFFSET
    assert clock.quickest_seconds == 0.02
    assert clock.jitter_seconds == pytest.approx(0.29)


def test_what_is_older_than_ten_seconds_does_not_count() -> None:
    clock = LinkClock()
    pinged(clock, 0, 500, 500)
    pinged(clock, 12_000, 5, 5)
    assert clock.jitter_seconds == 0.0


@pytest.mark.parametrize(("text", "seconds"), [("80ms", 0.08), ("0.25beats", 0.125), ("auto", 0.02), ("initial", 0.02)])
def test_lengths(text: str, seconds: float) -> None:
    clock = LinkClock()
    pinged(clock, 0, 10, 10)
    assert JitterBuffer(clock, BufferChoice.of(text)).seconds(120.0, 0.0) == pytest.approx(seconds)


def test_auto_follows_the_network_and_initial_only_at_the_beginning() -> None:
    clock = LinkClock()
    auto, initial = (JitterBuffer(clock, BufferChoice(mode)) for mode in ("auto", "initial"))
    initial.connected(1.0)
    pinged(clock, 0, 10, 10)
    assert initial.seconds(120.0, 1.0) == auto.seconds(120.0, 1.0) == pytest.approx(0.02)
    pinged(clock, 4000, 10, 60)
    assert initial.seconds(120.0, 5.0) == auto.seconds(120.0, 5.0) == pytest.approx(0.07)
    pinged(clock, 8000, 10, 110)
    assert auto.seconds(120.0, 9.0) == pytest.approx(0.12)
    assert initial.seconds(120.0, 9.0) == pytest.approx(0.07)
    pinged(clock, 30_000, 10, 10)
    assert auto.seconds(120.0, 31.0) == pytest.approx(0.02)
    assert initial.seconds(120.0, 31.0) == pytest.approx(0.07)


@pytest.mark.parametrize("wrong", ["", "fast", "2000ms", "-1ms", "xms", "5beats", "nanms"])
def test_what_a_buffer_cannot_be(wrong: str) -> None:
    with pytest.raises(OutOfRange, match="buffer"):
        BufferChoice.of(wrong)


def test_a_secret_that_cannot_be_ends_the_relay_at_once() -> None:
    pytest.importorskip("cryptography")
    with pytest.raises(FarSecretError, match="16 or more"):
        run_relay(RelayOptions("127.0.0.1:1", "short", 0, "auto"), Screen())
