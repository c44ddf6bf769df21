"""One layout: the table in bridge/ring/layout.py, the page, the C header and the Python views agree."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bridge.ring import layout
from bridge.ring.writer import RingWriter

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/shared_memory.md"
HEADER = ROOT / "bridge/ring/segue_ring.h"


def documented() -> dict[str, tuple[int, str]]:
    """Name -> (byte, C type) as the page says, read from its tables."""
    rows = re.findall(r"^\| (\d+) \| (\w+) \| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: (int(byte), kind) for byte, kind, name in rows}


def expected() -> dict[str, tuple[int, str]]:
    fields = [(s.start, f) for s in layout.SECTIONS for f in s.fields] + [(0, f) for f in layout.SLOT.fields]
    return {f.name: (start + f.offset, layout.C_TYPES[f.code]) for start, f in fields}


def test_the_page_says_the_offsets_of_the_table() -> None:
    assert documented() == expected()
    assert layout.markdown().strip() in PAGE.read_text(encoding="utf-8"), "python -m bridge.ring.layout md"


def test_the_header_is_the_generated_one() -> None:
    assert HEADER.read_text(encoding="utf-8") == layout.c_header(), "python -m bridge.ring.layout c"


def test_sections_fill_whole_lines_and_do_not_overlap() -> None:
    end = 0
    for section in layout.SECTIONS:
        assert section.start == end
        assert section.start % 64 == 0
        end = section.start + section.n_bytes
    assert end <= layout.HEADER_BYTES
    sides = {section.start // 64: section.writer for section in layout.SECTIONS}
    assert len(sides) == len(layout.SECTIONS), "two sections on one cache line"


def test_a_written_block_lies_where_the_page_says() -> None:
    """The bytes are read from the segment at the page's offsets."""
    writer = RingWriter.create(926, 48_000)
    try:
        writer.write(-5, np.full((256, 2), 0.5, np.float32), 1)
        writer.write(251, np.full((3, 2), 0.25, np.float32), 7, seek_id=9)
        raw, page = bytes(writer.segment.memory), documented()
        slot = raw[512 + 32 : 512 + 64]
        found = {
            name: struct.unpack_from({"uint64_t": "<Q", "int64_t": "<q", "uint32_t": "<I"}[kind], slot, at)[0]
            for name, (at, kind) in page.items()
            if name.startswith("slot_")
        }
        assert found == {
            "slot_number": 1, "slot_position_samples": 251, "slot_generation": 7, "slot_timeline": 9,
            "slot_n_samples": 3,
        }  # fmt: skip
        assert struct.unpack_from("<Q", raw, page["blocks_written"][0]) == (2,)
        assert struct.unpack_from("<q", raw, page["written_end_samples"][0]) == (254,)
        begin = struct.unpack_from("<I", raw, page["payload_offset"][0])[0] + 256 * 2 * 4
        assert np.array_equal(np.frombuffer(raw[begin : begin + 24], "<f4"), np.full(6, 0.25))
    finally:
        writer.close()


@pytest.mark.parametrize("capacity", [4, 64, 2048, 65536])
def test_payload_is_page_aligned_behind_the_slots(capacity: int) -> None:
    begin = layout.payload_offset(capacity)
    assert begin % 4096 == 0
    assert 0 <= begin - 512 - 32 * capacity < 4096
    assert layout.segment_bytes(2, 256, capacity) == begin + capacity * 256 * 8


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed: the C header cannot be compiled")
def test_the_compiler_puts_every_word_where_the_page_says(tmp_path: Path) -> None:
    lines = [f'#include "{HEADER}"', "#include <stddef.h>", "#include <stdio.h>", "int main(void) {"]
    for section in (*layout.SECTIONS, layout.SLOT):
        base = "0" if section is layout.SLOT else f"offsetof(segue_header, {section.name})"
        for field in section.fields:
            place = f"{base} + offsetof(segue_{section.name}, {field.name})"
            lines.append(f'printf("{field.name} %zu\\n", {place});')
    lines += ['printf("header %zu\\n", sizeof(segue_header));', 'printf("slot %zu\\n", sizeof(segue_slot));']
    lines += [f'printf("constants %d\\n", SEGUE_MAGIC == 0x{layout.MAGIC:x}u && SEGUE_VERSION == {layout.VERSION});']
    source, program = tmp_path / "offsets.c", tmp_path / "offsets"
    source.write_text("\n".join([*lines, "return 0; }"]))
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wpadded", "-Werror"]
    subprocess.run(["gcc", *flags, str(source), "-o", str(program)], check=True)
    printed = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    found = {name: int(number) for name, number in (line.split() for line in printed.splitlines())}
    assert (found.pop("header"), found.pop("slot"), found.pop("constants")) == (512, 32, 1)
    assert found == {name: byte for name, (byte, _) in documented().items()}


def test_the_module_prints_both() -> None:
    for argument, wanted in (("c", layout.c_header()), ("md", layout.markdown() + "\n")):
        command = [sys.executable, "-m", "bridge.ring.layout", argument]
        assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == wanted
