"""The client against a real endpoint over real UDP, with a relay between that drops, duplicates and reorders
datagrams."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
import soundfile

from bridge.control import messages
from bridge.control.endpoint import Endpoint
from bridge.control.requests import LATER, Answer, Request
from bridge.errors import (
    LaneInUse,
    NoAnswer,
    NoSuchLane,
    NotAllowed,
    OutOfRange,
    RegionMissing,
    RegionTransfer,
    Unsupported,
    WireError,
)
from bridge.region.region import Region
from bridge.region.region_file import read_region
from bridge.region.transfer import Form, Transfers, format_numbers
from bridge.time.units import Signature
from plugin_host.client import replies
from plugin_host.client.client import EngineClient
from plugin_host.client.udp_connection import Event

FORM_FIELDS = ("samples", "channels", "rate_hz")


class StubEngine:
    """The engine's side: lanes that only store their settings, regions that are really read."""

    def __init__(self) -> None:
        self.came: list[Request] = []
        self.regions: dict[tuple[int, str], Region] = {}
        self.transfers = Transfers()
        self.pool = ThreadPoolExecutor(1)
        own: dict[messages.Message, Callable[[Request], Answer]] = {
            messages.STATUS: lambda r: ("ready", "embedded", "cpu", 1, 8, ""),
            messages.MODEL: lambda r: ("embedded", 32000, 1, 10.0, "text melody tempo", "MIT", "float32", ""),
            messages.MODEL_LIST: lambda r: ("embedded small", "embedded small melody"),
            messages.MODEL_LOAD: self._load,
            messages.MODEL_CANCEL: lambda r: None,
            messages.MODEL_UNLOAD: lambda r: (120.5,),
            messages.STATS: lambda r: (1.0, 300.0, 5.0, 0.5, 3.5, 1e9, 2.0),
            messages.PRESETS: lambda r: ("night-bus porch",),
            messages.QUIT: lambda r: None,
            messages.LANE_OPEN: self._open,
            messages.LANE_CLOSE: lambda r: None,
            messages.LANE_SET: lambda r: (r.text("name"), r.number("value"), 8.0, 0),
            messages.LANE_GET: lambda r: (r.text("name"), 2.5),
            messages.LANE_PROMPT: lambda r: (16.0, 1),
            messages.LANE_PRESET: lambda r: ("a prompt", 0.5, 0),
            messages.LANE_PLAY: lambda r: (16.0, 3, 77, 0, 0.5),
            messages.LANE_STOP: lambda r: (32.0,),
            messages.LANE_STATUS: lambda r: ("playing", 20.0, 3, 77, "melody", "a host plays it", "", "1", "1"),
            messages.LANE_STATS: lambda r: (2.0, 1.5, 0.3, 3.5, 0, 2, 0.4, "prompt 0.4 0.5 3", 1, 0, 7, 2.5, 0.8),
            messages.TRANSPORT: lambda r: None,
            messages.TAP: lambda r: (120.0, 3),
            messages.REGION_CLEAR: lambda r: (4.0, 0),
            messages.LANE_MUTE: lambda r: (float(r.whole("on")), 0),
            messages.LANE_RESEED: lambda r: (max(r.whole("seed"), 0), 4.0, 0),
            messages.LANE_CANCEL: lambda r: (r.whole("which"),),
            messages.LANE_SCHEDULED: lambda r: (1, "7 prompt 16"),
            messages.REGION_FILE: self._file,
            messages.REGION_BEGIN: self._begin,
            messages.REGION_CHUNK: self._chunk,
            messages.REGION_END: self._end,
        }
        self.handlers = {row.address: self._seen(handler) for row, handler in own.items()}

    def _seen(self, handler: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
        def note(request: Request) -> Answer:
            self.came.append(request)
            return handler(request)

        return note

    def count(self, row: messages.Message) -> int:
        return sum(request.message is row for request in self.came)

    def last(self, row: messages.Message) -> Request:
        return next(request for request in reversed(self.came) if request.message is row)

    def _open(self, request: Request) -> Answer:
        if request.whole("lane") == 3:
            raise LaneInUse("lane 3 is open for another host")
        return max(0, request.whole("lane")), "segue-1-0"

    def _load(self, request: Request) -> Answer:
        request.responder.progress(500, 1000, "reading 1 of 2 MB")
        return request.text("name"), 1.5, request.text("precision")

    def _place(self, request: Request, region: Region) -> tuple[object, ...]:
        self.regions[request.whole("lane"), region.role] = region
        return *region.understood(Signature()), 4.0, 0

    def _file(self, request: Request) -> Answer:
        def job() -> tuple[object, ...]:
            request.responder.progress(1, 2, "reading")
            place = request.number("bpm"), request.number("start_beats")
            return self._place(request, read_region(request.text("path"), request.text("role"), *place))

        return request.responder.answer_from(self.pool, job)

    def _begin(self, request: Request) -> Answer:
        form = Form(
            request.whole("lane"),
            request.text("role"),
            *(request.whole(name) for name in FORM_FIELDS),
            request.text("encoding"),
            request.number("bpm"),
            request.number("start_beats"),
        )
        transfer = self.transfers.begin(request.client, request.whole("transfer"), form, time.monotonic())
        return transfer.form.chunks, messages.CHUNK_BYTES

    def _chunk(self, request: Request) -> Answer:
        place = request.whole("transfer"), request.whole("chunk")
        self.transfers.chunk(request.client, *place, request.text("data"), time.monotonic())
        return None

    def _end(self, request: Request) -> Answer:
        transfer = self.transfers.finish(request.client, request.whole("transfer"), request.text("crc32"))
        missing = transfer.missing()
        if missing:
            return len(missing), format_numbers(missing), 0.0, 0, 0, 0.0, "", 0.0, 0

        def job() -> tuple[object, ...]:
            region = transfer.region()
            self.regions[transfer.form.lane, region.role] = region
            return 0, "", *region.understood(Signature()), 4.0, 0

        return request.responder.answer_from(self.pool, job)


class Line:
    """A UDP relay that loses, duplicates and delays datagrams of both directions, from a seed."""

    def __init__(self, port: int, seed: int, lose: float = 0.0, double: float = 0.0, hold: float = 0.0) -> None:
        self._chances = (lose, double, hold)
        self._rng = random.Random(seed)
        self._near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._near.bind(("127.0.0.1", 0))
        self._far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._far.connect(("127.0.0.1", port))
        for side in (self._near, self._far):
            side.settimeout(0.1)
            side.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        self.port = int(self._near.getsockname()[1])
        self._client = ("127.0.0.1", 1)
        self.lost = self.doubled = self.held = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(way,)) for way in (True, False)]
        for thread in self._threads:
            thread.start()

    def _run(self, out: bool) -> None:
        waiting: list[bytes] = []
        while not self._stop.is_set():
            try:
                datagram = self._take(out)
            except (TimeoutError, ConnectionError):
                batch, waiting = waiting, []
            else:
                batch = self._fate(datagram, waiting)
            for each in batch:
                self._far.send(each) if out else self._near.sendto(each, self._client)

    def _take(self, out: bool) -> bytes:
        if not out:
            return self._far.recv(65535)
        datagram, self._client = self._near.recvfrom(65535)
        return datagram

    def _fate(self, datagram: bytes, waiting: list[bytes]) -> list[bytes]:
        lose, double, hold = self._chances
        if self._rng.random() < lose:
            self.lost += 1
            return []
        if self._rng.random() < hold:
            self.held += 1
            waiting.append(datagram)
            return []
        late = waiting[::-1] if len(waiting) > 5 or self._rng.random() < 0.3 else []
        del waiting[: len(late)]
        if self._rng.random() < double:
            self.doubled += 1
            return [datagram, datagram, *late]
        return [datagram, *late]

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._near.close()
        self._far.close()


