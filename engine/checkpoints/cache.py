"""Pickled checkpoints, converted once: the cache of safetensors files, each named by its original's SHA-256.

    <cache>/checkpoints/<sha256>.v1.safetensors     converted file; its metadata repeats the SHA-256
    <cache>/checkpoints/<sha256>.v1.json            source name, source_sha256, sha256 of the converted file

A changed original has another hash, so it is converted anew, and so is a converted file that changed.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import platformdirs

from engine.checkpoints.convert import sha256_of
from engine.errors import CheckpointError

VERSION = "v1"
SECONDS_PER_GIGABYTE = 60
BASE_SECONDS = 60
_ROOT = Path(__file__).resolve().parents[2]


def default_cache_dir() -> Path:
    """Where converted checkpoints are kept: SEGUE_CACHE, or the user's cache folder.  [any]"""
    chosen = os.environ.get("SEGUE_CACHE")
    return (Path(chosen) if chosen else Path(platformdirs.user_cache_dir("segue"))) / "checkpoints"


def converted(source: Path, cache_dir: Path | None = None) -> Path:
    """The safetensors file that stands for a pickled checkpoint; converts it when the cache has none.

    Raises CheckpointError when the file cannot be read or holds what it must not.  [main]
    """
    folder = cache_dir or default_cache_dir()
    try:
        with source.open("rb") as file:
            sha256 = sha256_of(file)
    except OSError as fault:
        raise CheckpointError(f"cannot read {source}: {fault.strerror}") from fault
    target = folder / f"{sha256}.{VERSION}.safetensors"
    if not _is_whole(target, sha256):
        folder.mkdir(parents=True, exist_ok=True)
        _convert(source, target, sha256)
    return target


def _is_whole(target: Path, sha256: str) -> bool:
    try:
        note = json.loads(target.with_suffix(".json").read_text())
        with target.open("rb") as file:
            return note["source_sha256"] == sha256 and note["sha256"] == sha256_of(file)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _convert(source: Path, target: Path, sha256: str) -> None:
    """Run the child, then move its file and the note beside it into place, each in one step."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix="part-", suffix=".safetensors")
    os.close(handle)
    part = Path(name)
    try:
        if _run_child(source, part) != sha256:
            raise CheckpointError(f"{source} changed while it was read")
        with part.open("rb") as file:
            note = {"source": source.name, "source_sha256": sha256, "sha256": sha256_of(file)}
        os.replace(part, target)
        part.write_text(json.dumps(note))
        os.replace(part, target.with_suffix(".json"))
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def _run_child(source: Path, part: Path) -> str:
    command = [sys.executable, "-m", "engine.checkpoints.convert", str(source.resolve()), str(part.resolve())]
    seconds = BASE_SECONDS + SECONDS_PER_GIGABYTE * source.stat().st_size / 1e9
    environment = {key: os.environ[key] for key in ("PATH", "SYSTEMROOT", "TMPDIR") if key in os.environ}
    environment["OPENBLAS_NUM_THREADS"] = "1"
    try:
        child = subprocess.run(  # noqa: S603 - our own module, no shell
            command, cwd=_ROOT, env=environment, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as fault:
        raise CheckpointError(f"{source}: reading took longer than {seconds:.0f} s and was ended") from fault
    lines = child.stdout.decode(errors="replace").splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else {}
    except ValueError:
        answer = {}
    if "sha256" in answer:
        return str(answer["sha256"])
    reason = (
        answer.get("error")
        or f"the reading process ended with {child.returncode} (limits on memory and time?)"
    )
    raise CheckpointError(f"{source}: {reason}")
