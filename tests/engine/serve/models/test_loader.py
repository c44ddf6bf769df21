"""The loading thread: memory, what is freed, what is cancelled. A real generate loop runs beside it."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lane_rig import RigHost, make_model

from bridge.control.status_text import is_loading
from bridge.errors import LoadOvertaken, ModelError, SegueError
from bridge.system.clock import Clock
from engine.model import LoadedModel
from engine.serve.lane.generate_loop import GenerateLoop
from engine.serve.models import load
from engine.serve.models import memory as models_memory
from engine.serve.models.loader import Loader
from engine.serve.models.progress import Job, progress_text
from engine.serve.state import EMPTY, READY, EngineState, Hot, Wanted


class LoadAnswer:
    """The answer to a request; a stand-in for `Responder`."""

    def __init__(self) -> None:
        self.values: tuple[object, ...] | None = None
        self.fault: SegueError | None = None
        self.done = threading.Event()

    def ok(self, *values: object) -> None:
        if not self.done.is_set():
            self.values = values
            self.done.set()

    def error(self, fault: SegueError) -> None:
        if not self.done.is_set():
            self.fault = fault
            self.done.set()

    def progress(self, done: int, total: int, text: str) -> None:
        assert 0 <= done <= total


class LoaderRig:
    """A loader beside a generate loop that plays a lane on a first model; `make` is what loads.

    Its `ModelEvents` are the rig's.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = RigHost(GenerateLoop(make_model(), Clock()))  # it has threads: a real clock
        self.events: list[tuple[str, str, str]] = []
        self.state = EngineState()
        self.state.runs(self.host.generate_loop)
        self.loader = Loader(self.state, 1, None, 0.0, self, Clock())
        self.make: Callable[[str], LoadedModel] = lambda name: make_model(name, 5, 24)
        self.options: dict[str, Any] = {}  # the arguments of the last load
        monkeypatch.setattr(load, "load_model", self._load)
        monkeypatch.setattr(load, "warm_up", lambda model, progress: (30, 0.05, 9.0))
        first = self.host.generate_loop.model
        assert first is not None
        self.state.plays(Hot(Wanted("first"), first, "cpu", "float32", 30, 0.05, 9.0))
        self.state.change(READY, "")
        self.host.publish()
        self.host.play()
        self._thread = threading.Thread(target=self.host.generate_loop.run)
        self._thread.start()
        self.loader.thread.start()

    def _load(self, name: str, *_: object, **options: Any) -> LoadedModel:
        self.options = options
        return self.make(name)

    def model_changed(self, *event: str) -> None:
        self.events.append(event)

    def engine_changed(self, state: str, text: str) -> None:
        self.state.change(state, text)

    def start_failed(self, text: str) -> None:
        raise AssertionError("nothing here loads the start model")

    def ask(self, wanted: Wanted | None) -> LoadAnswer:
        answer = LoadAnswer()
        self.loader.put(Job(wanted, answer))  # type: ignore[arg-type]
        return answer

    def close(self) -> None:
        self.loader.close()
        self.host.generate_loop.stop()
        self._thread.join()
        self.host.reader.close()


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoaderRig]:
    made = LoaderRig(monkeypatch)
    yield made
    made.close()


def wait(answer: LoadAnswer) -> LoadAnswer:
    assert answer.done.wait(60)
    return answer


def memory(monkeypatch: pytest.MonkeyPatch, needs: dict[str, float], total_mb: float, state: EngineState) -> None:
    """A machine with `total_mb` of memory, part of which the loaded model uses."""
    monkeypatch.setattr(models_memory, "need_mb", lambda name, size, t5=None: needs[name])
    monkeypatch.setattr(load, "need_mb", lambda name, size, t5=None: needs[name])
    taken = SimpleNamespace(mb=lambda: needs[state.now.hot.wanted.name] if state.now.hot else 0.0)
    monkeypatch.setattr(models_memory, "free_mb", lambda device, limit=0.0: total_mb - taken.mb())


