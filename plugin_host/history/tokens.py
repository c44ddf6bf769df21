"""Codes of the codec as bytes for the database: whole bits, one codebook after another, deflated if that is smaller.

"T1"  u8 deflated  u8 bits  u8 codebooks  f32 frames a second  u32 frames  |  the bits of all codes
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int16]
_HEAD = struct.Struct("<2sBBBfI")
_MARK = b"T1"
FRAMES_MAX = 2**24


def pack(codes: Codes, frames_per_second: float) -> bytes:
    """Codes [codebooks, frames], from 0 on, as bytes; ValueError for negative ones.  [any]"""
    if codes.ndim != 2 or (codes.size and codes.min() < 0):
        raise ValueError(f"codes must be [codebooks, frames] from 0 on, got shape {codes.shape}")
    bits = max(1, int(codes.max()).bit_length()) if codes.size else 1
    planes = codes.astype(np.uint16)[..., None] >> np.arange(bits, dtype=np.uint16)[::-1] & 1
    plain = np.packbits(planes.astype(np.uint8).reshape(-1)).tobytes()
    small = zlib.compress(plain, 9)
    deflated = len(small) < len(plain)
    head = _HEAD.pack(_MARK, int(deflated), bits, codes.shape[0], frames_per_second, codes.shape[1])
    return head + (small if deflated else plain)


def unpack(data: bytes) -> tuple[Codes, float]:
    """Inverse of `pack`: codes [codebooks, frames] and frames a second; ValueError for other bytes.  [any]"""
    if len(data) < _HEAD.size or data[:2] != _MARK:
        raise ValueError("these bytes are no codes")
    _, deflated, bits, codebooks, rate, frames = _HEAD.unpack_from(data)
    if not 1 <= bits <= 15 or not frames <= FRAMES_MAX:
        raise ValueError(f"codes of {bits} bits, {frames} frames are not read")
    size = (codebooks * frames * bits + 7) // 8
    plain = data[_HEAD.size :]
    if deflated and size:
        try:
            plain = zlib.decompressobj().decompress(plain, size)
        except zlib.error as error:
            raise ValueError(f"the codes are damaged: {error}") from None
    if len(plain) != size:
        raise ValueError(f"{len(plain)} bytes of codes, {size} are needed")
    planes = np.unpackbits(np.frombuffer(plain, np.uint8))[: codebooks * frames * bits]
    weights = 1 << np.arange(bits, dtype=np.int32)[::-1]
    codes = planes.reshape(codebooks, frames, bits) @ weights
    return codes.astype(np.int16), float(rate)
