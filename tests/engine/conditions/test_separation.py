"""Stem separation with demucs' network: repeatable, equal to demucs.apply, safely loaded, silent on silence."""

from __future__ import annotations

import json
import random
import threading
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.checkpoints.htdemucs import CLASS, load_htdemucs
from engine.checkpoints.opened import Opened
from engine.conditions.cache import ConditionCache
from engine.conditions.melody import MelodyConditioner
from engine.conditions.separation import SHIFT_SAMPLES, SOURCES, DemucsSeparator, htdemucs
from engine.errors import CheckpointError, UnsupportedError
from engine.model import Ask, LoadedModel, Reference

demucs = pytest.importorskip("demucs.apply")
CPU = torch.device("cpu")
SETTINGS = {
    "sources": list(SOURCES),
    **{"channels": 8, "bottom_channels": 16, "t_layers": 1, "t_heads": 2, "nfft": 1024, "depth": 4},
    "segment": Fraction(1, 2),
}
STORED = SETTINGS | {"segment": {"_type": "fraction", "numerator": 1, "denominator": 2}, "of_no_use": True}


@pytest.fixture(scope="session")
def network() -> torch.nn.Module:
    torch.manual_seed(1)
    return htdemucs(SETTINGS)


def save(network: torch.nn.Module, folder: Path, changed: dict | None = None, metadata: dict | None = None) -> Path:
    """A folder in demucs' published format."""
    folder.mkdir()
    about = {"klass": CLASS, "args": "[]", "kwargs": json.dumps(STORED | (changed or {}))} | (metadata or {})
    save_file({name: tensor.half() for name, tensor in network.state_dict().items()}, folder / "955717e8.safetensors",
              about)  # fmt: skip
    (folder / "htdemucs.yaml").write_text("models: ['955717e8']\n")
    return folder


def tone(seconds: float) -> torch.Tensor:
    return 0.3 * torch.randn(1, 2, int(44100 * seconds), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.7])
def test_equal_to_the_packages_own_way_for_one_draw(network, monkeypatch, seconds):
    mix = tone(seconds)
    monkeypatch.setattr(random, "randint", lambda low, high: SHIFT_SAMPLES)
    want = demucs.apply_model(network, mix)
    got = DemucsSeparator(network, CPU)(mix)
    assert got.shape == (1, 4, 2, mix.shape[-1])
    assert torch.equal(got, want)
    assert got.std() > 1e-3


def test_always_the_same_and_rows_do_not_touch(network):
    separator, mix = DemucsSeparator(network, CPU), tone(0.8)
    both = separator(torch.cat([mix, mix.flip(1) * 0.1]))
    assert torch.equal(both[:1], separator(mix))
    assert not separator(torch.zeros(1, 2, 5000)).any()  # silence gives silence


def test_loads_what_demucs_publishes(network, tmp_path):
    folder = save(network, tmp_path / "HTDemucs")
    separator = load_htdemucs(folder, CPU, Opened())
    reference = htdemucs(SETTINGS)
    reference.load_state_dict({name: tensor.half().float() for name, tensor in network.state_dict().items()})
    assert torch.equal(separator(tone(0.3)), DemucsSeparator(reference, CPU)(tone(0.3)))
    (folder / "htdemucs.yaml").unlink()
    assert isinstance(load_htdemucs(folder, CPU, Opened()), DemucsSeparator)


@pytest.mark.parametrize(
    ("changed", "metadata", "error", "text"),
    [
        ({}, {"klass": "os.system"}, UnsupportedError, r"class os\.system; this version runs demucs"),
        ({}, {"kwargs": "{"}, CheckpointError, "does not say how"),
        ({}, {"args": '["rm -rf"]'}, CheckpointError, "by place"),
        ({"channels": 1 << 20}, {}, CheckpointError, "'channels' is 1048576"),
        ({"depth": 5000}, {}, CheckpointError, "'depth' is 5000"),
        ({"channels": 16}, {}, CheckpointError, "of another shape"),
        ({"t_layers": 2}, {}, CheckpointError, "missing"),
        ({"segment": {"_type": "fraction", "numerator": 1, "denominator": 0}}, {}, CheckpointError, "segment"),
        ({"sources": ["drums"]}, {}, UnsupportedError, "takes apart"),
    ],
)
def test_other_files_are_refused(network, tmp_path, changed, metadata, error, text):
    folder = save(network, tmp_path / "HTDemucs", changed, metadata)
    with pytest.raises(error, match=text):
        load_htdemucs(folder, CPU, Opened())


@pytest.mark.parametrize("models", ["['../secret']", "[]", "['a', 'b']", "{", "[[1]]"])
def test_other_lists_of_models_are_refused(network, tmp_path, models):
    folder = save(network, tmp_path / "HTDemucs")
    (folder / "htdemucs.yaml").write_text(f"models: {models}\n")
    with pytest.raises((CheckpointError, UnsupportedError), match=r"models|model|read"):
        load_htdemucs(folder, CPU, Opened())


def test_a_melody_through_the_real_network(golden_models: dict[str, LoadedModel], network):
    """The whole path of a region: separated once, by any thread, then used by every window."""
    own = golden_models["audiocraft/melody"].conditioner.melody
    separator = DemucsSeparator(network, CPU)
    melody = MelodyConditioner(own.chroma, own.projection, own.n_frames, 32000, separator, own.window_samples)
    region = Reference(torch.sin(torch.arange(24000) * 0.05)[None])
    prepared = threading.Thread(target=melody.prepare, args=(region,))
    prepared.start()
    prepared.join()
    melody.separator = None  # nothing is left to be separated
    separated = [melody._cache(region.audio), melody._cache(region.audio.clone())]
    assert separated[0] is separated[1]
    assert separated[0].shape == (1, 24000)
    melody.separator = separator
    vectors = melody([Ask(melody=region), Ask()], 40)
    assert vectors.shape[:2] == (2, own.n_frames)
    assert torch.equal(vectors[1], own([Ask()], 0)[0])


def test_two_threads_that_want_the_same_compute_it_once():
    began, calls = threading.Event(), []

    def compute(audio: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        began.wait(5)
        return audio * 2

    kept, results = ConditionCache(compute, 1 << 20), []
    threads = [threading.Thread(target=lambda: results.append(kept(torch.ones(1, 8)))) for _ in range(3)]
    for thread in threads:
        thread.start()
    began.set()
    for thread in threads:
        thread.join()
    assert calls == [1]
    assert results[0] is results[1] is results[2]
