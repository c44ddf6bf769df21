"""Pickled checkpoints, converted once: the cache of safetensors files, each named by its original's SHA-256.

    <cache>/checkpoints/<sha256>.v1.safetensors     converted file; its metadata repeats the SHA-256
    <cache>/checkpoints/<sha256>.v1.json            source name, source_sha256, sha256 of the converted file
    <cache>/checkpoints/sources/<path's hash>.json  size, times and SHA-256 of an original, so that it is hashed once

A changed original has another hash and is converted again, as is a changed converted file, which is hashed at every
load.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import platformdirs

from bridge.system.whole_file import put, settle
from engine.checkpoints.convert import sha256_of
from engine.errors import CheckpointError

VERSION = "v1"
SECONDS_PER_GIGABYTE = 60
BASE_SECONDS = 60
POLL_SECONDS = 0.1
Report = Callable[[str, float, float], None]
_ROOT = Path(__file__).resolve().parents[2]


def default_cache_dir() -> Path:
    """The folder of converted checkpoints: SEGUE_CACHE, or the user's cache folder.  [any]"""
    chosen = os.environ.get("SEGUE_CACHE")
    return (Path(chosen) if chosen else Path(platformdirs.user_cache_dir("segue"))) / "checkpoints"


def converted(source: Path, cache_dir: Path | None = None, report: Report | None = None) -> Path:
    """The safetensors file of a pickled checkpoint; converts it if the cache has none.

    `report("converting", done, total)` in bytes.  Raises CheckpointError if the file cannot be read or has forbidden
    content, or the disk is full.  [main]
    """
    folder = cache_dir or default_cache_dir()
    try:
        sha256 = _source_sha256(source, folder)
        target = folder / f"{sha256}.{VERSION}.safetensors"
        if not _is_whole(target, sha256):
            folder.mkdir(parents=True, exist_ok=True)
            _convert(source, target, sha256, report or (lambda stage, done, total: None))
    except OSError as fault:
        raise CheckpointError(f"cannot read {source}: {fault.strerror or fault}") from fault
    return target


def _source_sha256(source: Path, folder: Path) -> str:
    """SHA-256 of the original, from an earlier note if the file has not changed since."""
    stat = source.stat()
    stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    note = _source_note(source, folder)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(note.read_text())
        if known["stat"] == stamp and len(known["sha256"]) == 64 and known["sha256"].isalnum():
            return str(known["sha256"])
    with source.open("rb") as file:
        sha256 = sha256_of(file)
    with contextlib.suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        put(note, json.dumps({"stat": stamp, "sha256": sha256}).encode())
    return sha256


def _source_note(source: Path, folder: Path) -> Path:
    return folder / "sources" / f"{hashlib.sha256(os.fsencode(source.absolute())).hexdigest()[:32]}.json"


def conversions_of(source: Path, cache_dir: Path | None = None) -> list[Path]:
    """Files in the cache that were made of `source`, to be deleted.  [any]"""
    folder = cache_dir or default_cache_dir()
    note = _source_note(source, folder)
    try:
        sha256 = str(json.loads(note.read_text())["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return []
    if len(sha256) != 64 or not sha256.isalnum():
        return []
    made = [folder / f"{sha256}.{VERSION}.safetensors", folder / f"{sha256}.{VERSION}.json"]
    return [*(path for path in made if path.exists()), note]


def _is_whole(target: Path, sha256: str) -> bool:
    try:
        note = json.loads(target.with_suffix(".json").read_text())
        with target.open("rb") as file:
            return note["source_sha256"] == sha256 and note["sha256"] == sha256_of(file)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _convert(source: Path, target: Path, sha256: str, report: Report) -> None:
    """Run the child, then rename its file and the note into place."""
    need, free = source.stat().st_size, shutil.disk_usage(target.parent).free
    if free < need:
        raise CheckpointError(
            f"converting {source} needs {need / 1e9:.1f} GB in {target.parent}, which has {free / 1e9:.1f} GB left"
        )
    handle, name = tempfile.mkstemp(dir=target.parent, prefix="part-", suffix=".safetensors")
    os.close(handle)
    part = Path(name)
    try:
        if _run_child(source, part, report) != sha256:
            raise CheckpointError(f"{source} changed while it was read")
        with part.open("rb") as file:
            note = {"source": source.name, "source_sha256": sha256, "sha256": sha256_of(file)}
        settle(part, target)
        put(target.with_suffix(".json"), json.dumps(note).encode())
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def _run_child(source: Path, part: Path, report: Report) -> str:
    """SHA-256 of the file that the child read; CheckpointError with its reason if it failed."""
    command = [sys.executable, "-m", "engine.checkpoints.convert", str(source.resolve()), str(part.resolve())]
    size = source.stat().st_size
    seconds = BASE_SECONDS + SECONDS_PER_GIGABYTE * size / 1e9
    environment = {key: os.environ[key] for key in ("PATH", "SYSTEMROOT", "TMPDIR") if key in os.environ}
    environment["OPENBLAS_NUM_THREADS"] = "1"
    child = subprocess.Popen(  # noqa: S603 - our own module, no shell
        command, cwd=_ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        out = _wait(child, seconds, lambda: report("converting", min(part.stat().st_size, size), size))
    except TimeoutError as fault:
        raise CheckpointError(f"{source}: reading took longer than {seconds:.0f} s and was ended") from fault
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    lines = out.decode(errors="replace").splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else {}
    except ValueError:
        answer = {}
    if "sha256" in answer:
        return str(answer["sha256"])
    ended = f"the reading process ended with {child.returncode} (limits on memory and time?)"
    raise CheckpointError(f"{source}: {answer.get('error') or ended}")


def _wait(child: subprocess.Popen[bytes], seconds: float, look: Callable[[], None]) -> bytes:
    """The child's output; TimeoutError if it takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.communicate(timeout=POLL_SECONDS)[0]
        look()
    raise TimeoutError