@pytest.fixture
def band() -> Iterator[tuple[StubEngine, Endpoint]]:
    players = StubEngine()
    with Endpoint(0, players.handlers, engine="test 1") as endpoint:
        yield players, endpoint
    players.pool.shutdown()


@pytest.fixture
def client(band: tuple[StubEngine, Endpoint]) -> Iterator[EngineClient]:
    with EngineClient(band[1].port, slow_timeout_seconds=10.0, timeout_seconds=10.0) as opened:
        yield opened


def music(seconds: float = 1.0, channels: int = 2) -> np.ndarray:
    noise = np.random.default_rng(1).standard_normal((int(seconds * 16000), channels))
    return (0.1 * noise).clip(-1, 1).astype(np.float32)


REPLIES = {
    replies.Hello: messages.HELLO,
    replies.Status: messages.STATUS,
    replies.ModelReply: messages.MODEL,
    replies.ModelNames: messages.MODEL_LIST,
    replies.LoadReply: messages.MODEL_LOAD,
    replies.Stats: messages.STATS,
    replies.OpenLane: messages.LANE_OPEN,
    replies.ParameterReply: messages.LANE_GET,
    replies.Set: messages.LANE_SET,
    replies.PresetReply: messages.LANE_PRESET,
    replies.PlacedReply: messages.LANE_PROMPT,
    replies.Reseed: messages.LANE_RESEED,
    replies.Scheduled: messages.LANE_SCHEDULED,
    replies.Play: messages.LANE_PLAY,
    replies.LaneStatus: messages.LANE_STATUS,
    replies.LaneStats: messages.LANE_STATS,
    replies.Tap: messages.TAP,
    replies.Understood: messages.REGION_FILE,
    replies.FoundTempo: messages.REGION_LISTEN,
}


