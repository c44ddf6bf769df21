"""The files of a session: takes and references.

    SESSION/takes.db
    SESSION/.../NAME.wav              takes, anywhere inside
    SESSION/references/SHA256.flac    the music that they were made from, each once

The database names files by paths inside the session, so that the folder can be moved; a path that leads out of it is
refused, as the database may come from another machine.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path, PurePosixPath

from plugin_host.console.output import put, ready_folder
from plugin_host.history.errors import HistoryError

REFERENCES = "references"
_BLOCK_BYTES = 1 << 20


def checksum(path: Path) -> str:
    """SHA-256 of a file, hexadecimal; OSError.  [any]"""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def name_inside(folder: Path, path: Path) -> str:
    """The path of a file relative to the session, with "/"; HistoryError if it is elsewhere.  [any]"""
    try:
        return path.absolute().relative_to(folder.absolute()).as_posix()
    except ValueError:
        raise HistoryError(f"{path} is not inside the session {folder}") from None


def inside(folder: Path, name: str) -> Path:
    """The path of a session's file; HistoryError for a name that leads out of the session, or through a link.  [any]"""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or "\0" in name or any(part in ("..", ".") or ":" in part for part in parts):
        raise HistoryError(f"{name[:200]!r} names no file of a session")
    path = folder
    for part in parts:
        path = path / part
        if path.is_symlink():
            raise HistoryError(f"{path} is a symbolic link: a session's files are plain files")
    return path


def is_there(folder: Path, name: str) -> bool:
    """Whether a session has this plain file.  [any]"""
    try:
        return stat.S_ISREG(os.lstat(inside(folder, name)).st_mode)
    except (OSError, HistoryError):
        return False


def reference_name(sha256: str) -> str:
    """The name of a reference's file; HistoryError if it is no checksum.  [any]"""
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise HistoryError(f"{sha256[:80]!r} is no checksum")
    return f"{REFERENCES}/{sha256}.flac"


def store_reference(folder: Path, data: bytes) -> str:
    """Write a reference's file, unless the session has it; returns its checksum. OutputError.  [any]"""
    sha256 = hashlib.sha256(data).hexdigest()
    path = inside(folder, reference_name(sha256))
    try:
        known = path.stat().st_size == len(data) and checksum(path) == sha256
    except OSError:
        known = False
    if not known:
        ready_folder(path.parent)
        put(path, data)
    return sha256


def read_reference(folder: Path, sha256: str) -> bytes:
    """The bytes of a reference; HistoryError if they are missing or changed.  [any]"""
    path = inside(folder, reference_name(sha256))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise HistoryError(f"{path} cannot be read: {error.strerror or error}") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise HistoryError(f"{path} has changed since it was stored")
    return data
