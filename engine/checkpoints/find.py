"""Finding a checkpoint on this machine.

a folder                       itself
'small', 'facebook/...'        SEGUE_MODELS/<name>, then the Hugging Face cache; then `obtain.py` tries the hub
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from engine.checkpoints.catalog import MODELS, OTHER_NAMES, full_name, near_name, short_name
from engine.checkpoints.plain_file import read_json
from engine.errors import CheckpointError

SIZES = tuple(MODELS)
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def hub_cache() -> Path:
    """Hugging Face's own cache, which other programs share.  [any]"""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(name):
            return Path(os.environ[name]).expanduser()
    home, caches = os.environ.get("HF_HOME"), os.environ.get("XDG_CACHE_HOME")
    base = Path(caches) if caches else Path.home() / ".cache"
    return (Path(home).expanduser() if home else base / "huggingface") / "hub"


def own_places(name: str) -> list[Path]:
    """The user's own folders that may hold a named checkpoint, best first.  [any]"""
    models = os.environ.get("SEGUE_MODELS")
    if not models or not _NAME.fullmatch(name):
        return []
    full = full_name(name)
    inside = [full, full.rpartition("/")[2], name]
    return [Path(models) / part for part in dict.fromkeys(inside)]


def snapshots(name: str) -> list[Path]:
    """The Hugging Face cache's snapshots of a named checkpoint, complete or not, newest first.  [any]"""
    if not _NAME.fullmatch(name):
        return []
    repos = [full_name(name), *(old for old, new in OTHER_NAMES.items() if new == full_name(name))]
    found: list[Path] = []
    for repo in repos:
        folder = hub_cache() / ("models--" + repo.replace("/", "--")) / "snapshots"
        if folder.is_dir():
            found += sorted(folder.iterdir(), key=lambda one: one.stat().st_mtime, reverse=True)
    return found


def is_whole(folder: Path) -> bool:
    """Whether all files required to load it are there: one format, every shard.  [any]"""
    if (folder / "state_dict.bin").exists():
        return (folder / "compression_state_dict.bin").exists()
    if (folder / "htdemucs.yaml").exists():
        return any(folder.glob("*.safetensors"))
    if not (folder / "config.json").exists():
        return False
    for single in ("model.safetensors", "pytorch_model.bin"):
        index = folder / f"{single}.index.json"
        if (folder / single).exists():
            return True
        if index.exists():
            try:
                named = set(read_json(index)["weight_map"].values())
            except (CheckpointError, KeyError, TypeError, AttributeError):
                return False
            return all(isinstance(name, str) and (folder / name).exists() for name in named)
    return False


def find_here(name: str | os.PathLike[str]) -> Path | None:
    """The folder of a checkpoint on this machine; None if it is not there.  [any]"""
    if os.path.isdir(name) and (short_name(str(name)) is None or is_whole(Path(name))):
        return Path(name)  # an unrelated folder may be called 'melody'
    for place in own_places(str(name)):
        if place.is_dir():
            return place
    return next((place for place in snapshots(str(name)) if is_whole(place)), None)


def find(name: str | os.PathLike[str]) -> Path:
    """The folder of a checkpoint on this machine, given by path or name.

    Raises CheckpointError with the searched places.  [any]
    """
    here = find_here(name)
    if here is not None:
        return here
    text = str(name)[:300]
    if os.path.exists(name) and not os.path.isdir(name):
        raise CheckpointError(f"'{text}' is a file: give the folder that holds the checkpoint's files")
    looked = [*own_places(str(name)), hub_cache()] if _NAME.fullmatch(str(name)) else []
    where = f"not in {', '.join(map(str, looked))}" if looked else "no such folder"
    where += "." if short_name(text) else near_name(text) or "."
    raise CheckpointError(
        f"no checkpoint '{text}' on this machine: {where} `segue models` shows what can be had; or put the files in a "
        f"folder and give its path, or set SEGUE_MODELS to the folder that holds it"
    )
