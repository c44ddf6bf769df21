"""Where a checkpoint lies on this machine. Nothing is ever downloaded.

a folder                       itself
'small', 'facebook/...'        SEGUE_MODELS/<name>, then the Hugging Face cache
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from engine.errors import CheckpointError

SIZES = ("small", "medium", "large", "melody", "melody-large")
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def full_name(name: str) -> str:
    """'small' -> 'facebook/musicgen-small'; other names as they are.  [any]"""
    name = name.removeprefix("musicgen-")
    return f"facebook/musicgen-{name}" if name in SIZES else name


def places(name: str) -> list[Path]:
    """Folders where a named checkpoint may lie, best first.  [any]"""
    name = full_name(name)
    if not _NAME.fullmatch(name):
        return []
    found: list[Path] = []
    models = os.environ.get("SEGUE_MODELS")
    if models:
        found += [Path(models) / name, Path(models) / name.rpartition("/")[2]]
    home = os.environ.get("HF_HOME")
    hub = (Path(home) if home else Path.home() / ".cache" / "huggingface") / "hub"
    snapshots = hub / ("models--" + name.replace("/", "--")) / "snapshots"
    if snapshots.is_dir():
        found += sorted(snapshots.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
    return found


def find(name: str | os.PathLike[str]) -> Path:
    """The folder of a checkpoint given by path or name.

    Raises CheckpointError that says where was looked.  [any]
    """
    if os.path.isdir(name):  # False, not an error, for names no file system takes
        return Path(name)
    looked = places(str(name))
    for place in looked:
        if place.is_dir():
            return place
    where = ", ".join(str(place) for place in looked) or "SEGUE_MODELS and the Hugging Face cache"
    raise CheckpointError(
        f"no checkpoint '{name}': not a folder, and not found in {where}. Segue downloads nothing: put the "
        f"files in a folder and give its path, or set SEGUE_MODELS to the folder that holds it"
    )
