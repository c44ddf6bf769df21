"""Download of one file from the hub into Hugging Face's cache; it continues an interrupted one and checks the hash.

huggingface_hub keeps no partial file between calls: large files are written here, to blobs/<sha256>.segue-part, and
passed to it complete. It downloads small ones itself.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bridge.system.whole_file import settle
from engine.checkpoints.convert import sha256_of
from engine.checkpoints.find import hub_cache
from engine.errors import CheckpointError

_HTTP_LIBRARIES = ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")
OnBytes = Callable[[float], None]


@dataclass(frozen=True)
class RemoteFile:
    """A file on the hub: `sha256` only for large ones.  [any]"""

    repo: str
    name: str
    n_bytes: int
    sha256: str | None
    revision: str

    @property
    def blob(self) -> Path:
        """Where the cache keeps a large file's content."""
        return hub_cache() / ("models--" + self.repo.replace("/", "--")) / "blobs" / (self.sha256 or "-")


def here_bytes(file: RemoteFile) -> int:
    """The part of a large file that is on this machine already.  [any]"""
    for path in (file.blob, _part(file)):
        if file.sha256 and path.exists():
            return path.stat().st_size
    return 0


def _part(file: RemoteFile) -> Path:
    return file.blob.with_suffix(".segue-part")


def endpoint() -> str | None:
    """The hub's address, if the user chose another one.  [any]"""
    return os.environ.get("HF_ENDPOINT") or None


def download(file: RemoteFile, on_bytes: OnBytes) -> Path:
    """Download a file unless it is here; returns its path. `on_bytes` is called with the bytes present.

    Raises CheckpointError, with the remedy, if it is interrupted or damaged.  [main]
    """
    from huggingface_hub import hf_hub_download

    with plainly(f"{file.repo}/{file.name}"):
        if file.sha256 and len(file.sha256) == 64 and file.sha256.isalnum() and not file.blob.exists():
            _fetch_blob(file, on_bytes)
        path = hf_hub_download(
            file.repo,
            file.name,
            revision=file.revision,
            cache_dir=hub_cache(),
            endpoint=endpoint(),
            tqdm_class=_progress(on_bytes),
        )
    if Path(path).stat().st_size != file.n_bytes:
        Path(path).resolve().unlink()
        raise CheckpointError(f"{file.repo}/{file.name} arrived damaged and was deleted: try again")
    return Path(path)


def _fetch_blob(file: RemoteFile, on_bytes: OnBytes) -> None:
    """Download a large file into the cache through a partial file, which an interrupted download leaves."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import WeakFileLock, build_hf_headers

    part = _part(file)
    part.parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(str(part) + ".lock"):
        if file.blob.exists():  # another process was quicker
            return
        headers = build_hf_headers()
        url = hf_hub_url(file.repo, file.name, revision=file.revision, endpoint=endpoint())
        place = get_hf_file_metadata(url, endpoint=endpoint()).location
        if urlsplit(place).netloc != urlsplit(url).netloc:
            headers.pop("authorization", None)
        with part.open("ab") as out:
            there = out.tell()
            if there < file.n_bytes:
                http_get(
                    place,
                    out,
                    resume_size=there,
                    headers=headers,
                    expected_size=file.n_bytes,
                    tqdm_class=_progress(on_bytes),
                )
        with part.open("rb") as content:
            whole = sha256_of(content) == file.sha256
        if not whole:
            part.unlink()
            raise CheckpointError(f"{file.repo}/{file.name} arrived damaged and was deleted: try again")
        settle(part, file.blob)


def _progress(on_bytes: OnBytes) -> Any:
    """A class in place of tqdm that prints nothing and reports the bytes present."""
    from tqdm import tqdm

    class Silent(tqdm):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            self.there = float(options.get("initial") or 0)
            super().__init__(*arguments, **{**options, "disable": True})
            on_bytes(self.there)

        def update(self, n: float | None = 1) -> bool | None:
            self.there += n or 0
            on_bytes(self.there)
            return None

    return Silent


@contextlib.contextmanager
def plainly(what: str) -> Iterator[None]:
    """Converts the library's errors to CheckpointError with the remedy.  [any]"""
    from huggingface_hub import errors

    try:
        yield
    except CheckpointError:
        raise
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.EntryNotFoundError) as fault:
        if isinstance(fault, errors.LocalEntryNotFoundError):
            raise CheckpointError(_broken_off(what, fault)) from fault
        raise CheckpointError(f"the hub has no {what}, or wants to know who asks (`hf auth login`)") from fault
    except (OSError, ValueError, RuntimeError) as fault:
        raise CheckpointError(_broken_off(what, fault)) from fault
    except Exception as fault:  # the HTTP library's errors, which change from version to version
        if type(fault).__module__.partition(".")[0] not in _HTTP_LIBRARIES:
            raise
        raise CheckpointError(_broken_off(what, fault)) from fault


def _broken_off(what: str, fault: Exception) -> str:
    said = str(fault).splitlines()[0][:200] if str(fault) else type(fault).__name__
    return (
        f"downloading {what} failed ({said}). What arrived is kept: the same command goes on from there. Without a "
        f"network, put the files into a folder and give its path"
    )
