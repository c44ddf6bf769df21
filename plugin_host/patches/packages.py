"""What `segue scripts` installs for programs that are patched: where each looks for it, and what to do next."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from bridge.errors import SegueError
from plugin_host.console.output import put, ready_folder
from plugin_host.patches.sonic_pi import SONIC_PI

Files = dict[str, bytes]


class NoPackageFolder(SegueError):
    """The program has no folder of packages on this system; the message says what to give instead."""

    code = "no_package_folder"


@dataclass(frozen=True)
class Package:
    """A program's package: its files by their paths, where they go, what to do next in two lines with {folder}."""

    program: str
    files: Callable[[], Files]
    folder: Callable[[], Path | None]
    next: tuple[str, str]


def _tree(*parts: str, into: str = "") -> Files:
    """All files of a folder of plugin_host, below `into`."""
    top = Path(str(resources.files("plugin_host"))).joinpath(*parts)
    found = sorted(path for path in top.rglob("*") if path.is_file())
    return {(Path(into) / path.relative_to(top)).as_posix(): path.read_bytes() for path in found}


def _system() -> str:
    return "windows" if os.name == "nt" else "mac" if sys.platform == "darwin" else "linux"


def _given(variable: str) -> Path:
    return Path(os.environ.get(variable) or Path.home())


def _pd() -> Path | None:
    places = {"linux": Path.home() / ".local/lib/pd/extra", "mac": Path.home() / "Library/Pd"}
    return places.get(_system(), _given("APPDATA") / "Pd")


def _max() -> Path | None:
    tops = [Path.home() / "Documents" / f"Max {version}" for version in (9, 8)]
    there = next((top for top in tops if top.is_dir()), None)
    return there / "Packages" if there else None


def _supercollider() -> Path | None:
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    places = {"linux": data / "SuperCollider", "mac": Path.home() / "Library/Application Support/SuperCollider"}
    return places.get(_system(), _given("LOCALAPPDATA") / "SuperCollider") / "Extensions"


PACKAGES = {
    each.program: each
    for each in (
        Package(
            "pd", lambda: _tree("pd", "segue"), _pd,
            ("restart Pd, whose path must have {folder}; make the objects segue.client and segue.lane 0",
             "more: docs/pd.md, and Help on each object"),
        ),
        Package(
            "max", lambda: _tree("max", "Segue", into="Segue"), _max,
            ("restart Max; open segue.panel, of the package Segue", "more: docs/max.md, and Help on each object"),
        ),
        Package(
            "supercollider", lambda: _tree("supercollider", "Segue", into="Segue"), _supercollider,
            ("recompile the class library; x = Segue(9600); x.lane(0).play", "more: docs/supercollider.md, and Help"),
        ),
        Package(
            "sonic-pi", lambda: {"segue.rb": SONIC_PI.encode()}, lambda: Path.home() / ".sonic-pi",
            ('in a buffer: run_file "{folder}/segue.rb"; then segue :play, "bar"', "more: docs/sonic_pi.md"),
        ),
    )
}  # fmt: skip


def install(program: str, folder: Path | None = None) -> tuple[list[Path], list[str]]:
    """Copy a program's package to where it looks, or into `folder`; returns the files, and what to do next.

    NoPackageFolder, OutputError.  [main]
    """
    package = PACKAGES[program]
    target = folder or package.folder()
    if target is None:
        raise NoPackageFolder(f"no folder of {program} was found in {Path.home() / 'Documents'}; --folder says where")
    target, files = target.expanduser(), package.files()
    for parent in {(target / name).parent for name in files}:
        ready_folder(parent)
    for name, data in files.items():
        put(target / name, data)
    return [target / name for name in files], [line.format(folder=target) for line in package.next]


def where() -> Iterator[str]:
    """Each program, and where its package goes.  [any]"""
    for name, package in PACKAGES.items():
        yield f"segue scripts {name}: into {package.folder() or 'the folder that --folder says'}"
