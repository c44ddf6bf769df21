"""Fixtures of the engine's tests: the golden vectors, unpacked once per session."""

from __future__ import annotations

import lzma
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.checkpoints.load import load_model
from engine.errors import UnsupportedError
from engine.lm.executors.native import build, library
from engine.model import LoadedModel

PACKED = Path(__file__).parent.parent / "data" / "golden"


def unpack(packed: Path, target: Path) -> None:
    """Copy the tree `packed` to `target`, with every `.xz` file unpacked."""
    for source in packed.rglob("*"):
        place = target / source.relative_to(packed)
        if source.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".xz":
            place.with_suffix("").write_bytes(lzma.decompress(source.read_bytes()))
        else:
            shutil.copyfile(source, place)
    shutil.copyfile(target / "t5_tiny" / "tokenizer.json", target / "transformers/musicgen_melody/ckpt/tokenizer.json")


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the golden vectors as tests/data/README.md describes them, plain files only."""
    torch.set_num_threads(1)
    target = tmp_path_factory.mktemp("golden")
    unpack(PACKED, target)
    return target


class StandInSeparator:
    """The stand-in for a separator with which the vectors were made; memoryless, 44.1 kHz stereo."""

    def __call__(self, mix: torch.Tensor) -> torch.Tensor:
        swapped = mix.flip(1)
        stems = [0.5 * mix, 0.25 * swapped, 0.6 * mix + 0.2 * mix**2, 0.3 * torch.tanh(2 * swapped)]
        return torch.stack(stems, dim=1)


class StandInFeatures:
    """The stand-in for MERT with which the vectors were made: overlapping frames through two matrices."""

    def __init__(self, stored: Path) -> None:
        with np.load(stored) as parts:
            self.down, self.up, self.offset = (torch.from_numpy(parts[name]) for name in ("A", "B", "c"))

    def __call__(self, wav: torch.Tensor) -> torch.Tensor:
        return torch.tanh(wav.unfold(-1, 400, 320) @ self.down) @ self.up + self.offset


@pytest.fixture(scope="session")
def golden_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder for SEGUE_CACHE in which each golden checkpoint is converted once, also by several workers."""
    run = tmp_path_factory.getbasetemp()
    return (run.parent if "PYTEST_XDIST_WORKER" in os.environ else run) / "golden_cache"


@pytest.fixture(scope="session")
def golden_models(golden: Path, golden_cache: Path) -> dict[str, LoadedModel]:
    """The golden checkpoints, loaded, by their folder: "audiocraft/text", ..."""
    folders = {
        "audiocraft/text": "ckpt",
        "audiocraft/melody": "ckpt",
        "audiocraft/stereo": "ckpt",
        "audiocraft/style": "ckpt",
        "transformers/musicgen_mono": "ckpt",
        "transformers/musicgen_mono_legacy": "ckpt_legacy_sharded",
        "transformers/musicgen_melody": "ckpt",
        "transformers/musicgen_stereo": "ckpt",
    }
    return {
        name: load_model(
            golden / name.removesuffix("_legacy") / folder,
            t5=golden / "t5_tiny",
            separator=StandInSeparator(),
            style_features=StandInFeatures(golden / "audiocraft/style/mert_standin.npz"),
            cache_dir=golden_cache / "checkpoints",
        )
        for name, folder in folders.items()
    }


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed library, or one built here."""
    try:
        library.load()
        return build.LIBRARY
    except UnsupportedError:
        pass
    try:
        return build.build(tmp_path_factory.mktemp("native") / build.LIBRARY.name)
    except build.BuildError as error:
        pytest.skip(str(error).partition("\n")[0])


@pytest.fixture
def native(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The native library is used; skips if it can neither be built nor run."""
    monkeypatch.setenv(library.SWITCH, str(built))
    try:
        library.load()
    except UnsupportedError as error:
        pytest.skip(str(error))


@pytest.fixture
def two_threads() -> Iterator[None]:
    """PyTorch has two threads."""
    had = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(had)