@pytest.mark.parametrize("kind", REPLIES, ids=lambda kind: kind.__name__)
def test_replies_have_the_columns_of_the_table(kind: type) -> None:
    kinds = {"i": int, "f": float, "s": str}
    assert get_type_hints(kind) == {column.name: kinds[column.kind] for column in REPLIES[kind].reply}
    assert list(get_type_hints(kind)) == [column.name for column in REPLIES[kind].reply]


def test_every_call(band: tuple[StubEngine, Endpoint], client: EngineClient) -> None:
    players, _ = band
    assert client.ping() >= 0
    client.sync()
    assert client.status() == replies.Status("ready", "embedded", "cpu", 1, 8, "")
    assert client.model().abilities.split() == ["text", "melody", "tempo"]
    assert client.models().here.split() == ["embedded", "small"]
    answer: list[tuple[int, int, str]] = []
    loaded = client.load_model("small", "cuda", "float16", on_progress=lambda *step: answer.append(step))
    assert loaded == replies.LoadReply("small", 1.5, "float16")
    assert answer == [(500, 1000, "reading 1 of 2 MB")]
    client.cancel_load()
    assert client.unload_model() == 120.5
    assert client.stats().realtime_ratio == 3.5
    assert client.presets() == ["night-bus", "porch"]
    assert client.open_lane(-1, 44100) == replies.OpenLane(0, "segue-1-0")
    assert client.set(0, "cfg", 3.3, at="bar") == replies.Set("cfg", 3.3, 8.0, 0)
    assert players.last(messages.LANE_SET).at().word == "bar"
    assert client.get(0, "cfg").value == 2.5
    assert client.prompt(0, "warm lo-fi", at=16) == replies.PlacedReply(16.0, 1)
    assert players.last(messages.LANE_PROMPT).at().beats == 16
    assert client.preset(0, "porch").prompt == "a prompt"
    assert client.play(0, at="bar 4", bars=16) == replies.Play(16.0, 3, 77, 0, 0.5)
    assert client.stop(0) == 32.0
    assert client.lane_status(0).references == "melody"
    assert client.lane_stats(0).rolls == 2
    client.transport(0, True, 3.25, 120.1, 7, 8)
    assert client.tap(0, downbeat=True) == replies.Tap(120.0, 3)
    assert client.clear_region(0, "melody") == replies.PlacedReply(4.0, 0)
    assert client.mute(0, at="beat").beats == 1.0
    assert client.mute(0, on=False).beats == 0.0
    assert client.reseed(0, "bars 4", 9) == replies.Reseed(9, 4.0, 0)
    assert players.last(messages.LANE_RESEED).at().every_bars == 4
    assert client.cancel(0, 5) == 5
    assert client.scheduled(0) == replies.Scheduled(1, "7 prompt 16")
    client.close_lane(0)
    client.quit()
    transport = players.last(messages.TRANSPORT)
    assert (transport.number("bpm"), transport.whole("denominator"), transport.id) == (120.1, 8, 0)
    assert {r.message.address for r in players.came} == set(players.handlers) - {
        row.address for row in (messages.REGION_FILE, messages.REGION_BEGIN, messages.REGION_CHUNK, messages.REGION_END)
    }


def test_errors_come_back_as_what_they_are(client: EngineClient) -> None:
    with pytest.raises(LaneInUse, match="another host"):
        client.open_lane(3)
    with pytest.raises(OutOfRange, match="lane is 64"):
        client.open_lane(64)
    with pytest.raises(WireError):
        client.call(messages.LANE_SET, 0, "cfg")
    assert client.ping() >= 0


def test_what_the_engine_does_not_do() -> None:
    with Endpoint(0, {}) as endpoint, EngineClient(endpoint.port) as client, pytest.raises(Unsupported):
        client.status()


