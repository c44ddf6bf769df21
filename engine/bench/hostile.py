"""Hostile checkpoints, for `segue bench --trust`: `python -m engine.bench.hostile PICKLES HEADERS [python]`.

Every way of a pickle to call something, around a command that leaves a file; and changed headers of safetensors. The
last line is JSON: how many were read, those accepted, faults. With `python` Python's own pickle reads: the broken twin.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from engine.checkpoints.header import HeaderFault, read_here
from engine.checkpoints.pickle_reader import read_pickle
from engine.errors import CheckpointError

CALLS = [
    "os system", "posix system", "nt system", "os popen", "os execv", "os remove", "subprocess Popen",
    "subprocess check_output", "builtins eval", "builtins exec", "builtins getattr", "builtins __import__",
    "builtins open", "builtins compile", "builtins input", "builtins breakpoint", "builtins map", "builtins apply",
    "__builtin__ eval", "importlib import_module", "importlib._bootstrap _load", "runpy run_path", "code interact",
    "pdb run", "bdb Bdb", "timeit timeit", "cProfile run", "profile run", "trace Trace", "operator attrgetter",
    "operator methodcaller", "functools partial", "functools reduce", "types CodeType", "types FunctionType",
    "marshal loads", "pickle loads", "_pickle loads", "dill loads", "shelve open", "ctypes CDLL", "cffi FFI",
    "webbrowser open", "shutil rmtree", "socket create_connection", "urllib.request urlopen",
    "http.client HTTPConnection",
    "multiprocessing.util spawnv_passfds", "asyncio.unix_events _UnixSubprocessTransport", "pip main",
    "pip._internal main", "numpy.testing._private.utils runstring", "numpy load", "torch load", "torch.hub load",
    "torch.jit load", "torch.storage _load_from_bytes", "torch._utils _rebuild_tensor",
    "torch.utils._config_module load",
    "torch._dynamo.guards GuardBuilder.get",
    "torch.fx.experimental.symbolic_shapes ShapeEnv.evaluate_guards_expression",
    "collections namedtuple", "copyreg _reconstructor", "logging.config dictConfig", "sys settrace", "sys exit",
    "linecache updatecache", "site main", "venv create", "ensurepip bootstrap", "idlelib.run Executive",
    "lib2to3.pgen2.grammar Grammar.loads", "doctest debug_script", "uuid _get_command_stdout", "omegaconf OmegaConf",
    "omegaconf.omegaconf OmegaConf.create", "omegaconf.resolvers oc.env", "antlr4 run", "yaml unsafe_load",
    "builtins eval.__call__", "builtins dict.fromkeys", "collections OrderedDict.__reduce__", "typing get_type_hints",
    "torch HalfStorage.from_file", "torch FloatStorage._load",
    "builtins \uff45val", "builtins eval\t", " builtins eval",
]  # fmt: skip


def text(value: str) -> bytes:
    """A text of a pickle.  [any]"""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def ways(module: str, name: str) -> dict[str, bytes]:
    """Every opcode that can import a name and use it.  [any]"""
    name_line = f"{module}\n{name}\n".encode()
    return {
        "GLOBAL, REDUCE": b"\x80\x02c" + name_line + b"(" + text("true") + b"tR.",
        "STACK_GLOBAL, REDUCE": b"\x80\x04" + text(module) + text(name) + b"\x93" + text("true") + b"\x85R.",
        "GLOBAL, NEWOBJ": b"\x80\x02c" + name_line + text("true") + b"\x85\x81.",
        "STACK_GLOBAL, NEWOBJ_EX": b"\x80\x04" + text(module) + text(name) + b"\x93)}\x92.",
        "INST": b"(" + text("true") + b"i" + name_line + b".",
        "OBJ": b"(c" + name_line + text("true") + b"o.",
        "GLOBAL, BUILD": b"\x80\x02c" + name_line + b"}" + text("__setstate__") + text("x") + b"sb.",
        "as a key": b"\x80\x02}c" + name_line + b"Ns.",
        "after the memo": b"\x80\x02c" + name_line + b"q\x010h\x01(" + text("true") + b"tR.",
        "alone": b"\x80\x02c" + name_line + b".",
    }


ATTACKS = [(call, way, data) for call in CALLS for way, data in ways(*call.rsplit(" ", 1)).items()]


def live(canary: Path) -> list[bytes]:
    """Pickles that create `canary` if they are interpreted.  [main]"""
    command = f"touch {canary}"
    calls = ("os system", "posix system", "os popen", "subprocess getoutput")
    made = [data.replace(text("true"), text(command)) for call in calls for data in ways(*call.split(" ")).values()]
    return [data for data in made if text(command) in data]


def pickles(count: int, read: Callable[[bytes], object], canary: Path) -> tuple[int, list[str]]:
    """How many were given to `read`, and faults: one that was read, another exception, a command that ran.  [main]"""
    everything = live(canary) + [data for _, _, data in ATTACKS]
    faults: list[str] = []
    for number, data in enumerate(everything[:count]):
        try:
            read(data)
            faults.append(f"pickle {number} was read")
        except CheckpointError:
            pass
        except Exception as error:
            faults.append(f"pickle {number}: {type(error).__name__}: {error}")
        if canary.exists():
            faults.append(f"pickle {number} ran its command")
            canary.unlink()
    return min(count, len(everything)), faults


def header(n_tensors: int) -> bytes:
    """A safetensors file of so many tensors.  [main]"""
    rows = {f"layer.{n}.weight": {"dtype": "F32", "shape": [2], "data_offsets": [8 * n, 8 * n + 8]}
            for n in range(n_tensors)}  # fmt: skip
    words = json.dumps(rows).encode()
    return len(words).to_bytes(8, "little") + words + bytes(8 * n_tensors)


def headers(count: int, folder: Path) -> tuple[int, list[str]]:
    """How many changed headers are still whole ones, and faults: anything but a HeaderFault.  [main]"""
    rng, whole, accepted, faults = random.Random(15), header(6), 0, list[str]()
    path = folder / "changed.safetensors"
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    for number in range(count):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 5)):
            place = rng.randrange(8) if rng.random() < 0.2 else rng.randrange(len(data) - 48)
            data[place] = rng.choice((0, 34, 45, 48, 57, 91, 123, 125, 255, rng.randrange(256)))
        os.ftruncate(file, 0)
        os.pwrite(file, data[: rng.randrange(len(data))] if rng.random() < 0.1 else data, 0)
        os.lseek(file, 0, os.SEEK_SET)
        try:
            read_here(file)
            accepted += 1
        except HeaderFault:
            continue
        except Exception as error:
            faults.append(f"header {number}: {type(error).__name__}: {error}")
    os.close(file)
    return accepted, faults


def bloated(folder: Path) -> float:
    """Processor seconds for a header of 100,000 tensors.  [main]"""
    path = folder / "bloated.safetensors"
    path.write_bytes(header(100_000))
    with path.open("rb") as file:
        began = time.process_time()
        with contextlib.suppress(HeaderFault):
            read_here(file.fileno())
        return time.process_time() - began


def _twin() -> Callable[[bytes], object]:
    """Python's own reader, which runs what it reads: for gadgets of ours alone."""
    loads: Callable[[bytes], object] = importlib.import_module("pickle").loads
    return loads


def main() -> None:
    """The program.  [main]"""
    n_pickles, n_headers = int(sys.argv[1]), int(sys.argv[2])
    read: Callable[[bytes], object] = _twin() if sys.argv[3:] == ["python"] else read_pickle
    with tempfile.TemporaryDirectory(prefix="segue-hostile-") as work:
        tried, faults = pickles(n_pickles, read, Path(work) / "canary")
        accepted, more = headers(n_headers, Path(work))
        seconds = bloated(Path(work))
    told = {"tried": tried + n_headers, "pickles": tried, "accepted": accepted, "bloated_seconds": seconds}
    sys.stdout.write(json.dumps({**told, "faults": (faults + more)[:50]}) + "\n")


if __name__ == "__main__":
    main()
