"""Models are loaded and unloaded while an engine plays: two processes, real UDP, real shared memory, tiny real
checkpoints."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from engine_rig import GOLDEN, RATE, Engine, PlayingHost, unpack, wait_for
from session_rig import SessionRig

from bridge.control import messages
from bridge.errors import LoadOvertaken, ModelError, NotReady, SegueError, Unsupported
from plugin_host.client.client import EngineClient
from plugin_host.client.udp_connection import Event

BPM = 240.0  # a bar of 4/4 lasts a second
NAMES = {"text": "musicgen-small", "melody": "musicgen-melody"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with tiny models under published names, which the engine searches; `stereo` is a folder."""
    folder = tmp_path_factory.mktemp("published")
    for kind in ("text", "melody", "stereo"):
        unpack(GOLDEN / "audiocraft" / kind / "ckpt", folder / NAMES.get(kind, kind))
    before = os.environ.get("SEGUE_MODELS")
    os.environ["SEGUE_MODELS"] = str(folder)
    yield folder
    os.environ.pop("SEGUE_MODELS")
    if before is not None:
        os.environ["SEGUE_MODELS"] = before


@pytest.fixture(scope="module")
def engine(models: Path, start_engine: Callable[..., Engine]) -> Engine:
    return start_engine("--model", "small").wait_ready()