def test_the_old_model_is_freed_when_another_has_taken_over(rig: LoaderRig) -> None:
    old = weakref.ref(rig.host.generate_loop.model.lm)
    assert wait(rig.ask(Wanted("second"))).values[0] == "second"
    assert rig.state.now.hot.model is rig.host.generate_loop.model
    gc.collect()
    assert old() is None


@pytest.mark.parametrize(
    ("precision", "dtype", "or_float32"), [("auto", torch.int8, True), ("int8", torch.int8, False)]
)
def test_8_bits_are_asked_for_and_only_insisted_on_by_name(
    rig: LoaderRig, precision: str, dtype: torch.dtype, or_float32: bool
) -> None:
    assert wait(rig.ask(Wanted("small", precision=precision))).fault is None
    assert (rig.options["dtype"], rig.options["or_float32"]) == (dtype, or_float32)


def test_where_both_fit_the_old_one_plays_until_the_new_one_does(
    rig: LoaderRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(monkeypatch, {"first": 300.0, "second": 600.0}, 1000.0, rig.state)
    assert wait(rig.ask(Wanted("second"))).fault is None
    assert [event for event in rig.events if event[0] == "unloaded"] == []
    assert "failed" not in rig.host.states
    assert "ended" not in rig.host.states


def test_where_both_do_not_fit_the_old_one_goes_first_and_says_so(
    rig: LoaderRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(monkeypatch, {"first": 500.0, "second": 800.0}, 1000.0, rig.state)
    old = weakref.ref(rig.host.generate_loop.model.lm)
    gone: list[bool] = []

    def make(name: str) -> LoadedModel:
        gc.collect()
        gone.append(old() is None)
        return make_model(name, 5, 24)

    rig.make = make
    assert wait(rig.ask(Wanted("second"))).values[0] == "second"
    assert gone == [True]  # before the new one was read
    assert any(state == "note" and "first goes first" in text for state, _, text in rig.events)
    assert ("unloaded", "first", "") in rig.events
    assert rig.host.lane.controller.renderer is None
    assert rig.state.now.name == READY


def test_what_does_not_fit_alone_is_refused_and_what_plays_stays(
    rig: LoaderRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(monkeypatch, {"first": 300.0, "huge": 5000.0}, 1000.0, rig.state)
    fault = wait(rig.ask(Wanted("huge"))).fault
    assert isinstance(fault, ModelError)
    assert "5000 MB" in str(fault)
    assert rig.state.now.hot.wanted.name == "first"
    assert rig.host.lane.controller.renderer is not None
    assert rig.state.now.name == READY


def test_a_refusal_for_memory_tells_of_the_users_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_memory, "resident_mb", lambda: 240.0)
    loader = Loader(EngineState(), 1, None, 100.0, None, Clock())
    limit = r"152 MB of memory, 0 MB are free \(--memory-mb allows 100 MB, the process has 240 MB already\)"
    with pytest.raises(ModelError, match=limit):
        loader.make_room(Wanted("embedded"), 152.0)
    assert models_memory.free_text(-3.0, 0.0) == "0 MB are free"


def test_the_model_that_plays_is_answered_at_once(rig: LoaderRig) -> None:
    def never(name: str) -> LoadedModel:
        raise AssertionError("it is there already")

    rig.make = never
    assert wait(rig.ask(Wanted("first"))).values[0] == "first"


def test_later_requests_overtake_and_an_unload_ends_it_all(rig: LoaderRig) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def make(name: str) -> LoadedModel:
        if name == "slow":
            inside.set()
            assert go_on.wait(60)
        return make_model(name, 5, 24)

    rig.make = make
    slow = rig.ask(Wanted("slow"))
    assert inside.wait(60)
    never, last = rig.ask(Wanted("never")), rig.ask(Wanted("last"))
    for overtaken, by in ((slow, "never"), (never, "last")):
        assert isinstance(wait(overtaken).fault, LoadOvertaken)  # at once, though the thread is still loading
        assert f"{by} was asked for instead" in str(overtaken.fault)
    go_on.set()
    assert wait(last).values[0] == "last"
    assert wait(rig.ask(None)).values[0] > 0
    assert rig.state.now.name == EMPTY
    assert rig.host.generate_loop.model is None
    assert wait(rig.ask(None)).fault is None  # a second time has no effect


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (MemoryError("no room"), "there is not enough memory: no room"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "there is not enough memory: Default"),
        (KeyError("weight"), "KeyError"),
        (ModelError("cut"), "cut"),
    ],
)
def test_whatever_a_load_raises_is_answered(rig: LoaderRig, fault: Exception, said: str) -> None:
    def make(name: str) -> LoadedModel:
        raise fault

    rig.make = make
    answer = wait(rig.ask(Wanted("broken")))
    assert isinstance(answer.fault, ModelError)
    assert said in str(answer.fault)
    assert rig.state.now.hot.wanted.name == "first"
    deadline = time.monotonic() + 30
    while ("failed", "broken", str(answer.fault)) not in rig.events and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ("failed", "broken", str(answer.fault)) in rig.events


