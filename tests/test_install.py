"""Installation on a fresh machine: pinned versions, a lock that satisfies pyproject.toml, libraries that load."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from bridge.system.dependencies import PAIRS

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
# what `.[dev]` installs
LOCKED_EXTRAS = ("train", "style", "separation", "bench", "sync-bench", "jack", "midi", "far", "dev")
WANTED = [Requirement(line) for line in PROJECT["dependencies"]]
FOR_TESTS = [Requirement(line) for extra in LOCKED_EXTRAS for line in EXTRAS[extra] if not line.startswith("segue[")]


def same_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {same_name(name): Version(version) for name, version in pairs}


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_compiled_pairs_are_pinned_to_what_was_tested(pair: tuple[str, ...]) -> None:
    for name in pair:
        [wanted] = [requirement for requirement in WANTED if requirement.name == name]
        [specifier] = wanted.specifier
        assert specifier.operator == "=="
        assert "*" not in specifier.version, "a newer one of a pair may not load with the other"


@pytest.mark.parametrize("requirement", WANTED + FOR_TESTS, ids=str)
def test_the_lock_has_what_is_asked_for(requirement: Requirement) -> None:
    assert locked()[same_name(requirement.name)] in requirement.specifier


def test_the_lock_leaves_cuda_to_torch() -> None:
    assert not [name for name in locked() if name.startswith(("nvidia-", "cuda-", "triton"))]
    assert not [version for version in locked().values() if version.local], "a build for one kind of machine"


def test_compiled_parts_of_pairs_load() -> None:
    import torch
    from torchaudio.functional import lfilter

    coefficients = torch.tensor([1.0, 0.5])
    assert lfilter(torch.ones(1, 8), coefficients, coefficients).allclose(torch.ones(1, 8))


def test_the_container_gets_all_that_the_installation_reads() -> None:
    left_out = (ROOT / ".dockerignore").read_text().split()
    needed = [PROJECT["readme"], *PROJECT["license-files"], "pyproject.toml", "setup.py", "constraints.txt"]
    needed += [path.name for path in ROOT.iterdir() if (path / "__init__.py").is_file() or path.name == "presets"]
    assert {"bridge", "engine", "plugin_host", "presets"} <= set(needed)
    assert not set(needed) & set(left_out)
    copied = re.findall(r"^COPY (\S+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert copied == ["constraints.txt", "."]
