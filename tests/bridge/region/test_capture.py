"""A capture's segment: the table, the header and the page agree; invalid segments are refused."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bridge.errors import SegueError
from bridge.region import capture
from bridge.ring import shared_memory
from bridge.ring.shared_memory import Segment

ROOT = Path(__file__).parents[3]
OFFSETS = {field.name: section.start + field.offset for section in capture.SECTIONS for field in section.fields}
CODES = {field.name: field.code for section in capture.SECTIONS for field in section.fields}
AUDIO = np.linspace(-0.5, 0.5, 96_000, dtype=np.float32).reshape(-1, 2)


@pytest.fixture
def segment():
    made = Segment.create(shared_memory.segment_name(1234), capture.PAYLOAD_OFFSET + AUDIO.nbytes)
    values = {
        "magic": capture.MAGIC, "version": 1, "segment_bytes": made.n_bytes, "sample_rate_hz": 48_000, "channels": 2,
        "capacity_samples": len(AUDIO), "payload_offset": capture.PAYLOAD_OFFSET, "capture_state": capture.WHOLE,
        "capture_number": 1, "n_samples": len(AUDIO), "start_beats": 8.0, "tempo_bpm": 137.5,
        "signature_numerator": 4, "signature_denominator": 4,
    }  # fmt: skip
    for name, value in values.items():
        put(made, name, value)
    made.memory[capture.PAYLOAD_OFFSET :] = AUDIO.tobytes()
    yield made
    made.unlink()
    made.close()


def put(segment: Segment, name: str, value: float) -> None:
    struct.pack_into("<" + CODES[name], segment.memory, OFFSETS[name], value)


def test_what_was_recorded_is_read(segment: Segment) -> None:
    found = capture.read_capture(segment.name)
    assert np.array_equal(found.audio, AUDIO)
    assert (found.rate_hz, found.bpm, found.start_beats) == (48_000, 137.5, 8.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("magic", 7), ("version", 2), ("channels", 0), ("channels", 3), ("capacity_samples", 2**40), ("n_samples", 48_001),
     ("n_samples", 0), ("payload_offset", 0), ("capture_state", capture.RECORDING), ("capture_state", capture.EMPTY),
     ("tempo_bpm", float("nan")), ("tempo_bpm", 0.0), ("tempo_bpm", 5000.0), ("start_beats", float("inf")),
     ("sample_rate_hz", 3)],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(segment: Segment, name: str, value: float) -> None:
    put(segment, name, value)
    with pytest.raises(SegueError):
        capture.read_capture(segment.name)


@pytest.mark.parametrize("name", ["", "segue-1", "../etc/passwd", "segue-1-2-3", "segue-999999-77"])
def test_only_segments_that_are_there_are_read(name: str) -> None:
    with pytest.raises(SegueError):
        capture.read_capture(name)


def test_a_segment_too_small_for_a_header_is_refused() -> None:
    small = Segment.create(shared_memory.segment_name(1235), 512)
    try:
        with pytest.raises(SegueError, match="less than"):
            capture.read_capture(small.name)
    finally:
        small.unlink()
        small.close()


def test_what_is_put_is_read() -> None:
    put = capture.put_capture(4321, capture.Captured(AUDIO, 44_100, 96.5, 12.0))
    found = capture.read_capture(put.name)
    put.close()
    put.unlink()
    np.testing.assert_array_equal(found.audio, AUDIO)
    assert (found.rate_hz, found.bpm, found.start_beats) == (44_100, 96.5, 12.0)


def test_header_and_page_are_as_the_table_says() -> None:
    assert (ROOT / "bridge/region/segue_capture.h").read_text() == capture.c_header(), (
        "python -m bridge.region.capture c"
    )
    assert capture.markdown().strip() in (ROOT / "docs/capture.md").read_text(), "python -m bridge.region.capture md"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed: the C header cannot be compiled")
def test_the_compiler_puts_every_word_where_the_table_says(tmp_path: Path) -> None:
    lines = [
        f'#include "{ROOT / "bridge/region/segue_capture.h"}"',
        "#include <stddef.h>",
        "#include <stdio.h>",
        "int main(void) {",
    ]
    for section in capture.SECTIONS:
        short = section.name.removeprefix("capture_")
        for field in section.fields:
            place = f"offsetof(segue_capture_header, {short}) + offsetof(segue_{section.name}, {field.name})"
            lines.append(f'printf("{field.name} %zu\\n", {place});')
    source, program = tmp_path / "offsets.c", tmp_path / "offsets"
    source.write_text("\n".join([*lines, "return 0; }"]))
    subprocess.run(["gcc", "-Wall", "-Wpadded", "-Werror", str(source), "-o", str(program)], check=True)
    printed = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    assert {name: int(at) for name, at in re.findall(r"(\w+) (\d+)", printed)} == OFFSETS
