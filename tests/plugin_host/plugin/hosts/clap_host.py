# ruff: noqa: E501
"""A small CLAP host by ctypes: clap_host.py PLUGIN OUT.npy. It reports tempo, loop, recording and the render mode.

Follows the public CLAP headers 1.1 (MIT): entry, factory, plugin, process, transport event, params, state, render.
"""

import ctypes
import json
import sys
import time
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    byref,
    c_bool,
    c_char_p,
    c_double,
    c_float,
    c_int32,
    c_int64,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)

import numpy as np

RATE, FACTOR = 48_000, 1 << 31


def struct(name, *fields):
    return type(name, (Structure,), {"_fields_": list(fields)})


Version = struct("Version", ("major", c_uint32), ("minor", c_uint32), ("revision", c_uint32))
Host = struct(
    "Host", ("version", Version), ("data", c_void_p), ("name", c_char_p), ("vendor", c_char_p), ("url", c_char_p),
    ("text", c_char_p), ("get_extension", CFUNCTYPE(c_void_p, c_void_p, c_char_p)),
    ("restart", CFUNCTYPE(None, c_void_p)), ("process", CFUNCTYPE(None, c_void_p)), ("callback", CFUNCTYPE(None, c_void_p)),
)  # fmt: skip
Plugin = struct(
    "Plugin", ("descriptor", c_void_p), ("data", c_void_p), ("init", CFUNCTYPE(c_bool, c_void_p)),
    ("destroy", CFUNCTYPE(None, c_void_p)), ("activate", CFUNCTYPE(c_bool, c_void_p, c_double, c_uint32, c_uint32)),
    ("deactivate", CFUNCTYPE(None, c_void_p)), ("start", CFUNCTYPE(c_bool, c_void_p)), ("stop", CFUNCTYPE(None, c_void_p)),
    ("reset", CFUNCTYPE(None, c_void_p)), ("process", CFUNCTYPE(c_int32, c_void_p, c_void_p)),
    ("get_extension", CFUNCTYPE(c_void_p, c_void_p, c_char_p)), ("main", CFUNCTYPE(None, c_void_p)),
)  # fmt: skip
Entry = struct(
    "Entry", ("version", Version), ("init", CFUNCTYPE(c_bool, c_char_p)), ("deinit", CFUNCTYPE(None)),
    ("get_factory", CFUNCTYPE(c_void_p, c_char_p)),
)  # fmt: skip
Factory = struct(
    "Factory", ("count", CFUNCTYPE(c_uint32, c_void_p)), ("descriptor", CFUNCTYPE(c_void_p, c_void_p, c_uint32)),
    ("create", CFUNCTYPE(c_void_p, c_void_p, POINTER(Host), c_char_p)),
)  # fmt: skip
Head = struct(
    "Head", ("size", c_uint32), ("time", c_uint32), ("space", c_uint16), ("type", c_uint16), ("flags", c_uint32)
)
Transport = struct(
    "Transport", ("head", Head), ("flags", c_uint32), ("beats", c_int64), ("seconds", c_int64), ("tempo", c_double),
    ("tempo_inc", c_double), ("loop_start_beats", c_int64), ("loop_end_beats", c_int64), ("loop_start_seconds", c_int64),
    ("loop_end_seconds", c_int64), ("bar_start", c_int64), ("bar_number", c_int32), ("numerator", c_uint16),
    ("denominator", c_uint16),
)  # fmt: skip
ParamEvent = struct(
    "ParamEvent", ("head", Head), ("id", c_uint32), ("cookie", c_void_p), ("note", c_int32), ("port", ctypes.c_int16),
    ("channel", ctypes.c_int16), ("key", ctypes.c_int16), ("value", c_double),
)  # fmt: skip
Buffer = struct(
    "Buffer", ("data32", POINTER(POINTER(c_float))), ("data64", c_void_p), ("channels", c_uint32), ("latency", c_uint32),
    ("constant", c_uint64),
)  # fmt: skip
InEvents = struct(
    "InEvents", ("context", c_void_p), ("size", CFUNCTYPE(c_uint32, c_void_p)),
    ("get", CFUNCTYPE(c_void_p, c_void_p, c_uint32)),
)  # fmt: skip
OutEvents = struct("OutEvents", ("context", c_void_p), ("push", CFUNCTYPE(c_bool, c_void_p, c_void_p)))
Process = struct(
    "Process", ("steady", c_int64), ("frames", c_uint32), ("transport", POINTER(Transport)), ("inputs", POINTER(Buffer)),
    ("outputs", POINTER(Buffer)), ("n_inputs", c_uint32), ("n_outputs", c_uint32), ("in_events", POINTER(InEvents)),
    ("out_events", POINTER(OutEvents)),
)  # fmt: skip
Stream = struct("Stream", ("context", c_void_p), ("move", CFUNCTYPE(c_int64, c_void_p, c_void_p, c_uint64)))
StateExt = struct(
    "StateExt", ("save", CFUNCTYPE(c_bool, c_void_p, POINTER(Stream))), ("load", CFUNCTYPE(c_bool, c_void_p, POINTER(Stream)))
)  # fmt: skip
ParamsExt = struct(
    "ParamsExt", ("count", CFUNCTYPE(c_uint32, c_void_p)), ("info", CFUNCTYPE(c_bool, c_void_p, c_uint32, c_void_p)),
    ("value", CFUNCTYPE(c_bool, c_void_p, c_uint32, POINTER(c_double))),
)  # fmt: skip
RenderExt = struct("RenderExt", ("hard", CFUNCTYPE(c_bool, c_void_p)), ("set", CFUNCTYPE(c_bool, c_void_p, c_int32)))


