"""Slots, weights, presets and scenes over OSC, while a host plays; the embedded model."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from engine_rig import RATE, Engine, PlayingHost, wait_for

from bridge.control import messages
from bridge.errors import OutOfRange, PresetError
from plugin_host.client.client import EngineClient
from plugin_host.client.replies import CommandHeard


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EngineClient, int]]:
    """A client, and the engine's port."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGUE_PRESETS", str(tmp_path_factory.mktemp("presets")))
        engine = Engine(["--model", "embedded", "--threads", "1"]).wait_ready()
    try:
        with EngineClient(engine.port) as made:
            yield made, engine.port
    finally:
        engine.process.kill()
        engine.process.wait()


def weights(client: EngineClient, lane: int) -> list[float]:
    return [float(each) for each in client.lane_status(lane).prompt_weights.split()]


def test_a_story_of_prompts(served: tuple[EngineClient, int]) -> None:
    client, port = served
    lane, ring = client.open_lane(-1, RATE)
    host, sounds, heard = PlayingHost(ring, 240.0), list[np.ndarray](), list[CommandHeard]()
    texts = ("soft pads", "house, synth bass", "drums only", "solo piano")
    assert [client.slot(lane, number, text).prompts for number, text in enumerate(texts, 1)] == [1, 2, 3, 4]
    client.set(lane, "guard", 0)
    client.play(lane, 0.0)
    playing = threading.Thread(target=lambda: sounds.append(host.render(7 * RATE)))
    playing.start()
    try:
        assert client.morph(lane, [0, 2], 4, "bar", on_heard=heard.append).weights == "0 1"
        wait_for(lambda: heard)
        wait_for(lambda: weights(client, lane) == [0, 1])
        _turn(port, lane, 2.0)
        assert client.surface(lane, 0.5, 0.5).weights == "0.25 0.25 0.25 0.25"
        wait_for(lambda: weights(client, lane) == [0.25] * 4)
        path = Path(client.save_preset(lane, "four-corners", "in the middle"))
        assert path.name == "four-corners.toml"
        listed = client.preset_list()
        assert listed.list.splitlines()[0] == "four-corners: in the middle"
        assert client.preset_list(listed.presets - 1).list.startswith("warehouse: ")
        assert client.preset(lane, "porch").prompt.startswith("folk")
        wait_for(lambda: weights(client, lane) == [1])
        assert client.recall(lane, "four-corners", 2).prompt == "soft pads"
        wait_for(lambda: weights(client, lane) == [0.25] * 4)
        client.prompt(lane, "dub")
        wait_for(lambda: weights(client, lane) == [1])
    finally:
        playing.join()
    assert client.lane_stats(lane).late_blocks == 0
    assert np.isfinite(sounds[0]).all()
    host.close()
    client.close_lane(lane)


def _turn(port: int, lane: int, seconds: float) -> None:
    """A dial, 50 values a second, in the short form."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.connect(("127.0.0.1", port))
        for number in range(int(50 * seconds)):
            wire.send(messages.LANE_SURFACE.pack(0, lane, number % 50 / 49, 0.3))
            time.sleep(0.02)


def test_what_cannot_be_mixed_is_refused(served: tuple[EngineClient, int]) -> None:
    client, _ = served
    lane = client.open_lane(-1, RATE).lane
    with pytest.raises(OutOfRange, match="above 0"):
        client.morph(lane, [0, 0])
    with pytest.raises(OutOfRange, match="up to 4 styles"):
        client.morph(lane, [0, 0, 0, 0, 1], what="styles")
    with pytest.raises(OutOfRange, match="1 to 8"):
        client.slot(lane, 9, "x")
    with pytest.raises(PresetError, match="comes with Segue"):
        client.save_preset(lane, "porch")
    client.close_lane(lane)
