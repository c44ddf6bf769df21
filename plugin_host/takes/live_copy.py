"""A session's copy of a journal: its complete lines, and the references beside it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from plugin_host.console.output import put, ready_folder
from plugin_host.history.errors import HistoryError
from plugin_host.history.files import inside, is_there, name_inside
from plugin_host.render.again import JOURNAL
from plugin_host.render.journal import REFERENCES, complete_lines
from plugin_host.render.places import RenderError
from plugin_host.takes.names import portable

JOURNALS = "live"
COPIES_MAX = 10_000
_REFERENCE = re.compile(r"[0-9a-f]{64}\.npy\Z")


def in_session(session: Path, folder: Path, n_bytes: int) -> tuple[str, str]:
    """The name of a journal inside the session, and the checksum of its first `n_bytes`.  [main]

    One that is elsewhere is copied; a copy of its beginning, made while it was played, is made longer.
    RenderError, HistoryError, OutputError.
    """
    data = complete_lines(folder)[:n_bytes]
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        name = name_inside(session.resolve(), folder.resolve())
        inside(session, name)
        return name, sha256
    except HistoryError:
        pass
    name = portable(f"{folder.resolve().parent.name}-{folder.name}")
    for number in range(1, COPIES_MAX):
        found = f"{JOURNALS}/{name}{'' if number == 1 else f'-{number}'}"
        if _copied(session, found, folder, data):
            return found, sha256
    raise RenderError(f"{session / JOURNALS} has {COPIES_MAX} journals of one name")


def _copied(session: Path, name: str, folder: Path, data: bytes) -> bool:
    """Copy a journal to a name, its references first; False if another one is there."""
    to = inside(session, name)
    path = inside(session, f"{name}/{JOURNAL}")
    known = path.read_bytes() if is_there(session, f"{name}/{JOURNAL}") else b""
    if not (known.startswith(data) or data.startswith(known)):
        return False
    for source in sorted((folder / REFERENCES).glob("*.npy")):
        target = inside(session, f"{name}/{REFERENCES}/{source.name}")
        if _REFERENCE.match(source.name) and source.is_file() and not source.is_symlink() and not target.exists():
            put(_ready(target), source.read_bytes())
    if len(known) < len(data):
        put(_ready(to / JOURNAL), data)
    return True


def _ready(path: Path) -> Path:
    ready_folder(path.parent)
    return path
