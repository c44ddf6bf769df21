"""The sync thread, and real ports if a JACK server or a network namespace is available."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from bridge.time.transport import Grid
from bridge.time.units import Signature
from plugin_host.host.clock import PacedClock
from plugin_host.host.headless import HeadlessHost, Host
from plugin_host.host.timeline import Timeline
from plugin_host.playback.processor import Processor
from plugin_host.sync import midi_ports
from plugin_host.sync.jack_transport import BBT, quarters, signature_of
from plugin_host.sync.reading import Reading, SourceError
from plugin_host.sync.sync import Sync, SyncRequest
from plugin_host.sync.taps import OscTime, TapSource

RATE = 48_000


@pytest.fixture
def running() -> Iterator[Timeline]:
    host = Host(Processor(RATE), Timeline(Grid(RATE, 120.0)))
    runner = HeadlessHost(host, PacedClock(RATE))
    runner.start()
    yield host.timeline
    runner.stop()


def eventually(holds: object, seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:  # type: ignore[operator]
        time.sleep(0.01)
    return bool(holds())  # type: ignore[operator]


def test_what_is_reported_over_osc_leads_a_running_host(running: Timeline) -> None:
    osc, said = OscTime(), []
    sync = Sync(running, SyncRequest("osc", osc=osc), said.append)
    assert sync.start()
    osc.set(Reading(time.monotonic(), True, 33.0, 97.0, Signature(3, 4)))
    assert eventually(lambda: running.now.playing)
    assert running.now.tempo_bpm == pytest.approx(97.0, rel=0.05)
    assert running.now.position_beats > 32.5
    assert running.now.signature == Signature(3, 4)
    sync.stop()
    assert said == ["waiting for OSC to play", "following OSC at 97.00 bpm"]


def test_a_bare_tempo_leaves_place_and_playing_alone(running: Timeline) -> None:
    osc = OscTime()
    sync = Sync(running, SyncRequest("osc", osc=osc), lambda text: None)
    sync.start()
    osc.set(Reading(time.monotonic(), True, None, 140.0))
    assert eventually(lambda: abs(running.now.tempo_bpm - 140) < 0.5)
    assert not running.now.playing
    sync.stop()


def test_osc_time_grows_old_and_a_tap_does_not() -> None:
    osc, taps = OscTime(), TapSource()
    osc.set(Reading(10.0, True, 4.0, 120.0))
    assert osc.reading(11.0) is not None
    assert osc.reading(14.0) is None
    assert taps.reading(0.0) is None
    for instant in (0.0, 0.5, 1.0):
        taps.tap(instant)
    found = taps.reading(500.0)
    assert found is not None
    assert (found.tempo_bpm, found.beats) == (120.0, None)


def test_jack_counts_beats_of_the_lower_number() -> None:
    place = SimpleNamespace(bar=3, beat=2, tick=960, bar_start_tick=0.0, ticks_per_beat=1920, beats_per_bar=7,
                            beat_type=8, valid=BBT)  # fmt: skip
    assert quarters(place) == (14 + 1 + 0.5) / 2
    assert signature_of(place) == Signature(7, 8)
    place.bar_start_tick = 16 * 1920
    assert quarters(place) == (16 + 1 + 0.5) / 2
    place.beat_type = 3
    assert signature_of(place) is None


def test_midi_without_a_port_says_what_to_give(running: Timeline) -> None:
    with pytest.raises(SourceError, match="--midi-in"):
        Sync(running, SyncRequest("midi"), print)


def test_unknown_port_names_those_that_are_there() -> None:
    with pytest.raises(SourceError, match="'drum machine'; there are: Deluge, Launchpad"):
        midi_ports.opened(None, lambda: ["Deluge", "Launchpad"], "drum machine")
    opened = midi_ports.opened(lambda name: SimpleNamespace(name=name, close=print), lambda: ["Deluge 1"], "deluge")
    assert opened[0] == opened[1].name == "Deluge 1"


LINK = """
import sys, threading, time
from bridge.time.transport import Grid, Transport
from plugin_host.sync.host_time import HostTime
from plugin_host.sync.link_session import LinkSession
ours, theirs = LinkSession(120.0), LinkSession(97.0)
until = time.monotonic() + 15
while not (ours.peers and theirs.peers) and time.monotonic() < until:
    time.sleep(0.02)
began = time.monotonic()
apart, tempo = 9.0, 0.0
while (apart > 0.02 or abs(tempo - 128) > 0.1) and time.monotonic() < until:
    now = time.monotonic()
    host = HostTime(began, 0, 1 / 48000, Transport(True, 0, Grid(48000, 128.0)))
    theirs.lead(now, host)
    time.sleep(0.02)
    now = time.monotonic()
    reading = ours.reading(now)
    tempo = reading.tempo_bpm
    apart = abs((reading.beats - host.beats_at(now) + 2) % 4 - 2)
print(ours.peers, round(tempo, 2), apart < 0.02)
ours.close()
theirs.close()
"""


@pytest.mark.skipif(importlib.util.find_spec("link") is None, reason="LinkPython-extern is not installed")
def test_link_leads_another_peer_in_a_network_of_its_own() -> None:
    alone = ["unshare", "-n", "bash", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "ip link set lo up"], capture_output=True).returncode:
        pytest.skip("no network namespace of its own: Link would speak to the real network")
    command = [*alone, 'ip link set lo up; exec "$0" -c "$1"', sys.executable, LINK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["1", "128.0", "True"], done.stderr


@pytest.mark.skipif(importlib.util.find_spec("jack") is None, reason="JACK-Client is not installed")
def test_midi_clock_goes_through_real_ports(running: Timeline) -> None:
    """From one host through JACK's MIDI to another; skipped without a JACK server."""
    import jack

    try:
        patch_bay = jack.Client("segue-test-patch", no_start_server=True)
    except jack.JackOpenError:
        pytest.skip("no JACK server runs")
    follower = Timeline(Grid(RATE, 90.0))
    other = HeadlessHost(Host(Processor(RATE), follower), PacedClock(RATE))
    other.start()
    out = Sync(running, SyncRequest(midi_clock_out="virtual:segue-test-out"), print)
    into = Sync(follower, SyncRequest("midi", midi_in="virtual:segue-test-in"), print)
    ports = {port.name: port for port in patch_bay.get_ports(is_midi=True)}
    names = [next(name for name in ports if name.endswith(end)) for end in ("segue-test-out", "segue-test-in")]
    patch_bay.connect(*(ports[name] for name in names))
    out.start()
    into.start()
    running.play()
    assert eventually(lambda: follower.now.playing)
    assert eventually(lambda: abs(follower.now.tempo_bpm - 120) < 2)
    assert eventually(lambda: abs(follower.now.position_beats - running.now.position_beats) < 0.1)
    for each in (into, out, other):
        each.stop()
    patch_bay.close()