class Loaded:
    """One plugin instance in a minimal host."""

    def __init__(self, path: str) -> None:
        self.library = ctypes.CDLL(path)
        self.entry = Entry.in_dll(self.library, "clap_entry")
        assert self.entry.init(path.encode())
        self.factory = ctypes.cast(self.entry.get_factory(b"clap.plugin-factory"), POINTER(Factory)).contents
        assert self.factory.count(byref(self.factory)) == 1
        nothing = [CFUNCTYPE(None, c_void_p)(lambda _: None) for _ in range(3)]
        none = CFUNCTYPE(c_void_p, c_void_p, c_char_p)(lambda _, name: self.host_extension(name))
        self.host = Host(Version(1, 1, 1), None, b"small", b"", b"", b"1", none, *nothing)
        descriptor = self.factory.descriptor(byref(self.factory), 0)
        identity = ctypes.cast(descriptor + 16, POINTER(c_char_p))[0]
        self.turned = {}  # parameters that the plugin has set itself, by number
        self.pointer = self.factory.create(byref(self.factory), byref(self.host), identity)
        self.plugin = ctypes.cast(self.pointer, POINTER(Plugin)).contents
        self.identity = identity.decode()
        assert self.plugin.init(self.pointer)
        assert self.plugin.activate(self.pointer, RATE, 1, 8192)
        assert self.plugin.start(self.pointer)
        self.position, self.steady = 0, 0
        self.timeless = False  # reports no time

    def host_extension(self, name: bytes):
        """The address of one of this host's extensions, or None."""
        return None

    def _given(self, event) -> bool:
        said = ctypes.cast(event, POINTER(ParamEvent)).contents
        if said.head.type == 5 and said.head.flags & 1:
            self.turned[said.id] = said.value
        return True

    def extension(self, name: str, kind):
        return ctypes.cast(self.plugin.get_extension(self.pointer, name.encode()), POINTER(kind)).contents

    def transport(self, playing: bool, bpm: float, loop: tuple[float, float] | None) -> Transport:
        beats = self.position * bpm / (60 * RATE)
        flags = 0x1 | 0x2 | 0x4 | 0x8 | (0x10 if playing else 0) | (0x40 if loop else 0)
        start, end = loop or (0.0, 0.0)
        return Transport(
            Head(ctypes.sizeof(Transport), 0, 0, 9, 0), flags, round(beats * FACTOR),
            round(self.position / RATE * FACTOR), bpm, 0.0, round(start * FACTOR), round(end * FACTOR), 0, 0,
            round(beats // 4 * 4 * FACTOR), int(beats // 4), 4, 4,
        )  # fmt: skip

    def run(self, source, playing=False, bpm=128.25, loop=None, values=()):
        """Process one block of `source` [channels, n]; `values` are (parameter, value) pairs. Returns the output."""
        channels, n = source.shape
        result = np.zeros_like(source)

        def buffers(array):
            rows = (POINTER(c_float) * channels)(*(row.ctypes.data_as(POINTER(c_float)) for row in array))
            return rows, Buffer(rows, None, channels, 0, 0)

        _rows_in, ins = buffers(source)
        _rows_out, outs = buffers(result)
        events = [
            ParamEvent(Head(ctypes.sizeof(ParamEvent), 0, 0, 5, 0), i, None, -1, -1, -1, -1, v) for i, v in values
        ]
        taken = InEvents(
            None, CFUNCTYPE(c_uint32, c_void_p)(lambda _: len(events)),
            CFUNCTYPE(c_void_p, c_void_p, c_uint32)(lambda _, i: ctypes.addressof(events[i])),
        )  # fmt: skip
        given = OutEvents(None, CFUNCTYPE(c_bool, c_void_p, c_void_p)(lambda _, event: self._given(event)))
        at = self.transport(playing, bpm, loop)
        block = Process(self.steady, n, None if self.timeless else ctypes.pointer(at), ctypes.pointer(ins), ctypes.pointer(outs), 1, 1,
                        ctypes.pointer(taken), ctypes.pointer(given))  # fmt: skip
        assert self.plugin.process(self.pointer, byref(block)) == 1
        self.steady += n
        self.position += n if playing else 0
        return result

    def mode(self, offline: int) -> None:
        assert self.extension("clap.render", RenderExt).set(self.pointer, offline)

    def value(self, parameter: int) -> float:
        found = c_double()
        assert self.extension("clap.params", ParamsExt).value(self.pointer, parameter, byref(found))
        return found.value

    def save(self) -> bytes:
        parts = []

        def write(_, data, size):
            parts.append(ctypes.string_at(data, size))
            return size

        stream = Stream(None, Stream._fields_[1][1](write))
        assert self.extension("clap.state", StateExt).save(self.pointer, byref(stream))
        return b"".join(parts)

    def load(self, saved: bytes) -> None:
        left = bytearray(saved)

        def read(_, data, size):
            n = min(size, len(left))
            ctypes.memmove(data, bytes(left[:n]), n)
            del left[:n]
            return n

        stream = Stream(None, Stream._fields_[1][1](read))
        assert self.extension("clap.state", StateExt).load(self.pointer, byref(stream))

    def close(self) -> None:
        self.plugin.stop(self.pointer)
        self.plugin.deactivate(self.pointer)
        self.plugin.destroy(self.pointer)


def main(path: str, out_path: str) -> None:
    lane = Loaded(path)
    rng = np.random.default_rng(5)
    source = rng.uniform(-0.25, 0.25, (2, 60 * RATE)).astype(np.float32)
    lane.run(source[:, :512])
    sys.stdin.readline()  # the engine knows the plugin
    lane.mode(1)
    loop = (4.0, 8.0)  # one bar at 128.25
    # Generate, Segue alone; Capture of the loop.
    lane.run(source[:, :64], values=[(0, 1.0), (10, 1.0), (3, 1.0), (5, 0.0)], loop=loop)
    parts, fed = [], []
    wrap = round(8 * 60 * RATE / 128.25)
    while sum(part.shape[1] for part in parts) < 10 * RATE:
        size = min(int(rng.choice((1, 63, 512, 1000, 8192))), wrap - lane.position)
        at = lane.position
        parts.append(lane.run(np.ascontiguousarray(source[:, at : at + size]), True, loop=loop))
        fed.append((at, size))
        if lane.position == wrap:
            lane.position = round(4 * 60 * RATE / 128.25)
    np.savez(out_path, audio=np.concatenate(parts, axis=1)[0], fed=np.array(fed), source=source[0])
    while lane.value(19) == 0:  # "Bars captured": the engine has it
        time.sleep(0.02)
    saved = lane.save()
    print(json.dumps({"id": lane.identity, "saved": saved.decode("utf-8", "replace")}), flush=True)
    sys.stdin.readline()
    lane.close()
    again = Loaded(path)
    again.load(saved)
    again.run(source[:, :512])
    sys.stdin.readline()  # the engine knows the plugin, and has the capture
    again.run(source[:, :512])
    sys.stdin.readline()
    again.mode(1)
    while again.position < wrap:  # the loop's bar plays once more
        again.run(np.ascontiguousarray(source[:, 10 * RATE :][:, :4096]), True, loop=loop)
    time.sleep(0.2)
    again.close()
    print(json.dumps({"id": again.identity, "saved": saved.decode("utf-8", "replace")}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
