"""Byte layout of a lane's shared-memory segment: the one table for Python, C and the documentation.

    0      identity     written once by the engine, magic last
    64     writer       the engine's counters          | each on its own cache lines:
    128    plan         the engine's plan (sequence)   | no line is written from both sides
    192    reader       the host's counters            |
    256    transport    the host's timeline (sequence) |
    384    fader        the lane's loudness (sequence) |
    512    slot headers capacity_blocks x 32 bytes
    ...    payload      capacity_blocks x block_samples x channels float32, interleaved, page-aligned

`python -m bridge.ring.layout c` prints bridge/ring/segue_ring.h, `python -m bridge.ring.layout md` the tables of
docs/shared_memory.md; tests compare both with this file, and gcc compares the header with it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

MAGIC = int.from_bytes(b"SEGR", "little")
VERSION = 1
HEADER_BYTES = 512
SLOT_BYTES = 32
PAGE_BYTES = 4096
ENDLESS_SAMPLES = 2**63 - 1
FADER_CHANGES = 3  # next changes in a fader block
MAX_GAIN = 8.0  # of a fader

# What a reader accepts; a writer makes only these.
MAX_CHANNELS = 8
MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 384_000
MIN_BLOCK_SAMPLES, MAX_BLOCK_SAMPLES = 16, 8192
MIN_CAPACITY_BLOCKS, MAX_CAPACITY_BLOCKS = 4, 65_536

ENGINE_STARTING, ENGINE_READY, ENGINE_CLOSED = 0, 1, 2
PLAN_SOUNDING = 1
TRANSPORT_PLAYING, TRANSPORT_LOOPING = 1, 2

SIZES = {"I": 4, "Q": 8, "q": 8, "d": 8}
C_TYPES = {"I": "uint32_t", "Q": "uint64_t", "q": "int64_t", "d": "double"}


@dataclass(frozen=True, slots=True)
class Field:
    """One word: `code` is u32 "I", u64 "Q", i64 "q" or f64 "d", little-endian and aligned."""

    name: str
    offset: int
    code: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Section:
    """Words that one side writes; `start` counts from the segment, fields count from `start`."""

    name: str
    start: int
    n_bytes: int
    writer: str
    fields: tuple[Field, ...]


def make_section(name: str, start: int, n_bytes: int, writer: str, *rows: tuple[str, str, str]) -> Section:
    """A section of consecutive (name, code, meaning) rows; ValueError if they do not fit.  [any]"""
    fields: list[Field] = []
    offset = 0
    for field_name, code, meaning in rows:
        if offset % SIZES[code]:
            raise ValueError(f"{name}.{field_name} at {offset} is not aligned")
        fields.append(Field(field_name, offset, code, meaning))
        offset += SIZES[code]
    if offset > n_bytes:
        raise ValueError(f"section {name} needs {offset} bytes and has {n_bytes}")
    return Section(name, start, n_bytes, writer, tuple(fields))


SECTIONS: tuple[Section, ...] = (
    make_section(
        "identity", 0, 64, "engine, once",
        ("magic", "I", "the bytes S E G R; written last, so a segment that has it is whole"),
        ("version", "I", f"{VERSION}; a reader refuses every other"),
        ("segment_bytes", "Q", "size of the whole segment"),
        ("sample_rate_hz", "I", f"{MIN_RATE_HZ}..{MAX_RATE_HZ}, the host's rate"),
        ("channels", "I", f"1..{MAX_CHANNELS}"),
        ("block_samples", "I", f"{MIN_BLOCK_SAMPLES}..{MAX_BLOCK_SAMPLES}: most samples one slot holds"),
        ("capacity_blocks", "I", f"{MIN_CAPACITY_BLOCKS}..{MAX_CAPACITY_BLOCKS}, a power of two: slots"),
        ("slots_offset", "I", "first slot header"),
        ("payload_offset", "I", "first payload byte, a multiple of 4096"),
        ("lane", "I", "lane number"),
        ("engine_pid", "I", "process that made the segment"),
        ("created_ns", "Q", "monotonic clock when it was made: tells two segments of one name apart"),
    ),
    make_section(
        "writer", 64, 64, "engine",
        ("blocks_written", "Q", "slots published since the start; only grows; slot = number mod capacity"),
        ("engine_heartbeat_ns", "Q", "monotonic clock, at least every 100 ms; older than 500 ms means dead"),
        ("written_end_samples", "q", "host position behind the last published sample, counted on through loop ends"),
        ("engine_state", "I", "0 starting, 1 ready, 2 closed on purpose"),
    ),
    make_section(
        "plan", 128, 64, "engine",
        ("plan_sequence", "I", "odd while the plan is being written"),
        ("plan_generation", "I", "newest generation of the plan"),
        ("plan_timeline", "I", "timeline number the positions below belong to"),
        ("plan_flags", "I", "bit 0: sound is due between start and end"),
        ("plan_from_samples", "q", "from this position on, blocks of older generations do not count"),
        ("plan_start_samples", "q", "sound is due from here"),
        ("plan_end_samples", "q", "up to here; 2^63-1 for endless"),
    ),
    make_section(
        "reader", 192, 64, "host",
        ("blocks_read", "Q", "slots given back since the start; only grows; never above blocks_written"),
        ("host_heartbeat_ns", "Q", "monotonic clock of the last block the host played"),
        ("underruns", "Q", "times the host asked and too little was there"),
        ("underrun_samples", "Q", "samples missed in them"),
        ("late_blocks", "Q", "blocks dropped because their position had passed"),
        ("stale_blocks", "Q", "blocks dropped because a jump or a newer plan had overtaken them"),
        ("host_pid", "I", "owning reader; 0 for none"),
    ),
    make_section(
        "transport", 256, 128, "host",
        ("transport_sequence", "I", "odd while the block is being written; 0: never written"),
        ("transport_flags", "I", "bit 0 playing, bit 1 looping, bit 2 recording"),
        ("transport_timeline", "I", "timeline number: grows at each jump and each loop pass"),
        ("host_block_samples", "I", "size of the block this snapshot was made for"),
        ("position_samples", "q", "host position of that block's first sample"),
        ("transport_written_ns", "Q", "monotonic clock when it was written"),
        ("tempo_bpm", "d", "quarter notes a minute"),
        ("position_beats", "d", "beat at position_samples; follows from the anchor, for convenience"),
        ("anchor_samples", "q", "a point of the grid that stays while the tempo does: this sample..."),
        ("anchor_beats", "d", "...sounds on this beat"),
        ("signature_numerator", "I", "1..64"),
        ("signature_denominator", "I", "1, 2, 4 .. 64"),
        ("bar_origin_beats", "d", "a beat on which some bar begins; 0 unless the signature changed"),
        ("loop_start_beats", "d", "loop, when bit 1 is set"),
        ("loop_end_beats", "d", ""),
    ),
    make_section(
        "fader", 384, 64, "engine",
        ("fader_sequence", "I", "odd while the fader is being written; 0: never written"),
        ("fader_timeline", "I", "timeline number the positions below belong to"),
        ("fader_gain", "d", f"how loud the lane is before the first of them; 0 is muted, 0..{MAX_GAIN:.0f}"),
        ("fader_1_samples", "q", "from this position on...; 2^63-1 where no change is known"),
        ("fader_1_gain", "d", "...it is as loud as this"),
        ("fader_2_samples", "q", "the next one, no earlier"),
        ("fader_2_gain", "d", ""),
        ("fader_3_samples", "q", "the next one, no earlier"),
        ("fader_3_gain", "d", ""),
    ),
)  # fmt: skip

SLOT = make_section(
    "slot", HEADER_BYTES, SLOT_BYTES, "engine",
    ("slot_number", "Q", "number of the block in this slot, counted like blocks_written"),
    ("slot_position_samples", "q", "host position of its first sample"),
    ("slot_generation", "I", "generation of the plan that made it"),
    ("slot_timeline", "I", "timeline number its position belongs to"),
    ("slot_n_samples", "I", "1..block_samples: samples in it"),
)  # fmt: skip

OFFSETS: dict[str, int] = {f.name: s.start + f.offset for s in SECTIONS for f in s.fields}


def payload_offset(capacity_blocks: int) -> int:
    """The first payload byte after the slot headers, page-aligned.  [any]"""
    return -(-(HEADER_BYTES + SLOT_BYTES * capacity_blocks) // PAGE_BYTES) * PAGE_BYTES


def segment_bytes(channels: int, block_samples: int, capacity_blocks: int) -> int:
    """Size of the whole segment.  [any]"""
    return payload_offset(capacity_blocks) + 4 * channels * block_samples * capacity_blocks


def markdown() -> str:
    """The tables of docs/shared_memory.md.  [any]"""
    lines: list[str] = []
    for section in (*SECTIONS, SLOT):
        where = "each, from byte 512" if section is SLOT else f"at byte {section.start}"
        lines += table(section, where, 0 if section is SLOT else section.start)
    return "\n".join(lines)


def table(section: Section, where: str, base: int) -> list[str]:
    """Lines of a section's table in the page; `base` is its first byte.  [any]"""
    lines = [f"### {section.name}: {section.n_bytes} bytes {where}; written by: {section.writer}", ""]
    lines += ["| byte | type | name | meaning |", "|---:|---|---|---|"]
    for f in section.fields:
        lines.append(f"| {base + f.offset} | {C_TYPES[f.code]} | `{f.name}` | {f.meaning} |")
    return [*lines, ""]


