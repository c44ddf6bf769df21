"""A capture: music that a plugin recorded, in its own shared-memory segment.

    0      identity    the plugin, once, magic last
    64     captured    the plugin; `capture_state` last
    4096   payload     capacity_samples x channels float32, interleaved

The plugin makes the segment (name `segue-<its pid>-<number>`), fills it, and names it in `region/capture`; a jam does
the same with `put_capture`. The engine copies a complete capture and does not keep the segment.
`python -m bridge.region.capture c` prints bridge/region/segue_capture.h, `md` the tables of docs/capture.md.
"""

from __future__ import annotations

import math
import os
import struct
import sys
import time
from dataclasses import dataclass

import numpy as np

from bridge.control.rows import BPM
from bridge.errors import RegionTransfer, SegmentForeign
from bridge.region.region import Samples, check_form
from bridge.ring import layout
from bridge.ring.layout import make_section
from bridge.ring.shared_memory import Segment, segment_name

MAGIC = int.from_bytes(b"SEGC", "little")
VERSION = 1
PAYLOAD_OFFSET = 4096
EMPTY, RECORDING, WHOLE = 0, 1, 2

SECTIONS = (
    make_section(
        "capture_identity", 0, 64, "plugin, once",
        ("magic", "I", "the bytes S E G C; written last"),
        ("version", "I", f"{VERSION}; a reader refuses every other"),
        ("segment_bytes", "Q", "size of the whole segment"),
        ("sample_rate_hz", "I", "the host's rate"),
        ("channels", "I", "1 or 2"),
        ("capacity_samples", "Q", "samples that the payload holds"),
        ("payload_offset", "I", f"first payload byte: {PAYLOAD_OFFSET}"),
        ("host_pid", "I", "process that made it"),
        ("created_ns", "Q", "monotonic clock when it was made"),
    ),
    make_section(
        "captured", 64, 64, "plugin",
        ("capture_state", "I", "0 empty, 1 being recorded, 2 whole; the rest is read in state 2 only"),
        ("capture_number", "I", "counts the captures in this segment"),
        ("n_samples", "Q", "samples recorded, from the payload's start"),
        ("position_samples", "q", "host position of the first one"),
        ("start_beats", "d", "beat on which it sounded"),
        ("tempo_bpm", "d", "tempo all the while, quarter notes a minute"),
        ("signature_numerator", "I", "1..64"),
        ("signature_denominator", "I", "1, 2, 4 .. 64"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Captured:
    """A recording: `audio` float32 [n, channels], a copy, and its position on the host's timeline."""

    audio: Samples
    rate_hz: int
    bpm: float
    start_beats: float


def read_capture(name: str) -> Captured:
    """Copy a complete capture out of its segment.

    Raises SegmentMissing, SegmentForeign or SharedMemoryError if the segment is no capture, RegionTransfer if it is
    not complete, and the errors of `check_form` for its length and rate.  [any]
    """
    try:
        segment = Segment.attach(name)
    except ValueError as fault:
        raise SegmentForeign(str(fault)) from None
    try:
        return _read(segment)
    finally:
        segment.close()


def _read(segment: Segment) -> Captured:
    words = _words(segment)
    if words["magic"] != MAGIC or words["version"] != VERSION:
        raise SegmentForeign(f"{segment.name} is not a capture of version {VERSION}")
    channels, capacity = int(words["channels"]), int(words["capacity_samples"])
    wanted = PAYLOAD_OFFSET + 4 * channels * capacity
    if channels not in (1, 2) or words["payload_offset"] != PAYLOAD_OFFSET or wanted > segment.n_bytes:
        raise SegmentForeign(f"{segment.name}: {channels} channels of {capacity} samples do not fit its size")
    if words["capture_state"] != WHOLE:
        raise RegionTransfer(f"{segment.name} holds no whole capture (state {words['capture_state']:.0f})")
    n_samples, rate_hz = int(words["n_samples"]), int(words["sample_rate_hz"])
    if n_samples > capacity:
        raise SegmentForeign(f"{segment.name}: {n_samples} samples where {capacity} fit")
    check_form(n_samples, channels, rate_hz)
    bpm, start_beats = float(words["tempo_bpm"]), float(words["start_beats"])
    if not (math.isfinite(start_beats) and abs(start_beats) < 2.0**40):
        raise RegionTransfer(f"a capture cannot begin on beat {start_beats}")
    bpm = float(BPM.wire(bpm))
    count = n_samples * channels
    flat = np.frombuffer(segment.memory, "<f4", count, PAYLOAD_OFFSET)
    audio = flat.reshape(n_samples, channels).copy()
    del flat
    if _words(segment)["capture_number"] != words["capture_number"]:
        raise RegionTransfer(f"{segment.name} was recorded over while it was read")
    return Captured(audio, rate_hz, bpm, start_beats)


def put_capture(number: int, captured: Captured) -> Segment:
    """A segment that holds a complete capture; whoever made it closes and unlinks it once it was read.

    Raises the errors of `check_form`, and SharedMemoryError if the system gives no memory.  [any]
    """
    n_samples, channels = captured.audio.shape
    check_form(n_samples, channels, captured.rate_hz)
    segment = Segment.create(segment_name(number), PAYLOAD_OFFSET + 4 * captured.audio.size)
    values = {
        "version": VERSION, "segment_bytes": segment.n_bytes, "sample_rate_hz": captured.rate_hz,
        "channels": channels, "capacity_samples": n_samples, "payload_offset": PAYLOAD_OFFSET,
        "host_pid": os.getpid(), "created_ns": time.monotonic_ns(), "capture_number": 1, "n_samples": n_samples,
        "start_beats": captured.start_beats, "tempo_bpm": captured.bpm, "signature_numerator": 4,
        "signature_denominator": 4, "capture_state": WHOLE, "magic": MAGIC,
    }  # fmt: skip
    for section in SECTIONS:
        for field in section.fields:
            if field.name in values:
                at = section.start + field.offset
                struct.pack_into(f"<{field.code}", segment.memory, at, values[field.name])
    payload = np.ascontiguousarray(captured.audio, "<f4").tobytes()
    segment.memory[PAYLOAD_OFFSET : PAYLOAD_OFFSET + len(payload)] = payload
    return segment


def _words(segment: Segment) -> dict[str, float]:
    """All words of the header by name; SegmentForeign if the segment is too small."""
    if segment.n_bytes < PAYLOAD_OFFSET:
        raise SegmentForeign(f"{segment.name} has {segment.n_bytes} bytes, less than a capture's header")
    head, found = bytes(segment.memory[:PAYLOAD_OFFSET]), {}
    types = {"I": "<u4", "Q": "<u8", "q": "<i8", "d": "<f8"}
    for section in SECTIONS:
        for field in section.fields:
            found[field.name] = np.frombuffer(head, types[field.code], 1, section.start + field.offset)[0].item()
    return found


def markdown() -> str:
    """The tables of docs/capture.md.  [any]"""
    lines = []
    for section in SECTIONS:
        lines += layout.table(section, f"at byte {section.start}", section.start)
    return "\n".join(lines)


def c_header() -> str:
    """The text of bridge/region/segue_capture.h.  [any]"""
    lines = ["/* Made by `python -m bridge.region.capture c`; docs/capture.md says what the words mean. MIT. */"]
    lines += ["#ifndef SEGUE_CAPTURE_H", "#define SEGUE_CAPTURE_H", "#include <stdint.h>", ""]
    lines += [f"#define SEGUE_CAPTURE_MAGIC 0x{MAGIC:08x}u", f"#define SEGUE_CAPTURE_VERSION {VERSION}u"]
    lines += [f"#define SEGUE_CAPTURE_PAYLOAD {PAYLOAD_OFFSET}u", ""]
    for section in SECTIONS:
        lines += layout.struct_lines(section)
    lines.append("typedef struct {")
    lines += [f"    segue_{section.name} {section.name.removeprefix('capture_')};" for section in SECTIONS]
    return "\n".join([*lines, "} segue_capture_header;", "", "#endif"]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(c_header() if sys.argv[1:] == ["c"] else markdown() + "\n")
