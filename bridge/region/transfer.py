"""Regions in numbered chunks: how audio becomes chunks, and how chunks become a region again.

    audio --bytes_of--> bytes --chunks_of--> base64 texts ~~~ UDP, any order ~~~> Transfers --region--> Region

A chunk is CHUNK_BYTES of little-endian interleaved samples (the last one shorter). `missing` names chunks that did
not arrive; they are sent again.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from bridge.control.clients import Client, Source
from bridge.control.messages import CHUNK_BYTES, CHUNKS_MAX
from bridge.errors import Busy, RegionFormat, RegionTooLong, RegionTransfer
from bridge.region.region import Region, Samples, check_form, make_region

TRANSFERS_PER_CLIENT = 4
TRANSFERS_MAX = 16
BYTES_MAX = 128 * 2**20  # of all transfers together
IDLE_SECONDS = 60.0  # a transfer is dropped after this time without a chunk
_LISTED_CHARACTERS = 800
_DTYPES: dict[str, np.dtype[np.int16] | np.dtype[np.float32]] = {
    "s16": np.dtype("<i2"),
    "f32": np.dtype("<f4"),
}
_FULL_SCALE = 32768.0


# -- sender ------------------------------------------------------------------------------------------


def bytes_of(audio: Samples, encoding: str) -> bytes:
    """The bytes of float32 samples [n, channels]; s16 is clipped at full scale.  [any]"""
    dtype = dtype_of(encoding)
    if encoding == "s16":
        audio = np.clip(np.round(audio * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1)
    return audio.astype(dtype).tobytes()


def chunks_of(data: bytes) -> list[str]:
    """The base64 texts of all chunks, in order.  [any]"""
    parts = (data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES))
    return [base64.b64encode(part).decode("ascii") for part in parts]


def checksum(data: bytes | bytearray) -> str:
    """CRC-32 as 8 hexadecimal digits.  [any]"""
    return f"{zlib.crc32(data):08x}"


def dtype_of(encoding: str) -> np.dtype[np.int16] | np.dtype[np.float32]:
    """The sample format of an entry of messages.ENCODINGS.  [any]"""
    if encoding not in _DTYPES:
        raise RegionFormat(f"encoding is {encoding!r}, must be one of {', '.join(_DTYPES)}")
    return _DTYPES[encoding]


# -- lists of numbers ---------------------------------------------------------------------------------


def format_numbers(numbers: Iterable[int]) -> str:
    """Ascending numbers as '3 17 20-25', as many as fit in an answer.  [any]"""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
            if len(runs) > _LISTED_CHARACTERS // 4:
                break
    text = " ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)
    return text if len(text) <= _LISTED_CHARACTERS else text[:_LISTED_CHARACTERS].rpartition(" ")[0]


def parse_numbers(text: str) -> list[int]:
    """The numbers in a text of `format_numbers`; ValueError for any other text.  [any]"""
    numbers: list[int] = []
    for part in text.split():
        first, _, last = part.partition("-")
        low, high = int(first), int(last or first)
        if not 0 <= low <= high < CHUNKS_MAX:
            raise ValueError(f"{part!r} names no chunks")
        numbers.extend(range(low, high + 1))
    return numbers


# -- receiver -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Form:
    """What a transfer announces: lane and role, and the samples' shape and position."""

    lane: int
    role: str
    samples: int
    channels: int
    rate_hz: int
    encoding: str
    bpm: float
    start_beats: float

    @property
    def size_bytes(self) -> int:
        """Bytes of all samples.  [any]"""
        return self.samples * self.channels * dtype_of(self.encoding).itemsize

    @property
    def chunks(self) -> int:
        """The number of chunks.  [any]"""
        return -(-self.size_bytes // CHUNK_BYTES)


@dataclass(slots=True)
class Transfer:
    """A region in transfer: the received bytes, and their chunks."""

    form: Form
    received_at_seconds: float
    data: bytearray = field(init=False)
    came: bytearray = field(init=False)

    def __post_init__(self) -> None:
        self.data = bytearray(self.form.size_bytes)
        self.came = bytearray(self.form.chunks)

    def put(self, chunk: int, text: str) -> None:
        """Store one chunk, also repeatedly. RegionTransfer if it does not fit.  [control]"""
        if chunk >= len(self.came):
            raise RegionTransfer(f"chunk {chunk} of a transfer of {len(self.came)} (numbered from 0)")
        try:
            part = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as fault:
            raise RegionTransfer(f"chunk {chunk} is not base64: {fault}") from None
        at = chunk * CHUNK_BYTES
        wanted = min(CHUNK_BYTES, len(self.data) - at)
        if len(part) != wanted:
            raise RegionTransfer(f"chunk {chunk} holds {len(part)} bytes, must hold {wanted}")
        self.data[at : at + wanted] = part
        self.came[chunk] = 1

    def missing(self) -> list[int]:
        """Numbers of the missing chunks.  [control]"""
        return [chunk for chunk, came in enumerate(self.came) if not came]

    def region(self) -> Region:
        """The region, checked like one from a file; slow.  [any]"""
        form = self.form
        audio = np.frombuffer(self.data, dtype_of(form.encoding)).reshape(-1, form.channels).astype(np.float32)
        if form.encoding == "s16":
            audio /= np.float32(_FULL_SCALE)
        return make_region(audio, form.rate_hz, form.role, form.bpm, form.start_beats)


class Transfers:
    """All open transfers, by client and number."""

    def __init__(self) -> None:
        self._open: dict[tuple[Source, int], Transfer] = {}

    def begin(self, client: Client, number: int, form: Form, now_seconds: float) -> Transfer:
        """Open a transfer; the same announcement again keeps the received chunks, another one starts over.

        RegionError for shapes that would be refused at the end; Busy if too many are open.  [control]
        """
        check_form(form.samples, form.channels, form.rate_hz)
        if form.chunks > CHUNKS_MAX:
            limit = CHUNKS_MAX * CHUNK_BYTES
            text = f"the region has {form.size_bytes} bytes, {limit} go in chunks"
            raise RegionTooLong(f"{text}; send s16, or a file, or a shorter region")
        self._expire(now_seconds)
        key = (client.address, number)
        transfer = self._open.get(key)
        if transfer is None or transfer.form != form:
            self._check_room(key, form)
            transfer = self._open[key] = Transfer(form, now_seconds)
        return transfer

    def chunk(self, client: Client, number: int, chunk: int, text: str, now_seconds: float) -> None:
        """Store one chunk of an open transfer.  [control]"""
        transfer = self.get(client, number)
        transfer.received_at_seconds = now_seconds
        transfer.put(chunk, text)

    def get(self, client: Client, number: int) -> Transfer:
        """An open transfer; RegionTransfer if there is none.  [control]"""
        transfer = self._open.get((client.address, number))
        if transfer is None:
            raise RegionTransfer(f"transfer {number} was not begun, or fell silent for {IDLE_SECONDS:.0f} s")
        return transfer

    def finish(self, client: Client, number: int, crc32: str) -> Transfer:
        """Remove and return a transfer if no chunk is missing.

        A wrong checksum raises RegionTransfer; all chunks must then be sent again.  [control]
        """
        transfer = self.get(client, number)
        if transfer.missing():
            return transfer
        if crc32 and crc32.lower() != checksum(transfer.data):
            transfer.came = bytearray(len(transfer.came))
            raise RegionTransfer(f"transfer {number} came damaged (checksum); send every chunk again")
        return self._open.pop((client.address, number))

    def forget(self, client: Client) -> None:
        """Drop the transfers of a client that left.  [control]"""
        for key in [key for key in self._open if key[0] == client.address]:
            del self._open[key]

    def _check_room(self, key: tuple[Source, int], form: Form) -> None:
        others = [(other, transfer) for other, transfer in self._open.items() if other != key]
        mine = sum(other[0] == key[0] for other, _ in others)
        if mine >= TRANSFERS_PER_CLIENT or len(others) >= TRANSFERS_MAX:
            raise Busy(f"{TRANSFERS_PER_CLIENT} transfers a client may be open, {TRANSFERS_MAX} in all")
        if sum(transfer.form.size_bytes for _, transfer in others) + form.size_bytes > BYTES_MAX:
            raise Busy(f"open transfers may have {BYTES_MAX // 2**20} MB together; end one first")

    def _expire(self, now_seconds: float) -> None:
        for key, transfer in list(self._open.items()):
            if now_seconds - transfer.received_at_seconds > IDLE_SECONDS:
                del self._open[key]
