"""Published models from the Hugging Face hub: one format, only the files that are used, checked, resumed.

    plan      the files of the repositories, with their sizes on the hub, without those present
    fetch     licence, disk space, then file by file into Hugging Face's cache; an interrupted download continues

HF_ENDPOINT, HF_HUB_CACHE, HF_HOME, HF_TOKEN and HF_HUB_OFFLINE are obeyed. huggingface_hub is imported on first use.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from engine.checkpoints import licence
from engine.checkpoints.cache import default_cache_dir
from engine.checkpoints.catalog import CODEC, MERT, MODELS, T5, full_name, short_name
from engine.checkpoints.find import find_here, hub_cache
from engine.checkpoints.transfer import RemoteFile, download, endpoint, here_bytes, plainly
from engine.errors import CheckpointError
from engine.system.optional_library import needed

Report = Callable[[str, float, float], None]
SPARE_BYTES = 200 << 20
POINTER_BYTES = 1 << 20  # a codec file smaller than this only names its repository
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
_BESIDE = ("config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json")
_TOKENIZER = ("tokenizer.json", "spiece.model")


def offline() -> bool:
    """Whether the user disabled the network.  [any]"""
    wanted = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return wanted.upper() in ("1", "ON", "YES", "TRUE")


def listing(repo: str) -> dict[str, RemoteFile]:
    """The files of a repository by name; CheckpointError if the hub does not answer or has no such repository.
    [main]"""
    with needed("downloading models"):
        from huggingface_hub import HfApi

    with plainly(repo):
        info = HfApi(endpoint=endpoint()).model_info(repo, files_metadata=True, timeout=20)
    files: dict[str, RemoteFile] = {}
    for sibling in info.siblings or []:
        large = sibling.lfs
        sha256 = large.sha256 if large else None
        files[sibling.rfilename] = RemoteFile(
            repo, sibling.rfilename, int(sibling.size or 0), sha256, str(info.sha or "main")
        )
    return files


def choose(repo: str, files: dict[str, RemoteFile], form: str | None = None) -> list[RemoteFile]:
    """The files of one format: safetensors if there are some, else audiocraft's pickles, else pytorch_model.bin.

    `form` "audiocraft" or "transformers" selects one. CheckpointError if it is missing.  [any]
    """
    if "htdemucs.yaml" in files:  # demucs has a layout of its own
        return [files[name] for name in sorted(files) if name == "htdemucs.yaml" or name.endswith(".safetensors")]
    shards = sorted(name for name in files if _SHARD.fullmatch(name))
    index = "model.safetensors.index.json"
    sets = {
        "transformers": ["model.safetensors"] if "model.safetensors" in files else [index, *shards] if shards else [],
        "audiocraft": ["state_dict.bin", "compression_state_dict.bin"] if "state_dict.bin" in files else [],
        "pickle": ["pytorch_model.bin"] if "pytorch_model.bin" in files else [],
    }
    wanted = next((sets[one] for one in ([form] if form else sets) if sets[one]), None)
    if wanted is None:
        raise CheckpointError(f"{repo} on the hub has no weights {f'in the format {form}' if form else 'known here'}")
    if "state_dict.bin" not in wanted:
        tokenizer = next(([name] for name in _TOKENIZER if name in files), [])
        wanted = [*(name for name in _BESIDE if name in files), *tokenizer, *wanted]
    missing = [name for name in wanted if name not in files]
    if missing:
        raise CheckpointError(f"{repo} on the hub lacks {', '.join(missing)}")
    return [files[name] for name in wanted]


def plan(name: str, form: str | None = None) -> list[RemoteFile]:
    """Every missing file of a model and its companions.  [main]"""
    repo, short = full_name(name), short_name(name)
    own = choose(repo, listing(repo), form)
    companions: list[str] = []
    if short:
        held = {file.name: file for file in own}
        pickled = "state_dict.bin" in held
        if pickled or not any(one in held for one in _TOKENIZER):
            companions.append(T5)
        if pickled and held["compression_state_dict.bin"].n_bytes < POINTER_BYTES:
            companions.append(CODEC)
        if MODELS[short].kind == "style":
            companions.append(MERT)
    for companion in companions:
        if find_here(companion) is None:
            own += choose(companion, listing(companion))
    return own


def fetch(name: str, report: Report | None = None, form: str | None = None) -> Path:
    """Download a published model and what it needs; returns its folder.

    Raises CheckpointError if its licence was not accepted, the network is off or fails, or the disk is too small.
    [main]
    """
    short = short_name(name) or name
    if offline():
        raise CheckpointError(
            f"'{short}' is not on this machine, and HF_HUB_OFFLINE forbids to download it: unset that, or put the "
            f"files into a folder and give its path (or set SEGUE_MODELS to the folder that holds it)"
        )
    licence.require(name)
    files = plan(name, form)
    _check_room(files)
    total, done = float(sum(file.n_bytes for file in files)), 0.0
    on_progress = report or (lambda stage, done, total: None)
    folder: Path | None = None
    for file in files:
        on_progress("downloading", done, total)
        path = download(file, partial(_shifted, on_progress, done, total))
        done += file.n_bytes
        if file.repo == full_name(name):
            folder = path.parent
    on_progress("downloading", total, total)
    assert folder is not None
    return folder


def _shifted(on_progress: Report, before: float, total: float, n_bytes: float) -> None:
    on_progress("downloading", before + n_bytes, total)


def _check_room(files: list[RemoteFile]) -> None:
    """CheckpointError if the files and the conversions of pickles do not fit on the disk."""
    new = sum(max(0, file.n_bytes - here_bytes(file)) for file in files)
    converted = sum(file.n_bytes for file in files if file.name.endswith(".bin"))
    places = [(hub_cache(), new), (default_cache_dir(), converted)]
    if _device(places[0][0]) == _device(places[1][0]):
        places = [(places[0][0], new + converted)]
    for folder, need in places:
        free = shutil.disk_usage(_existing(folder)).free
        if need and free < need + SPARE_BYTES:
            raise CheckpointError(
                f"{(need + SPARE_BYTES) / 1e9:.1f} GB are needed in {folder}, {free / 1e9:.1f} GB are free; "
                f"HF_HOME and SEGUE_CACHE choose other places"
            )


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _device(folder: Path) -> int:
    return _existing(folder).stat().st_dev
