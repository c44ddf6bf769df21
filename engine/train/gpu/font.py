"""Makes a soundfont small: samples of unused presets go, right channels take the left one's, the rest become Vorbis.

The renderer mixes to mono at 32 kHz, so hardly more than the compression is heard. Presets, zones and loops stay as
they are: only the sample headers and the samples are written anew (SF3, as MuseScore writes it).

All of it [main].
"""

import io
import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

VORBIS, RIGHT, LEFT = 0x10, 2, 4
HEADER = struct.Struct("<20sIIIIIBbHH")  # of a sample: name, start, end, loop start, loop end, rate, ..., link, type
INSTRUMENT_OF_ZONE, SAMPLE_OF_ZONE = 41, 53
DRUM_BANK = 128
UNUSED = -1
WRITE_AT_ONCE = 16384  # libsndfile's encoder needs much stack for long writes

Samples = NDArray[np.int16]


def chunks(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, beginning and end of each chunk; some writers leave out the byte after an odd one."""
    while start + 8 <= end:
        name, size = struct.unpack_from("<4sI", data, start)
        yield name, start + 8, min(start + 8 + size, end)
        start += 8 + size
        if size % 2 and data[start : start + 1] == b"\0":
            start += 1


class SoundFont:
    """A soundfont's chunks: `info` and the tables of `pdta` as bytes, and its samples."""

    def __init__(self, data: bytes) -> None:
        if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
            raise ValueError(f"not a soundfont: it begins with {data[:12]!r}, RIFF....sfbk is allowed")
        self.tables: dict[bytes, bytes] = {}
        for _, start, end in chunks(data, 12, len(data)):
            if data[start : start + 4] == b"INFO":
                self.info = data[start:end]
            else:
                self.tables |= {name: data[a:b] for name, a, b in chunks(data, start + 4, end)}
        rows = self.tables[b"shdr"]
        self.headers = [HEADER.unpack_from(rows, at) for at in range(0, len(rows), HEADER.size)]

    def _rows(self, name: bytes, form: str) -> list[tuple[int, ...]]:
        return list(struct.iter_unpack(form, self.tables[name]))

    def used_samples(self, programs: set[int], kits: set[int]) -> set[int]:
        """Indices of the samples that these programs of bank 0 and these drum kits play."""
        presets = list(struct.iter_unpack("<20sHHHIII", self.tables[b"phdr"]))
        wanted = [n for n, row in enumerate(presets[:-1])
                  if (row[2] == 0 and row[1] in programs) or (row[2] == DRUM_BANK and row[1] in kits)]  # fmt: skip
        named = self._named(b"pbag", b"pgen", [(presets[n][3], presets[n + 1][3]) for n in wanted], INSTRUMENT_OF_ZONE)
        rows = list(struct.iter_unpack("<20sH", self.tables[b"inst"]))
        spans = [(rows[n][1], rows[n + 1][1]) for n in sorted(named)]
        samples = self._named(b"ibag", b"igen", spans, SAMPLE_OF_ZONE)
        return samples | {self.headers[n][8] for n in samples if self.headers[n][9] & (LEFT | RIGHT)}

    def _named(self, bags: bytes, generators: bytes, spans: list[tuple[int, int]], kind: int) -> set[int]:
        """What the zones in these spans of bags name by a generator of a kind."""
        zones, values = self._rows(bags, "<HH"), self._rows(generators, "<HH")
        return {
            value
            for first, last in spans
            for zone in range(first, last)
            for oper, value in values[zones[zone][0] : zones[zone + 1][0]]
            if oper == kind
        }

    def sample(self, index: int) -> Samples:
        """A sample, decoded."""
        import soundfile

        _, start, end, *_, kind = self.headers[index]
        if kind & VORBIS:
            return np.asarray(soundfile.read(io.BytesIO(self.tables[b"smpl"][start:end]), dtype="int16")[0], np.int16)
        return np.frombuffer(self.tables[b"smpl"][2 * start : 2 * end], np.int16)


def vorbis(samples: Samples, rate_hz: int, compression: float) -> bytes:
    """Samples as Ogg Vorbis; `compression` from 0 (large) to 1."""
    import soundfile

    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", rate_hz, 1, format="OGG", subtype="VORBIS",
                             compression_level=compression) as file:  # fmt: skip
        for at in range(0, len(samples), WRITE_AT_ONCE):
            file.write(samples[at : at + WRITE_AT_ONCE])
    return out.getvalue()


def small(data: bytes, programs: set[int], kits: set[int], compression: float) -> bytes:
    """A soundfont that plays these programs and kits as this one does; ValueError for what is none."""
    font = SoundFont(data)
    used, body, rows = font.used_samples(programs, kits), bytearray(), bytearray()
    places: dict[int, tuple[int, int]] = {}
    for index, (name, start, _, loop, loop_end, rate, key, cents, link, kind) in enumerate(font.headers[:-1]):
        base = 0 if kind & VORBIS else start
        source = _channel(font, index) if index in used else UNUSED
        if source not in places:
            audio = np.zeros(64, np.int16) if source == UNUSED else font.sample(source)
            coded = vorbis(audio, rate, compression)
            places[source] = (len(body), len(body) + len(coded))
            body += coded
        loops = (0, 0) if source == UNUSED else (loop - base, loop_end - base)
        rows += HEADER.pack(name, *places[source], *loops, rate, key, cents, link, kind | VORBIS)
    rows += HEADER.pack(*font.headers[-1])
    tables = {**font.tables, b"shdr": bytes(rows)}
    order = (b"phdr", b"pbag", b"pmod", b"pgen", b"inst", b"ibag", b"imod", b"igen", b"shdr")
    listed = b"pdta" + b"".join(_chunk(name, tables[name]) for name in order)
    lists = (font.info, b"sdta" + _chunk(b"smpl", bytes(body)), listed)
    return _chunk(b"RIFF", b"sfbk" + b"".join(_chunk(b"LIST", part) for part in lists))


def _channel(font: SoundFont, index: int) -> int:
    """The sample that stands for one: of a right channel its left one, where both are as long and as fast."""
    header, kind = font.headers[index], font.headers[index][9]
    link = int(header[8])
    if not kind & RIGHT or link >= len(font.headers) - 1:
        return index
    other = font.headers[link]
    alike = other[9] & LEFT and other[5] == header[5] and not kind & VORBIS
    return link if alike and other[2] - other[1] == header[2] - header[1] else index


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
