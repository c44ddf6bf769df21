"""Fixtures of the engine's tests: the golden vectors, unpacked once per session."""

from __future__ import annotations

import lzma
import shutil
from pathlib import Path

import pytest
import torch

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
