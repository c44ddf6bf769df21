"""Metadata for DAWs: bodies of the RIFF chunks bext, acid, smpl, cue with its labels, and iXML.

Sources: EBU Tech 3285 version 2 (bext), Microsoft's multimedia data standards (smpl, cue, LIST adtl), the iXML 3.01
specification; acid was never published; its fields follow libsndfile and makers of loops.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree

from bridge.system.plain_text import xml_text
from bridge.time.units import Signature, samples_to_seconds
from plugin_host.takes.loudness import Loudness

ACID_ROOT, ACID_STRETCH, ACID_ONE_SHOT = 0x02, 0x04, 0x01
MIDDLE_C = 60
_UNMEASURED = 0x7FFF  # bext's value for an unknown loudness
KEYS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_FLATS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#"}


@dataclass(frozen=True)
class TakeStamp:
    """A file's author, title, position on the timeline and date."""

    description: str
    originator: str
    reference: str
    made: datetime
    start_samples: int


def root_of(key: str) -> int | None:
    """Pitch class 0..11 of a key like "Am", "F# minor" or "Bb"; None if it is none.  [any]"""
    name = key.strip()[:2]
    name = _FLATS.get(name, name)
    if name not in KEYS:
        name = name[:1]
    return KEYS.index(name) if name in KEYS else None


def bext(stamp: TakeStamp, loudness: Loudness | None, form: str) -> bytes:
    """Broadcast extension, version 2; `form` is its coding history, like "A=PCM,F=48000,W=24,M=stereo".  [any]"""
    values = [_UNMEASURED] * 5
    if loudness is not None:
        found = (loudness.lufs, loudness.range_lu, loudness.true_peak_db, loudness.momentary, loudness.short_term)
        values = [_hundredths(value) for value in found]
    return (
        _text(stamp.description, 256) + _text(stamp.originator, 32) + _text(stamp.reference, 32)
        + stamp.made.strftime("%Y-%m-%d%H:%M:%S").encode()
        + struct.pack("<QH64s5h180s", stamp.start_samples, 2, b"", *values, b"")
        + f"{form},T={stamp.originator}\r\n".encode("ascii", "replace")
    )  # fmt: skip


def _hundredths(value: float) -> int:
    return round(100 * value) if -99.99 <= value <= 99.99 else _UNMEASURED


def _text(text: str, size: int) -> bytes:
    return text.encode("ascii", "replace")[:size].ljust(size, b"\0")


def acid(bpm: float, beats: int, signature: Signature, key: str, loop: bool) -> bytes:
    """Tempo, length in beats and root note; beats are notes of the signature's denominator, as DAWs count.  [any]"""
    root = root_of(key)
    flags = (0 if loop else ACID_ONE_SHOT) | ACID_STRETCH | (ACID_ROOT if root is not None else 0)
    note = MIDDLE_C + (root or 0)
    return struct.pack("<IHHfIHHf", flags, note, 0x8000, 0.0, beats, signature.denominator, signature.numerator, bpm)


def smpl(rate_hz: int, n_samples: int, key: str) -> bytes:
    """One loop over the whole file, for ever.  [any]"""
    nanoseconds = round(float(samples_to_seconds(10**9, rate_hz)))
    note = MIDDLE_C + (root_of(key) or 0)
    return struct.pack("<9I", 0, 0, nanoseconds, note, 0, 0, 0, 1, 0) + struct.pack("<6I", 1, 0, 0, n_samples - 1, 0, 0)


def cues(starts: Sequence[int], first_bar: int) -> list[tuple[bytes, bytes]]:
    """A marker on each bar's first sample, named "bar N": the chunks `cue ` and LIST adtl.  [any]"""
    points = [struct.pack("<II4sIII", i + 1, at, b"data", 0, 0, at) for i, at in enumerate(starts)]
    labels = b"adtl"
    for i in range(len(starts)):
        text = f"bar {first_bar + i}".encode() + b"\0"
        labels += struct.pack("<4sII", b"labl", 4 + len(text), i + 1) + text + b"\0" * (len(text) % 2)
    return [(b"cue ", struct.pack("<I", len(points)) + b"".join(points)), (b"LIST", labels)]


def ixml(fields: Mapping[str, str], user: Mapping[str, str], form: tuple[int, int, int], start_samples: int) -> bytes:
    """iXML: take, note and so on as `fields`, our own as `user`; `form` is rate in Hz, channels, bits.  [any]"""
    rate_hz, channels, bits = form
    root = ElementTree.Element("BWFXML")
    ElementTree.SubElement(root, "IXML_VERSION").text = "3.01"
    for name, text in fields.items():
        ElementTree.SubElement(root, name).text = xml_text(text)
    speed = ElementTree.SubElement(root, "SPEED")
    for name, text in (
        ("FILE_SAMPLE_RATE", str(rate_hz)), ("AUDIO_BIT_DEPTH", str(bits)),
        ("TIMESTAMP_SAMPLE_RATE", str(rate_hz)),
        ("TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI", str(start_samples >> 32)),
        ("TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO", str(start_samples & 0xFFFFFFFF)),
    ):  # fmt: skip
        ElementTree.SubElement(speed, name).text = text
    tracks = ElementTree.SubElement(root, "TRACK_LIST")
    ElementTree.SubElement(tracks, "TRACK_COUNT").text = str(channels)
    for number, side in enumerate(("left", "right")[:channels] if channels == 2 else ("mono",), 1):
        track = ElementTree.SubElement(tracks, "TRACK")
        for name, text in (("CHANNEL_INDEX", str(number)), ("INTERLEAVE_INDEX", str(number)), ("NAME", side)):
            ElementTree.SubElement(track, name).text = text
    ours = ElementTree.SubElement(root, "USER")
    for name, text in user.items():
        ElementTree.SubElement(ours, name).text = xml_text(text)
    return b'<?xml version="1.0" encoding="UTF-8"?>' + ElementTree.tostring(root, "utf-8", xml_declaration=False)


def ixml_user(body: bytes, name: str) -> str | None:
    """One of Segue's fields of an iXML chunk, by text search: foreign XML is not parsed.  [any]"""
    import html

    text = body.decode("utf-8", "replace")
    begin, end = text.find(f"<{name}>"), text.find(f"</{name}>")
    return html.unescape(text[begin + len(name) + 2 : end]) if 0 <= begin < end else None
