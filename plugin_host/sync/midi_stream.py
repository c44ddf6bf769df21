"""Bytes of a MIDI cable to messages: running status, clock in the middle of a message, halves, and floods of sysex.

B0 07 40  41  42        three messages: the status counts until another one comes
B0 07 F8 40             a clock, and a control change around it
F0 ... ... B0 07 40     a sysex that was cut off is dropped, what follows counts
07 40 (without status)  dropped
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SYSEX_MAX = 65_536  # bytes; longer ones are dropped
_SYSEX, _SYSEX_END, _REAL_TIME, _COMMON = 0xF0, 0xF7, 0xF8, 0xF0
_LENGTHS = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}  # data bytes, by the upper half
_COMMON_LENGTHS = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0}
_UNDEFINED = (0xF9, 0xFD)


class MidiStream:
    """What one port receives; keeps a message that has begun.  [any: one thread]"""

    def __init__(self) -> None:
        self._status = 0  # 0: none that counts
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """The mido messages that are complete after these bytes."""
        import mido

        for whole in self._messages(data):
            yield mido.Message.from_bytes(whole)

    def _messages(self, data: bytes) -> Iterator[bytes]:
        for byte in data:
            if byte >= _REAL_TIME:
                if byte not in _UNDEFINED:
                    yield bytes([byte])
            elif byte >= 0x80:
                yield from self._begin(byte)
            elif self._status == _SYSEX:
                self._data.append(byte)
                if len(self._data) > SYSEX_MAX:
                    self._status = 0
                    self._data.clear()
            elif self._status:
                self._data.append(byte)
                yield from self._complete()

    def _begin(self, status: int) -> Iterator[bytes]:
        """A status byte: what had begun is dropped, but for a sysex that it ends."""
        if status == _SYSEX_END and self._status == _SYSEX:
            yield bytes([_SYSEX, *self._data, _SYSEX_END])
        self._data.clear()
        known = status < _COMMON or status == _SYSEX or status in _COMMON_LENGTHS
        self._status = status if known else 0
        if self._status:
            yield from self._complete()

    def _complete(self) -> Iterator[bytes]:
        if self._status == _SYSEX:
            return
        common = self._status >= _COMMON
        if len(self._data) == (_COMMON_LENGTHS[self._status] if common else _LENGTHS[self._status & 0xF0]):
            yield bytes([self._status, *self._data])
            self._data.clear()
            if common:
                self._status = 0  # they have no running status
