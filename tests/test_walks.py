"""docs/walks.md is true: files and functions exist, no walk is too long, none visits a file twice."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "walks.md").read_text()
ROW = re.compile(r"^\| `([\w/]+\.py)` \| `(\w+)` \|", re.MULTILINE)
WALKS = {part.splitlines()[0]: ROW.findall(part) for part in PAGE.split("\n## ")[1:]}
FILES_MOST = 15


def functions(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_is_short_and_never_returns(walk: str) -> None:
    files = [file for file, _ in WALKS[walk]]
    assert 5 <= len(files) <= FILES_MOST
    assert len(set(files)) == len(files)


@pytest.mark.parametrize(("file", "function"), sorted({row for rows in WALKS.values() for row in rows}))
def test_its_files_and_functions_exist(file: str, function: str) -> None:
    assert function in functions(ROOT / file)


def test_there_are_four() -> None:
    assert len(WALKS) == 4
