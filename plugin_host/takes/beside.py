"""The files beside a sound file in the watched folder: its takes, a note of the state they were made from, its error.

    riff.wav            riff.wav-takes/made-from-riff.wav.txt        riff.wav-error.txt
    riff.flac           riff.flac-takes/...
    a name that some system does not accept, or takes for another file's, gets eight unique letters

Nothing here follows a symbolic link or opens a pipe: other programs may write into the folder, too.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from plugin_host.console.output import OutputError, put, read_note, ready_folder
from plugin_host.takes import names

TAKES, ERROR = "-takes", "-error.txt"


class Beside:
    """Paths in one watched folder; two names never share one, on any file system."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries: frozenset[str] = frozenset()
        self._keys: frozenset[str] = frozenset()

    def look(self, entries: Iterable[str] | None = None) -> None:
        """Read the folder's entries, or take the given ones; OutputError.  [main]"""
        try:
            self._entries = frozenset(os.listdir(self._folder) if entries is None else entries)
        except OSError as error:
            raise OutputError(f"{self._folder} cannot be read any more: {error.strerror}") from None
        self._keys = frozenset(map(names.key, self._entries))

    def label(self, name: str) -> str:
        """The name of the files beside a file or an order of this name.  [main]

        The name itself, if every system accepts it and no other file's differs only in case or in the form of its
        accents.
        """
        plain, marked = names.portable(name), names.marked(name)
        if plain != name or self._has(marked):
            return marked
        if self._has(plain) or not {names.key(f"{plain}{what}") for what in (TAKES, ERROR)} & self._keys:
            return plain
        return marked

    def _has(self, label: str) -> bool:
        return f"{label}{TAKES}" in self._entries or f"{label}{ERROR}" in self._entries

    def takes(self, name: str) -> Path:
        """The folder of its takes.  [main]"""
        return self._folder / f"{self.label(name)}{TAKES}"

    def ready(self, name: str) -> Path:
        """Create that folder; OutputError if it is a link.  [main]"""
        folder = self.takes(name)
        refuse_link(folder)
        made = ready_folder(folder)
        self.look()
        return made

    # -- takes ---------------------------------------------------------------------------------------

    def made_from(self, name: str, source: str, stamp: str) -> None:
        """Note that the takes of `name` were made from this file in this state; OutputError.  [main]"""
        refuse_link(self.takes(name))
        put(self._note(name, source), stamp)

    def is_made(self, name: str, source: str, stamp: str) -> bool:
        """Whether they were made from it.  [main]"""
        return bool(stamp) and read_note(self._note(name, source)) == stamp

    def _note(self, name: str, source: str) -> Path:
        return self.takes(name) / f"made-from-{self.label(source)}.txt"

    # -- errors ---------------------------------------------------------------------------------------

    def refuse(self, name: str, takes: str, error: str, stamp: str) -> None:
        """Write the error beside it, if possible; removes its folder of takes if it is empty.  [main]"""
        with suppress(OSError):
            os.rmdir(self.takes(takes))
            self.look()
        with suppress(OutputError):
            state = f"\n{_state_line(stamp)}\n" if stamp else ""  # an order by a message has no file
            put(self._error(name), f"{error}\n{state}")
            self.look()

    def is_refused(self, name: str, stamp: str) -> bool:
        """Whether it was refused in this state.  [main]"""
        return bool(stamp) and _state_line(stamp) in read_note(self._error(name))

    def forgive(self, name: str) -> None:
        """Remove its error.  [main]"""
        path = self._error(name)
        with suppress(OSError):
            if stat.S_ISREG(os.lstat(path).st_mode):
                path.unlink()
                self.look()

    def _error(self, name: str) -> Path:
        return self._folder / f"{self.label(name)}{ERROR}"


def _state_line(stamp: str) -> str:
    """The line of an error file that holds the state of the file it is about, and by which that is found again."""
    return f"(file as it was: {stamp})"


def refuse_link(folder: Path) -> None:
    """OutputError if the folder is a symbolic link, which others may have made.  [any]"""
    if folder.is_symlink():
        raise OutputError(f"{folder} is a symbolic link: nothing is written through one")
