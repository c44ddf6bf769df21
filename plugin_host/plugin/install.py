"""Installation of the built bundles into the user's plugin folders, without a password."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from plugin_host.plugin.build import PluginBuildError
from plugin_host.plugin.bundles import FORMATS, VARIANTS

SHIPPED = "built"  # folder of bundles in a wheel that contains them, see setup.py


def shipped() -> Path | None:
    """Folder of the bundles in Segue's wheel; None if it has none.  [any]"""
    folder = Path(__file__).parent / SHIPPED
    there = any((folder / name).exists() for kind in FORMATS for name in bundle_names(kind))
    return folder if there else None


def host_folder(kind: str, platform: str = sys.platform) -> Path:
    """The user's own folder for plugins of a format: lv2, vst3 or clap.  [any]"""
    home = Path.home()
    if platform == "darwin":
        return home / "Library" / "Audio" / "Plug-Ins" / kind.upper()
    if platform == "win32":
        roaming = Path(os.environ.get("APPDATA", home / "AppData" / "Roaming"))
        local = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
        return roaming / "LV2" if kind == "lv2" else local / "Programs" / "Common" / kind.upper()
    return home / f".{kind}"


def bundle_names(kind: str) -> list[str]:
    """File or folder names of the bundles of a format.  [any]"""
    return [f"{variant.file_name}.{kind}" for variant in VARIANTS]


def _older_names(kind: str) -> list[str]:
    """Former names of bundles: with both, hosts would find a plugin twice."""
    return [f"{variant.name}.{kind}" for variant in VARIANTS if variant.name != variant.file_name]


def install(source: Path) -> list[Path]:
    """Copy the bundles in `source` to the plugin folders, over older ones; returns their paths.

    PluginBuildError if there is none, or if a folder cannot be written.  [main]
    """
    placed = []
    for kind in FORMATS:
        for name in bundle_names(kind):
            if (source / name).exists():
                placed.append(_place(source / name, host_folder(kind) / name))
        for name in _older_names(kind):
            _remove(host_folder(kind) / name)
    if not placed:
        raise PluginBuildError(f"there is no plugin in {source}: `segue plugin build --out {source}` makes it")
    return placed


def _place(source: Path, target: Path) -> Path:
    """Copy beside the target, then rename: a running host keeps the old one mapped."""
    fresh = target.with_name(f".{target.name}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove(fresh)
        if source.is_dir():
            shutil.copytree(source, fresh)
        else:
            shutil.copy2(source, fresh)
        _remove(target)
        fresh.rename(target)
    except OSError as fault:
        raise PluginBuildError(f"{target} cannot be written: {fault.strerror or fault}") from None
    return target


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def installed() -> list[Path]:
    """The installed bundles.  [any]"""
    places = [host_folder(kind) / name for kind in FORMATS for name in bundle_names(kind)]
    return [place for place in places if place.exists()]
