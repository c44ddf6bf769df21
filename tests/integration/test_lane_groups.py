"""Commands sent together for lanes with differently filled rings take effect on one beat; the embedded model.

Regions take a while to be read: commands sent with them wait for them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import soundfile
from engine_rig import RATE, Engine, PlayingHost, wait_for

from bridge.control import messages
from plugin_host.client.client import EngineClient
from plugin_host.client.replies import CommandHeard

BPM = 240.0
LEADS = (0.4, 3.0)


@pytest.fixture(scope="module")
def riff(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("regions") / "riff.wav"
    t = np.arange(4 * RATE) / RATE
    notes = 220 * 2 ** (np.floor(4 * t) % 5 / 12)
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * np.cumsum(notes) / RATE), RATE, subtype="FLOAT")
    return str(path)


class LaneBand:
    """Lanes that play, one host's thread for all of them."""

    def __init__(self, port: int) -> None:
        self.client = EngineClient(port)
        self.client.connect(110)
        opened = [self.client.open_lane(-1, RATE) for _ in LEADS]
        self.lanes = [lane for lane, _ in opened]
        self.hosts = [PlayingHost(ring, BPM) for _, ring in opened]
        self.heard: list[CommandHeard] = []
        for lane, lead in zip(self.lanes, LEADS, strict=True):
            self.client.set(lane, "lead_seconds", lead)
            self.client.set(lane, "guard", 0)
            self.client.play(lane, 0.0)
        wait_for(lambda: self.client.lane_stats(self.lanes[1]).fill_seconds > 2.5, 60)

    def submit(self, *calls: Callable[[], object]) -> None:
        """Send all commands at once."""
        with ThreadPoolExecutor(len(calls)) as threads:
            for future in [threads.submit(call) for call in calls]:
                future.result()

    def call(self, row: messages.Message, *values: object) -> Callable[[], object]:
        return partial(self.client.call, row, *values, on_heard=self.heard.append)

    def render_until(self, count: int) -> list[CommandHeard]:
        end = time.monotonic() + 30
        while len(self.heard) < count and time.monotonic() < end:
            with ThreadPoolExecutor(len(self.hosts)) as threads:
                list(threads.map(lambda host: host.render(RATE // 4), self.hosts))
        return self.heard

    def close(self) -> None:
        for host, lane in zip(self.hosts, self.lanes, strict=True):
            host.close()
            self.client.close_lane(lane)
        self.client.close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    engine = Engine(["--model", "embedded", "--threads", "1"]).wait_ready()
    yield engine.port
    engine.process.kill()
    engine.process.wait()


@pytest.fixture
def band(port: int) -> Iterator[LaneBand]:
    made = LaneBand(port)
    yield made
    made.close()


@pytest.mark.parametrize("at", ["beat", "bar"])
def test_a_region_a_prompt_and_a_mute_sent_together_land_on_one_beat(band: LaneBand, riff: str, at: str) -> None:
    first, second = band.lanes
    m = messages
    with ThreadPoolExecutor(1) as playing:
        heard = playing.submit(band.render_until, 4)
        time.sleep(0.6)  # the hosts roll
        band.submit(
            band.call(m.LANE_MUTE, second, 1, at),
            band.call(m.REGION_FILE, first, "melody", riff, BPM, 0.0, at),
            band.call(m.REGION_FILE, second, "style", riff, BPM, 0.0, at),
            band.call(m.LANE_PROMPT, first, "dub", at),
        )
        found = heard.result()
    assert {(each.lane, each.address.rsplit("/", 1)[1]) for each in found} == {
        (second, "mute"), (first, "file"), (second, "file"), (first, "prompt"),
    }  # fmt: skip
    assert len({each.beats for each in found}) == 1, found


def test_a_region_that_fails_keeps_nobody_waiting(band: LaneBand, tmp_path) -> None:
    first, second = band.lanes
    missing = str(tmp_path / "none.wav")
    with ThreadPoolExecutor(1) as playing:
        heard = playing.submit(band.render_until, 2)
        time.sleep(0.6)
        with pytest.raises(Exception, match=r"none\.wav"):
            band.submit(
                band.call(messages.REGION_FILE, first, "melody", missing, BPM, 0.0, "bar"),
                band.call(messages.LANE_MUTE, first, 1, "bar"),
                band.call(messages.LANE_MUTE, second, 1, "bar"),
            )
        found = heard.result()
    assert len({each.beats for each in found}) == 1, found
