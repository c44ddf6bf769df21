"""`--device auto`: a GPU for MusicGen, the faster device for the embedded model. The GPU is made up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.serve.models import device_choice
from engine.serve.models.device_choice import device_of, load_on_faster
from engine.serve.options import parse
from engine.serve.state import Hot, Wanted

RATIOS = {"cpu": 12.0, "cuda": 9.0}


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_choice, "pick_device", lambda name: "cuda" if name == "auto" else name)
    monkeypatch.setattr(device_choice.torch.cuda, "get_device_name", lambda device: "a GPU")


class Loads:
    """Loads nothing and records the devices; a device without a ratio fails."""

    def __init__(self, **ratios: float) -> None:
        self.ratios, self.tried = ratios, list[str]()

    def __call__(self, device: str) -> Hot:
        self.tried.append(device)
        if device not in self.ratios:
            raise RuntimeError(f"{device} has no kernel image for this device")
        return Hot(Wanted("embedded"), None, device, "float32", 30, 0.1, self.ratios[device])  # type: ignore[arg-type]


def test_every_command_asks_for_auto() -> None:
    assert parse([]).device == Wanted("small").device == "auto"


@pytest.mark.usefixtures("with_gpu")
def test_musicgen_takes_the_gpu_without_being_asked(tmp_path: Path) -> None:
    loads = Loads(**RATIOS)
    assert load_on_faster(Wanted("melody"), 1, loads, tmp_path / "memory.json").device == "cuda"
    assert loads.tried == ["cuda"]


@pytest.mark.usefixtures("with_gpu")
def test_eight_bits_are_a_processors() -> None:
    assert device_of(Wanted("melody", precision="int8")) == "cpu"
    assert device_of(Wanted("melody", "cuda", "int8")) == "cuda"  # by name: the loader says why it cannot


@pytest.mark.usefixtures("with_gpu")
@pytest.mark.parametrize(("gpu", "faster"), [(9.0, "cpu"), (30.0, "cuda")])
def test_the_embedded_model_takes_what_is_faster_and_it_is_measured_once(
    tmp_path: Path, gpu: float, faster: str
) -> None:
    memory, loads = tmp_path / "cache" / "memory.json", Loads(cpu=12.0, cuda=gpu)
    assert load_on_faster(Wanted("embedded"), 1, loads, memory).device == faster
    [kept] = json.loads(memory.read_text()).values()
    assert kept == {"device": faster, "realtime_ratio": {"cpu": 12.0, "cuda": gpu}}
    again = Loads(cpu=1.0, cuda=1.0)
    assert load_on_faster(Wanted("embedded"), 1, again, memory).device == faster
    assert again.tried == [faster]
    more_threads = Loads(**RATIOS)
    load_on_faster(Wanted("embedded"), 8, more_threads, memory)
    assert more_threads.tried == ["cpu", "cuda"]


@pytest.mark.usefixtures("with_gpu")
def test_a_gpu_that_fails_leaves_the_processor_and_a_note(tmp_path: Path) -> None:
    hot = load_on_faster(Wanted("embedded"), 1, Loads(cpu=12.0), tmp_path / "memory.json")
    assert hot.device == "cpu"
    assert "no kernel image" in hot.notes[0]
    with pytest.raises(RuntimeError):  # a GPU asked for by name is an error
        load_on_faster(Wanted("embedded", "cuda"), 1, Loads(cpu=12.0), tmp_path / "memory.json")


def test_without_a_gpu_nothing_is_measured(tmp_path: Path) -> None:
    loads = Loads(**RATIOS)
    if device_of(Wanted("embedded")) != "cpu":
        pytest.skip("this machine has a GPU")
    assert load_on_faster(Wanted("embedded"), 1, loads, tmp_path / "memory.json").device == "cpu"
    assert loads.tried == ["cpu"]
    assert not (tmp_path / "memory.json").exists()


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(EngineError, match="no device 'cuda:77'"):
        device_of(Wanted("small", "cuda:77"))
