"""The language model imports no executor, and one file chooses the executor."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ENGINE = Path(__file__).resolve().parents[3] / "engine"
MODEL = sorted((ENGINE / "lm").glob("*.py"))
EXECUTORS = "engine.lm.executors"
FILES = sorted(path for path in ENGINE.rglob("*.py") if (ENGINE / "lm") not in path.parents)
FOR_ALL = ("base", "select", "fidelity", "weight_bytes")  # modules of the executors that other files may import
MEASURES = "engine/bench/"  # imports the GPU's step, to time it


def name_of(path: Path) -> str:
    return path.relative_to(ENGINE.parent).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Names of all imports of a file, for types only or not, at its top or in functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODEL, ids=name_of)
def test_the_model_imports_nothing_above_it(path: Path) -> None:
    allowed = ("engine.lm.", "engine.core.", "engine.errors.")
    own = [name for name in imports(path) if name.startswith("engine")]
    assert not [name for name in own if name.startswith(EXECUTORS) or not name.startswith(allowed)]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nobody_outside_names_an_executor(path: Path) -> None:
    used = {name.removeprefix(EXECUTORS).split(".")[1] for name in imports(path) if name.startswith(f"{EXECUTORS}.")}
    allowed = {*FOR_ALL, "device"} if name_of(path).startswith(MEASURES) else set(FOR_ALL)
    assert used <= allowed


def test_only_one_file_chooses() -> None:
    kinds = {"TorchExecutor", "OnnxExecutor", "NativeExecutor", "DeviceExecutor"}
    makers = {
        name_of(path)
        for path in ENGINE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds
    }
    assert makers == {"engine/lm/executors/select.py", "engine/lm/executors/device/probe.py"}