class Guest:
    """A client that plays one lane and records its audio and events."""

    def __init__(self, engine: Engine, bpm: float = BPM) -> None:
        self.events: list[Event] = []
        self.client = EngineClient(engine.port, on_event=self.events.append)
        self.client.connect(30)
        self.lane, ring = self.client.open_lane(-1, RATE)
        self.host = PlayingHost(ring, bpm)

    def play(self) -> None:
        self.client.play(self.lane, 0.0)

    def during(self, work: Callable[[], object], seconds: float = 0.5) -> np.ndarray:
        """The audio heard during an action, and for this many seconds after it."""
        heard: list[np.ndarray] = []
        done = threading.Event()

        def render() -> None:
            while not done.is_set():
                heard.append(self.host.render(RATE // 8))
            heard.append(self.host.render(int(seconds * RATE)))

        rendering = threading.Thread(target=render)
        rendering.start()
        try:
            work()
        finally:
            done.set()
            rendering.join()
        return np.concatenate(heard)

    def render(self, seconds: float) -> np.ndarray:
        """The audio heard in this many seconds."""
        return self.host.render(int(seconds * RATE))

    def play_from_the_bar(self) -> np.ndarray:
        """Play from the next bar line: the first quarter of a second from there."""
        start = self.host.transport.grid.sample_at(self.client.play(self.lane, "bar").start_beats)
        self.host.render(start - self.host.transport.position_samples)
        return self.render(0.25)

    def events_of(self, row: messages.Message) -> list[tuple[object, ...]]:
        return [tuple(event.values.values()) for event in self.events if event.message is row]

    def close(self) -> None:
        self.host.close()
        self.client.close_lane(self.lane)
        self.client.close()


@pytest.fixture
def guest(engine: Engine) -> Iterator[Guest]:
    made = Guest(engine)
    made.client.load_model("small")
    yield made
    made.close()


def test_models_are_listed_and_described(guest: Guest) -> None:
    names = guest.client.models()
    assert {"embedded", "small", "melody"} <= set(names.here.split())
    assert "medium" not in names.here.split()
    assert {"embedded", "medium", "large"} <= set(names.known.split())
    model = guest.client.model()
    assert (model.model, model.precision, model.license) == ("small", "int8", "CC-BY-NC-4.0")
    assert guest.client.status().model == "small"


def test_a_model_takes_over_on_a_bar_line_without_a_hole(guest: Guest) -> None:
    client, progress = guest.client, []
    client.prompt(guest.lane, "sad jazz")
    guest.play()
    loaded = []
    heard = guest.during(
        lambda: loaded.append(client.load_model("melody", on_progress=lambda *step: progress.append(step))), 2.0
    )
    assert np.isfinite(heard).all()  # not a sample was missed
    assert guest.host.reader.counters.late_blocks == 0
    assert loaded[0].model == client.status().model == client.model().model == "melody"
    assert "melody" in client.model().abilities.split()
    stages = [text.split(" ")[0] for _, _, text in progress]
    assert [stages[0], stages[-1]] == ["reading", "warming"]
    assert all(0 <= done <= total for done, total, _ in progress)
    (took_over,) = [row for row in guest.events_of(messages.EVENT_LANE) if "goes on with" in str(row[3])]
    written = float(str(took_over[2]))
    assert took_over[1] == "playing"
    assert -0.021 * BPM / 60 <= (written + 2) % 4 - 2 <= 0  # the frame that holds a bar line
    assert client.lane_status(guest.lane).generation == 2
    assert ("ready", "melody") in [row[:2] for row in guest.events_of(messages.EVENT_MODEL)]


def test_lanes_change_over_together_each_on_its_own_bar_line(guest: Guest, engine: Engine) -> None:
    other = Guest(engine, bpm=190.0)
    try:
        guest.play()
        other.play()
        heard: list[np.ndarray] = []
        beside = threading.Thread(target=lambda: heard.append(other.during(done.wait, 1.5)))
        done = threading.Event()
        beside.start()
        heard.append(guest.during(lambda: guest.client.load_model("melody"), 1.5))
        done.set()
        beside.join()
        assert all(np.isfinite(sound).all() for sound in heard)
        rows = [row for row in guest.events_of(messages.EVENT_LANE) if "goes on with melody" in str(row[3])]
        assert {row[0] for row in rows} == {guest.lane, other.lane}
        for row, bpm in ((row, BPM if row[0] == guest.lane else 190.0) for row in rows):
            assert -0.021 * bpm / 60 <= (float(str(row[2])) + 2) % 4 - 2 <= 1e-6
    finally:
        other.close()


def test_a_model_in_stereo_goes_on_from_a_region_in_stereo(guest: Guest, models: Path, tmp_path: Path) -> None:
    t = np.arange(2 * RATE) / RATE
    region = np.stack([0.4 * np.sin(2 * np.pi * 220 * t), 0.1 * np.sin(2 * np.pi * 331 * t)], axis=1)
    soundfile.write(tmp_path / "region.wav", region, RATE, subtype="FLOAT")
    client = guest.client
    assert client.region_file(guest.lane, "continue", tmp_path / "region.wav", BPM, 0.0).channels == 2
    guest.play()
    mono = guest.render(0.5)
    assert np.array_equal(mono[:, 0], mono[:, 1])
    heard = guest.during(lambda: client.load_model(str(models / "stereo")))
    assert np.isfinite(heard).all()
    assert client.model().channels == 2
    wide = guest.render(0.5)
    assert abs(wide[:, 0] - wide[:, 1]).max() > 1e-3
    client.stop(guest.lane)
    guest.render(0.3)
    wide = guest.play_from_the_bar()  # the prompt is the region's two channels
    assert abs(wide[:, 0] - wide[:, 1]).max() > 1e-3


def test_a_load_that_fails_leaves_everything_as_it_was(guest: Guest, models: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    cut.mkdir()
    for source in (models / NAMES["text"]).iterdir():
        data = source.read_bytes()
        (cut / source.name).write_bytes(data[: len(data) // 2] if source.name == "state_dict.bin" else data)
    client = guest.client
    refused: dict[str, SegueError] = {}

    def refuse() -> None:
        wrong = {
            "cut": str(cut), "nowhere": str(tmp_path / "nowhere"), "up": "../../../etc", "file": "/etc/passwd",
            "long": "x" * 500, "signs": "🎹 ../鼓\t%s {}", "empty": "", "device": "small",
        }  # fmt: skip
        for name, given in wrong.items():
            with pytest.raises(SegueError) as fault:
                client.load_model(given, device="tpu:9" if name == "device" else "")
            refused[name] = fault.value

    guest.play()
    heard = guest.during(refuse)
    assert np.isfinite(heard).all()
    assert {type(fault) for fault in refused.values()} == {ModelError}
    assert "state_dict.bin" in str(refused["cut"])
    assert "tpu:9" in str(refused["device"])
    status = client.status()
    assert (status.state, status.model, status.text) == ("ready", "small", "")
    assert client.lane_status(guest.lane).generation == 1


def test_messages_that_are_too_long_or_no_text_reach_nobody(guest: Guest, engine: Engine) -> None:
    def text(word: bytes) -> bytes:
        return word + bytes(4 - len(word) % 4)

    head = text(messages.MODEL_LOAD.address.encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for tags, value in ((b",is", text(b"x" * 10_000)), (b",is", text(b"\xff\xfe../\x01")), (b",ii", bytes(4))):
            stranger.sendto(head + text(tags) + struct.pack(">i", 5) + value, ("127.0.0.1", engine.port))
    guest.client.sync()
    assert guest.client.status().model == "small"
    assert engine.process.poll() is None


def test_a_later_load_overtakes_an_earlier_one(guest: Guest, engine: Engine, tmp_path: Path) -> None:
    slow = unpack(GOLDEN / "audiocraft" / "melody" / "ckpt", tmp_path / "slow")
    began, faults = threading.Event(), []

    def first() -> None:
        with EngineClient(engine.port) as other, pytest.raises(LoadOvertaken) as fault:
            other.load_model(str(slow), on_progress=lambda *step: began.set())
        faults.append(str(fault.value))

    thread = threading.Thread(target=first)
    thread.start()
    assert began.wait(30)
    assert guest.client.load_model("melody").model == "melody"
    thread.join()
    assert "melody was asked for instead" in faults[0]
    assert guest.client.status().model == "melody"


def test_a_load_can_be_cancelled(guest: Guest, engine: Engine, tmp_path: Path) -> None:
    slow = unpack(GOLDEN / "audiocraft" / "text" / "ckpt", tmp_path / "slow")
    with pytest.raises(LoadOvertaken, match="cancelled"):
        guest.client.load_model(str(slow), on_progress=lambda *step: engine_cancel(engine))
    wait_for(lambda: guest.client.status().text == "")
    assert guest.client.status().model == "small"


def engine_cancel(engine: Engine) -> None:
    """Cancel from another client: the loading client must not wait in its receiving thread."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.sendto(messages.MODEL_CANCEL.pack(0), ("127.0.0.1", engine.port))


def test_unloading_fades_and_frees_and_a_model_can_be_loaded_again(guest: Guest) -> None:
    client = guest.client
    guest.play()
    guest.render(0.5)
    heard = guest.during(client.unload_model)
    sounding = int(np.isfinite(heard[:, 0]).sum())
    assert 0 < sounding < len(heard)
    assert np.isnan(heard[sounding:]).all()
    assert abs(heard[sounding - 1]).max() <= 0.1 * np.nanmax(abs(heard))
    assert client.status().state == "empty"
    for call in (lambda: client.play(guest.lane), client.model, lambda: client.open_lane(-1)):
        with pytest.raises(NotReady, match="no model"):
            call()
    client.set(guest.lane, "temperature", 0.9)  # the lane's settings stay
    assert client.load_model("small").model == "small"
    assert client.get(guest.lane, "temperature").value == pytest.approx(0.9)
    assert np.isfinite(guest.play_from_the_bar()).all()


def test_what_the_new_model_cannot_follow_is_named(guest: Guest, models: Path, tmp_path: Path) -> None:
    t = np.arange(RATE) / RATE
    soundfile.write(tmp_path / "tune.wav", 0.3 * np.sin(2 * np.pi * 220 * t), RATE, subtype="FLOAT")
    client = guest.client
    client.load_model("melody")
    client.region_file(guest.lane, "melody", tmp_path / "tune.wav", BPM, 0.0)
    with pytest.raises(Unsupported, match="style"):
        client.region_file(guest.lane, "style", tmp_path / "tune.wav", BPM, 0.0)
    guest.play()
    heard = guest.during(lambda: client.load_model("small"))
    assert np.isfinite(heard).all()
    assert any("cannot follow melody" in str(row[3]) for row in guest.events_of(messages.EVENT_LANE))
    assert client.lane_status(guest.lane).references == "melody"
    assert client.lane_status(guest.lane).state == "playing"


def test_a_new_engine_is_asked_for_the_model_that_played(start_engine: Callable[..., Engine], models: Path) -> None:
    first = start_engine("--model", "small").wait_ready()
    rig = SessionRig(first)
    try:
        rig.play(0)
        rig.client.load_model("melody")
        first.process.kill()
        first.process.wait()
        rig.look_until(lambda: rig.session.lost)
        held = rig.processor.counters.played_samples
        start_engine("--model", "small", port=first.port)
        rig.look_until(lambda: rig.said("engine back after"), 110)
        assert rig.said("asked for melody again")
        assert rig.client.status().model == "melody"
        rig.look_until(lambda: rig.processor.counters.played_samples > held + RATE // 2)
    finally:
        rig.close()


def test_an_engine_without_a_model_waits_for_one_and_quits_in_the_middle_of_a_load(
    start_engine: Callable[..., Engine], models: Path, tmp_path: Path
) -> None:
    slow = unpack(GOLDEN / "audiocraft" / "melody" / "ckpt", tmp_path / "slow")
    engine = start_engine("--model", "none").wait_ready()
    began = threading.Event()
    with EngineClient(engine.port) as client:
        assert client.status()[:2] == ("empty", "")
        with pytest.raises(NotReady, match="no model"):
            client.open_lane(-1)

        def load() -> None:
            with EngineClient(engine.port) as other, pytest.raises(SegueError):
                other.load_model(str(slow), on_progress=lambda *step: began.set())

        thread = threading.Thread(target=load)
        thread.start()
        assert began.wait(60)
        began_seconds = time.monotonic()
        client.quit()
        assert engine.process.wait(30) == 0, engine.log
        assert time.monotonic() - began_seconds < 25
        thread.join()
    assert "Traceback" not in engine.log
    assert engine.end(signal.SIGTERM) == 0
