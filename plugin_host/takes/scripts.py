"""The scripts for DAWs: their files in the package, the DAW's script folder, and installation.

The line `local INBOX` of a copy is set to the folder that `segue watch` watches.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from bridge.control.take_rows import STEMS, TAKE, WATCH_PORT
from plugin_host.console.output import put, ready_folder
from plugin_host.takes.errors import TakeError

DAWS = ("ardour", "reaper")
_INBOX, _PORT, _ADDRESS, _STEMS = "local INBOX = ", "local PORT = ", "local ADDRESS = ", "local STEMS = "


def default_folder() -> Path:
    """The default watched folder: ~/Segue.  [any]"""
    return Path.home() / "Segue"


def files(daw: str) -> list[Path]:
    """The scripts for a DAW in the package; TakeError if there are none for it.  [any]"""
    if daw not in DAWS:
        raise TakeError(
            f"there are scripts for {' and '.join(DAWS)}, none for {daw[:32]!r}; use `segue watch`. "
            "`segue scripts` lists all programs"
        )
    return sorted(Path(str(resources.files("plugin_host"))).joinpath("scripts", daw).glob("*.lua"))


def script_folder(daw: str) -> Path:
    """The DAW's folder of user scripts on this system.  [any]"""
    home, config = Path.home(), Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    system = "win" if os.name == "nt" else "mac" if sys.platform == "darwin" else "linux"
    roaming = Path(os.environ.get("APPDATA") or home)
    local = Path(os.environ.get("LOCALAPPDATA") or home)
    places = {
        ("ardour", "linux"): config / "ardour7" / "scripts",
        ("ardour", "mac"): home / "Library" / "Preferences" / "Ardour7" / "scripts",
        ("ardour", "win"): local / "Ardour7" / "scripts",
        ("reaper", "linux"): config / "REAPER" / "Scripts",
        ("reaper", "mac"): home / "Library" / "Application Support" / "REAPER" / "Scripts",
        ("reaper", "win"): roaming / "REAPER" / "Scripts",
    }
    return places[daw, system]


def where() -> Iterator[str]:
    """The scripts and their target folders.  [any]"""
    for daw in DAWS:
        yield f"segue scripts {daw}: into {script_folder(daw)}"
        yield from (f"    {path.name}" for path in files(daw))


def filled(text: str, inbox: Path) -> str:
    """A script with the watched folder, the port and the address set.  [any]"""
    known = {_INBOX: str(inbox.absolute()), _PORT: str(WATCH_PORT), _ADDRESS: TAKE.address,
             _STEMS: STEMS.address}  # fmt: skip
    lines = text.splitlines()
    for number, line in enumerate(lines):
        for begin, value in known.items():
            if line.startswith(begin):
                quoted = value.replace("\\", "\\\\").replace('"', '\\"')
                lines[number] = f'{begin}"{quoted}"'
    return "\n".join(lines) + "\n"


def install(daw: str, folder: Path | None, inbox: Path) -> list[Path]:
    """Copy a DAW's scripts to its folder, or into `folder`; returns the files. TakeError, OutputError.  [main]"""
    sources = files(daw)
    target = ready_folder(folder or script_folder(daw))
    written = [target / source.name for source in sources]
    for source, path in zip(sources, written, strict=True):
        put(path, filled(source.read_text("utf-8"), inbox).encode("utf-8", "surrogateescape"))
    return written