def c_header() -> str:
    """The text of bridge/ring/segue_ring.h: the same words as C structs of the same size.  [any]"""
    lines = ["/* Made by `python -m bridge.ring.layout c`; docs/shared_memory.md says what the words mean. MIT. */"]
    lines += ["#ifndef SEGUE_RING_H", "#define SEGUE_RING_H", "#include <stdint.h>", ""]
    lines += [f"#define SEGUE_MAGIC 0x{MAGIC:08x}u", f"#define SEGUE_VERSION {VERSION}u"]
    lines += [f"#define SEGUE_HEADER_BYTES {HEADER_BYTES}u", f"#define SEGUE_SLOT_BYTES {SLOT_BYTES}u"]
    lines += ["#define SEGUE_ENDLESS INT64_MAX", ""]
    for section in (*SECTIONS, SLOT):
        lines += struct_lines(section)
    lines.append("typedef struct {")
    lines += [f"    segue_{section.name} {section.name};" for section in SECTIONS]
    last = SECTIONS[-1].start + SECTIONS[-1].n_bytes
    lines += [f"    uint8_t spare[{HEADER_BYTES - last}];", "} segue_header;", "", "#endif"]
    return "\n".join(lines) + "\n"


def struct_lines(section: Section) -> list[str]:
    """Lines of a section's C struct, as long as the section.  [any]"""
    lines = [f"typedef struct {{ /* written by: {section.writer} */"]
    lines += [f"    {C_TYPES[f.code]} {f.name};" for f in section.fields]
    used = section.fields[-1].offset + SIZES[section.fields[-1].code]
    if section.n_bytes > used:
        lines.append(f"    uint8_t {section.name}_spare[{section.n_bytes - used}];")
    return [*lines, f"}} segue_{section.name};", ""]


if __name__ == "__main__":
    sys.stdout.write(c_header() if sys.argv[1:] == ["c"] else markdown() + "\n")
