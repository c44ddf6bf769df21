"""The plugin's header: it equals the tables, compiles, and no other C++ file repeats it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.control import messages
from bridge.control.parameters import PARAMETERS
from bridge.control.protocol_header import header
from bridge.control.rows import LANE_STATES, ROOT
from bridge.errors import BY_CODE

SOURCES = Path(__file__).parents[3] / "plugin_host" / "plugin" / "src"
HEADER = SOURCES / "segue_protocol.h"
OTHERS = [path for path in sorted(SOURCES.iterdir()) if path.suffix in (".cpp", ".hpp", ".h") and path != HEADER]
PAGE = Path(__file__).parents[3] / "docs" / "plugin.md"


def literals(path: Path) -> Iterator[str]:
    """The string literals of a C++ file."""
    code = re.sub(r"//.*", "", path.read_text("utf-8"))
    yield from re.findall(r'"((?:[^"\\\n]|\\.)*)"', code)


def test_the_header_is_up_to_date() -> None:
    assert HEADER.read_text("utf-8") == header(), "run python -m bridge.control.protocol_header"
    assert max(map(len, header().splitlines())) <= 120


def test_the_header_says_what_the_tables_say(tmp_path: Path) -> None:
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    rows = ", ".join(f"lane_parameter::{name}" for name in PARAMETERS)
    (tmp_path / "say.cpp").write_text(
        '#include <cstdio>\n#include "segue_protocol.h"\nusing namespace segue;\nint main() {\n'
        f"    const LaneParameter rows[] = {{{rows}}};\n    for (const LaneParameter& row : rows)\n"
        '        std::printf("%s %.9g %.9g %.9g\\n", row.name, row.low, row.high, row.initial);\n'
        '    for (const char* code : region_codes) std::printf("%s\\n", code);\n'
        '    std::printf("%s %s\\n", address::plugin_set, error_code::lane_in_use);\n}\n'
    )
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{SOURCES}"]
    program = tmp_path / "say"
    subprocess.run([compiler, *flags, str(tmp_path / "say.cpp"), "-o", str(program)], check=True)
    said = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout.splitlines()
    numbers = {name: tuple(map(float, rest)) for name, *rest in (line.split() for line in said[: len(PARAMETERS)])}
    for name, row in PARAMETERS.items():
        assert numbers[name] == pytest.approx((row.low, row.high, row.default))
    assert said[len(PARAMETERS) :] == [
        *(code for code in BY_CODE if "region" in code), "/segue/plugin/set lane_in_use",
    ]  # fmt: skip


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.name)
def test_no_address_and_no_word_of_the_protocol_stands_elsewhere(path: Path) -> None:
    words = {*BY_CODE, *LANE_STATES, "bar"}
    assert [each for each in literals(path) if f"{ROOT}/" in each or each in words] == []


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.name)
def test_the_plugin_decides_nothing_by_the_text_of_an_error(path: Path) -> None:
    """The plugin uses an error's code; it only shows the text."""
    prose = r"(?:\bwhy_?|\banswer\.text|\bfault\(\))"
    assert not re.search(rf'{prose}\s*[!=]=\s*"|{prose}\.(?:find|compare|substr)\b', path.read_text("utf-8"))


def test_the_plugins_page_tells_its_messages() -> None:
    page = PAGE.read_text("utf-8")
    for row in messages.PLUGIN_REQUESTS:
        assert f"`{' '.join((row.address, *(argument.name for argument in row.arguments)))}`" in page
    assert messages.PLUGIN_OK.address in page
    assert messages.PLUGIN_ERROR.address in page
