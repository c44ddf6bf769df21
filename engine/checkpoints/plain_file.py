"""Opening files of a folder that may come from anywhere: plain files only, small JSON, headers read in a child."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from io import BufferedReader
from pathlib import Path
from typing import Any

from engine.checkpoints import header
from engine.checkpoints.header import Header, strict_json
from engine.errors import CheckpointError

MAX_JSON_BYTES = 4 << 20
CHILD_SECONDS = 60
CACHE_MAX = 64  # headers of unchanged files
_cache: dict[tuple[int, ...], Header] = {}


def must_be_a_file(path: Path) -> None:
    """Raise CheckpointError for anything but a plain file: reading a pipe or a device might never end.  [any]"""
    if path.exists() and not path.is_file():
        raise CheckpointError(f"{path} is not a file")


def open_plain(path: Path) -> BufferedReader:
    """Open a plain file; CheckpointError for anything else. Never waits, whatever replaces it meanwhile.  [any]"""
    try:
        must_be_a_file(path)
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as fault:
        raise CheckpointError(f"cannot read {path}: {getattr(fault, 'strerror', None) or fault}") from fault
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise CheckpointError(f"{path} is not a file")
    return os.fdopen(descriptor, "rb")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a small file; CheckpointError.  [any]"""
    with open_plain(path) as file:
        data = file.read(MAX_JSON_BYTES + 1)
    if len(data) > MAX_JSON_BYTES:
        raise CheckpointError(f"{path} has {path.stat().st_size} bytes, the limit is {MAX_JSON_BYTES}")
    try:
        value = strict_json(data)
    except header.HeaderFault as fault:
        raise CheckpointError(f"{path}: {fault}") from fault
    except ValueError as fault:
        raise CheckpointError(f"{path} is not JSON: {fault}") from fault
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} holds a {type(value).__name__}, must be an object")
    return value


def header_of(path: Path) -> Header:
    """The header of a safetensors file; CheckpointError names its fault.  [any]"""
    with open_plain(path) as file:
        return header_apart(file, path)


def header_apart(file: BufferedReader, path: Path) -> Header:
    """The header of an open safetensors file, read by a child process with limits; read once while the file is
    unchanged.

    Raises CheckpointError, with the path.  [any]
    """
    status = os.fstat(file.fileno())
    name = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if name not in _cache:
        while len(_cache) >= CACHE_MAX:
            _cache.pop(next(iter(_cache)), None)
        _cache[name] = _from_child(file, path)
    return _cache[name]


def _from_child(file: BufferedReader, path: Path) -> Header:
    command = [sys.executable, "-I", "-S", header.__file__]
    try:
        child = subprocess.run(  # noqa: S603 - our own file, no shell
            command, stdin=file, capture_output=True, timeout=CHILD_SECONDS, check=False
        )
        answer = json.loads(child.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as fault:
        raise CheckpointError(f"{path}: its header could not be read within memory and time: {fault}") from fault
    if "error" in answer:
        raise CheckpointError(f"{path}: {answer['error']}")
    answer["tensors"] = {name: (kind, shape, at) for name, (kind, shape, at) in answer["tensors"].items()}
    return Header(**answer)