def test_nobody_there() -> None:
    """Without an engine a client raises NoAnswer and leaves no thread."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as spare:
        spare.bind(("127.0.0.1", 0))
        port = spare.getsockname()[1]
    before = threading.active_count()
    with pytest.raises(NoAnswer, match=f"{port}.*segue engine"), EngineClient(port, timeout_seconds=0.3):
        pass
    assert threading.active_count() == before


def test_an_engine_that_comes_late_is_found() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as spare:
        spare.bind(("127.0.0.1", 0))
        port = spare.getsockname()[1]
    client = EngineClient(port)
    late = threading.Timer(0.4, lambda: started.append(_started(port)))
    started: list[Endpoint] = []
    late.start()
    try:
        assert client.connect(timeout_seconds=20).engine == "late"
    finally:
        client.close()
        late.join()
        started[0].close()


def _started(port: int, engine: str = "late") -> Endpoint:
    endpoint = Endpoint(port, {}, engine=engine)
    endpoint.start()
    return endpoint


def test_a_secret_is_reported() -> None:
    """A client with the secret is accepted, one without is not."""
    with Endpoint(0, {}, secret="open sesame") as endpoint:
        with pytest.raises(NotAllowed):
            EngineClient(endpoint.port).connect()
        with EngineClient(endpoint.port, secret="open sesame") as client:
            assert client.ping() >= 0


def test_events_arrive(band: tuple[StubEngine, Endpoint]) -> None:
    events: list[Event] = []
    two = threading.Event()

    def on_event(event: Event) -> None:
        events.append(event)
        if len(events) == 1:
            raise RuntimeError("a fault of the listener")
        two.set()

    with EngineClient(band[1].port, on_event=on_event):
        band[1].notify(messages.EVENT_LANE, 2, "playing", 4.0, "")
        band[1].notify(messages.EVENT_ENGINE, "stopping", "bye")
        assert two.wait(10)
    assert events[0] == Event(messages.EVENT_LANE, {"lane": 2, "state": "playing", "beats": 4.0, "text": ""})
    assert events[1].message is messages.EVENT_ENGINE


def test_a_command_that_is_heard_is_reported_to_who_waits_for_it(band: tuple[StubEngine, Endpoint]) -> None:
    players, endpoint = band
    mine: list[replies.CommandHeard] = []
    all_of_them: list[replies.CommandHeard] = []
    two = threading.Event()

    def on_heard(heard: replies.CommandHeard) -> None:
        all_of_them.append(heard)
        if len(all_of_them) == 3:
            two.set()

    with EngineClient(endpoint.port, on_heard=on_heard) as client:
        client.prompt(0, "warm", at="bar", on_heard=mine.append)
        id, address = players.last(messages.LANE_PROMPT).id, messages.LANE_PROMPT.address
        endpoint.notify(messages.EVENT_HEARD, 0, id, messages.LANE_MUTE.address, 8.0, 0.5)
        for _ in range(2):
            endpoint.notify(messages.EVENT_HEARD, 0, id, address, 16.0, 1.25)
        assert two.wait(30)
    assert mine == [replies.CommandHeard(0, id, address, 16.0, 1.25)]
    assert [heard.beats for heard in all_of_them] == [8.0, 16.0, 16.0]


def test_leaving_takes_the_client_off_the_list(band: tuple[StubEngine, Endpoint]) -> None:
    with EngineClient(band[1].port, name="reaper"):
        assert [c.name for c in band[1].clients] == ["reaper"]
    assert band[1].clients == []


def test_slow_answers_are_waited_for_as_long_as_there_is_progress() -> None:
    seen: list[tuple[int, int, str]] = []

    def slow(request: Request) -> Answer:
        def job() -> tuple[object, ...]:
            for step in range(6):
                time.sleep(0.15)
                request.responder.progress(step, 6, "loading")
            return 0, "ring"

        return request.responder.answer_from(pool, job)

    with (
        ThreadPoolExecutor(1) as pool,
        Endpoint(0, {messages.LANE_OPEN.address: slow}) as endpoint,
        EngineClient(endpoint.port, slow_timeout_seconds=0.5) as client,
    ):
        answer = client.call(messages.LANE_OPEN, 0, on_progress=lambda *p: seen.append(p))
    assert answer == (0, "ring")
    assert seen[-1] == (5, 6, "loading")


def test_an_answer_that_never_comes() -> None:
    handlers = {messages.LANE_OPEN.address: lambda r: LATER}
    with Endpoint(0, handlers) as endpoint, EngineClient(endpoint.port, slow_timeout_seconds=0.3) as client:
        with pytest.raises(NoAnswer, match=messages.LANE_OPEN.address):
            client.open_lane()
        assert client.ping(timeout_seconds=10) >= 0


def test_calls_from_many_threads_get_their_own_answers(client: EngineClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(lambda n: client.set(0, "seed", n).value, range(200)))
    assert values == list(range(200))


def test_another_engine_on_the_same_port_is_noticed() -> None:
    first = _started(0, "first")
    port = first.port
    client = EngineClient(port)
    client.connect()
    client._connection._born_seconds = time.monotonic() - 1e6  # as if the first engine had run for days
    first.close()
    second = _started(port, "second")
    try:
        deadline = time.monotonic() + 20
        while not second.clients and time.monotonic() < deadline:
            time.sleep(0.05)
        assert client.restarts == 1
        assert len(second.clients) == 1
        assert client.ping(timeout_seconds=5) >= 0
    finally:
        client.close()
        second.close()


# -- regions ------------------------------------------------------------------------------------------


def test_a_region_by_path(band: tuple[StubEngine, Endpoint], client: EngineClient, tmp_path: Path, monkeypatch) -> None:
    soundfile.write(tmp_path / "riff.wav", music(2.0), 16000)
    monkeypatch.chdir(tmp_path)
    seen: list[tuple[int, int, str]] = []
    answer = client.region_file(1, "continue", "riff.wav", 120, 8, on_progress=lambda *p: seen.append(p))
    assert answer == replies.Understood(2.0, 2, 16000, 1.0, "", 4.0, 0)
    assert band[0].regions[1, "continue"].start_beats == 8
    assert seen == [(1, 2, "reading")]
    with pytest.raises(RegionMissing):
        client.region_file(1, "continue", tmp_path / "nothing.wav", 120, 8)


@pytest.mark.parametrize("encoding", ["s16", "f32"])
def test_a_region_in_chunks(band: tuple[StubEngine, Endpoint], client: EngineClient, encoding: str) -> None:
    audio = music()
    answer = client.region_audio(0, "melody", audio, 16000, 90.0, 4.0, encoding=encoding)
    assert answer == replies.Understood(1.0, 2, 16000, 0.375, "", 4.0, 0)
    assert np.abs(band[0].regions[0, "melody"].audio - audio).max() <= (0.6 / 32768 if encoding == "s16" else 0)
    assert band[0].count(messages.REGION_END) == 1


@pytest.mark.parametrize("seed", range(3))
def test_a_region_over_a_bad_line(band: tuple[StubEngine, Endpoint], seed: int) -> None:
    players, endpoint = band
    line = Line(endpoint.port, seed, lose=0.15, double=0.1, hold=0.2)
    audio = music(1.5)
    try:
        with EngineClient(line.port, timeout_seconds=20, slow_timeout_seconds=20) as client:
            answer = client.region_audio(0, "style", audio, 16000, 120, 0, encoding="f32")
            for number in range(20):
                assert client.set(0, "seed", number).value == number
    finally:
        line.close()
    assert answer.seconds == 1.5
    np.testing.assert_array_equal(players.regions[0, "style"].audio, audio)
    assert line.lost > 20
    assert line.doubled > 10
    assert line.held > 20
    assert players.count(messages.REGION_END) > 1
    assert players.count(messages.LANE_SET) == 20  # each once, whatever the relay did


def test_chunks_that_never_arrive_end_in_an_error(band: tuple[StubEngine, Endpoint]) -> None:
    players, _endpoint = band
    players.handlers[messages.REGION_CHUNK.address] = lambda request: None
    with (
        Endpoint(0, players.handlers) as deaf,
        EngineClient(deaf.port) as client,
        pytest.raises(RegionTransfer, match="do not reach"),
    ):
        client.region_audio(0, "style", music(), 16000, 120, 0)


def test_regions_that_are_refused_are_refused_in_chunks_too(client: EngineClient) -> None:
    for audio, words in ((0 * music(), "silent"), (music(0.1), "0.5 s"), (np.nan * music(), "NaN")):
        with pytest.raises(Exception, match=words):
            client.region_audio(0, "style", audio, 16000, 120, 0, encoding="f32")


def test_a_missing_lane_is_an_error_of_its_own() -> None:
    def refuse(request: Request) -> Answer:
        raise NoSuchLane("lane 5 is not open")

    with (
        Endpoint(0, {messages.LANE_PLAY.address: refuse}) as endpoint,
        EngineClient(endpoint.port) as client,
        pytest.raises(NoSuchLane, match="lane 5"),
    ):
        client.play(5)
