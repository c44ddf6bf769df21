"""The README is true: its commands and options exist, its links have targets, its Python runs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.readme_commands import README, blocks

ROOT = README.parent
TEXT = README.read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = sorted({line.strip() for body in BLOCKS for line in body.splitlines()})
SEGUE = sorted({part.strip() for line in COMMANDS for part in line.split("&&") if part.strip().startswith("segue ")})


def help_of(command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "plugin_host.cli", command, "--help"], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_both_blocks_for_ci_are_there() -> None:
    assert set(blocks()) == {"main-job", "tests"}
    assert "segue demo" in blocks()["main-job"]
    assert "pytest" in blocks()["tests"]


@pytest.mark.parametrize("command", SEGUE)
def test_commands_and_options_exist(command: str) -> None:
    words = command.split()
    text = help_of(words[1])
    for option in (word for word in words if word.startswith("--")):
        assert option in text


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))])
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{page} links to {target}"


def test_python_example_parses() -> None:
    for body in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        ast.parse(body)


def test_nothing_is_left_to_fill_in() -> None:
    card = ROOT / "engine" / "models" / "embedded" / "MODEL_CARD.md"
    for path in (README, ROOT / "docs" / "training.md", card):
        assert not re.search(r"^(FIGURES|TABLE|BUDGET)$", path.read_text(), re.MULTILINE), path.name


def test_readme_is_packaged_with_the_project() -> None:
    assert 'readme = "README.md"' in Path(ROOT / "pyproject.toml").read_text()
