"""Writes a journal on a thread of its own: no music waits for a disk.

A line is complete or absent: a kill can tear only the last one, which readers ignore. A disk that takes no more ends
the journal with one line on the engine's log, never the music.
"""

from __future__ import annotations

import io
import json
import logging
import queue
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from bridge.system.whole_file import put
from engine.serve.journal.values import JournalError, audio_name

JOURNAL, REFERENCES = "journal.jsonl", "references"
VERSION = 1
BYTES_MAX = 2**30
FOLDERS_MAX = 10_000
LINES_MAX = 20_000  # that wait for a disk; then the journal ends
CLOSE_SECONDS = 0.5  # that a lane waits for its disk; the thread goes on after that
FLUSH_SECONDS = 0.2
_log = logging.getLogger("segue.engine")


class JournalWriter:
    """One journal's files; `line` and `keep` never wait."""

    def __init__(self, folder: Path) -> None:
        """Make the folder, with a new journal. OSError.  [any]"""
        self.folder = folder
        self.ended = False
        (folder / REFERENCES).mkdir(parents=True)
        self._file = (folder / JOURNAL).open("xb")
        self._waiting: queue.Queue[bytes | tuple[str, Tensor] | None] = queue.Queue(LINES_MAX)
        self._kept: dict[int, tuple[Tensor, str]] = {}  # by identity: a region is not hashed at each change
        self._thread = threading.Thread(target=self._run, name="segue-journal", daemon=True)
        self._thread.start()

    def line(self, row: dict[str, Any]) -> None:
        """Add a line.  [any]"""
        self._put(json.dumps(row, allow_nan=False, separators=(", ", ": ")).encode() + b"\n")

    def keep(self, audio: Tensor) -> str:
        """Store a reference [C, n]; returns its file's name.  [any]"""
        known = self._kept.get(id(audio))
        if known is None:
            known = self._kept[id(audio)] = audio, audio_name(audio)
            self._put((known[1], audio))
        return known[1]

    def _put(self, item: bytes | tuple[str, Tensor]) -> None:
        if not self.ended:
            try:
                self._waiting.put_nowait(item)
            except queue.Full:
                self.end("the disk is too slow")

    def close(self) -> None:
        """Write what waits, and end; may be called twice.  [any]"""
        with suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            while True:
                item = self._next()
                if item is None:
                    break
                self._write(item)
        except (OSError, MemoryError) as fault:
            self.end(str(fault) or "there is not enough memory")
        self.ended = True
        with suppress(OSError):
            self._file.close()

    def _next(self) -> bytes | tuple[str, Tensor] | None:
        with suppress(queue.Empty):
            return self._waiting.get(timeout=FLUSH_SECONDS)
        self._file.flush()
        return self._waiting.get()

    def _write(self, item: bytes | tuple[str, Tensor]) -> None:
        if isinstance(item, bytes):
            self._file.write(item)
            return
        name, audio = item
        memory = io.BytesIO()
        np.save(memory, audio.detach().to("cpu").float().contiguous().numpy(), allow_pickle=False)
        put(self.folder / REFERENCES / name, memory.getvalue())

    def end(self, why: str) -> None:
        """Take no more lines; what waits is written.  [any]"""
        if self.ended:
            return
        self.ended = True
        _log.warning("the journal in %s ends here: %s; the music goes on", self.folder, why)


def new_folder(parent: Path, name: str) -> Path:
    """NAME, NAME-2, ... in a folder: the first without anything there.  [any]"""
    names = (name if number == 1 else f"{name}-{number}" for number in range(1, FOLDERS_MAX))
    return next(parent / each for each in names if not (parent / each).exists())


def read_journal(folder: Path) -> list[dict[str, Any]]:
    """The complete lines of a journal; JournalError if there is none or it is none.  [any]"""
    path = folder / JOURNAL
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > BYTES_MAX:
            raise JournalError(f"{path} is no plain file of at most {BYTES_MAX} bytes")
        rows = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise JournalError(f"{path} is no journal: {error}") from None
    if not rows or not all(isinstance(row, dict) for row in rows) or rows[0].get("kind") != "journal":
        raise JournalError(f"{path} is no journal of a lane")
    if rows[0].get("version") != VERSION:
        found = str(rows[0].get("version"))[:20]
        raise JournalError(f"{path} is of version {found}, this Segue reads {VERSION}; update it")
    return rows
