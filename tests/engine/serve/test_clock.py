"""The engine reads the clock that it is given; and no code sets functions on its objects from outside."""

from __future__ import annotations

import ast
from pathlib import Path

SERVE = Path(__file__).resolve().parents[3] / "engine" / "serve"
TREES = {path.relative_to(SERVE).as_posix(): ast.parse(path.read_text()) for path in SERVE.rglob("*.py")}
READS = {
    "models/warm_up.py",  # measures its own work, once, on a real model
    "far/listener.py", "far/session.py",  # a process of its own, beside the engine: the clock of its connection
}  # fmt: skip


def modules(tree: ast.Module) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_nobody_reads_the_time_past_the_clock() -> None:
    assert {name for name, tree in TREES.items() if "time" in modules(tree)} == READS


def test_no_callback_is_an_attribute() -> None:
    set_outside = [
        f"{name}: {ast.unparse(node)}"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr.startswith("on_")
    ]
    defaults = [
        f"{name}: {ast.unparse(node)}"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Lambda)
        and ast.unparse(node).startswith("self.")
    ]  # fmt: skip
    assert not set_outside + defaults