def test_a_host_that_waits_for_a_model_reads_what_the_engine_writes(rig: LoaderRig) -> None:
    """While one model plays, the status says that another one is loading, until it is there or cancelled."""
    inside, go_on = threading.Event(), threading.Event()

    def make(name: str) -> LoadedModel:
        inside.set()
        assert go_on.wait(30)
        return make_model(name, 5, 24)

    rig.make = make
    for cancelled in (False, True):
        answer = rig.ask(Wanted(f"another {cancelled}"))
        assert inside.wait(30)
        assert (rig.state.now.name, is_loading(rig.state.now.text)) == (READY, True)
        if cancelled:
            rig.loader.cancel()
        go_on.set()
        wait(answer)
        assert wait(rig.ask(Wanted("another False"))).fault is None, "the thread is through with the one before"
        assert not is_loading(rig.state.now.text)
        inside.clear()
        go_on.clear()


def write_sparse(path: Path, header: bytes, data_bytes: int) -> None:
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + data_bytes)


def test_need_is_read_from_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = b'{"a":{"dtype":"F16","shape":[1000,1000],"data_offsets":[0,2000000]},"__metadata__":{"x":"y"}}'
    write_sparse(tmp_path / "model.safetensors", header, 2_000_000)
    single, half = models_memory.need_mb(str(tmp_path), 4), models_memory.need_mb(str(tmp_path), 2)
    assert single - half == pytest.approx(models_memory.SHARE * 2.0)
    large = header.replace(b"[1000,1000]", b"[1000,99999]").replace(b"2000000", b"199998000")
    write_sparse(tmp_path / "model.safetensors", large, 199_998_000)
    assert models_memory.need_mb(str(tmp_path), 1) > 470 + 99, "ONNX Runtime's copies of the codec count"
    for broken in (b"", b"\xff" * 100, len(header).to_bytes(8, "little") + b"[]"):
        (tmp_path / "model.safetensors").write_bytes(broken)
        assert models_memory.need_mb(str(tmp_path), 4) >= 0
    assert models_memory.need_mb(str(tmp_path / "nowhere"), 4) == 0.0
    assert 0 < models_memory.free_mb("cpu", 1e9) < 1e9
    assert models_memory.free_mb("cpu", 1.0) < 0  # this process alone is larger


def test_progress_in_words() -> None:
    assert progress_text("reading", 412e6, 2764e6) == "reading 412 of 2764 MB"
    assert progress_text("reading", 0.4e6, 2.5e6) == "reading 0.4 of 2.5 MB"
    assert progress_text("moving", 0, 0) == "moving"
    assert progress_text("warming up", 1, 2) == "warming up 1 of 2"
