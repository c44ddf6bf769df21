"""The licences of published weights: shown, accepted once, stored in the user's settings folder."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path

import platformdirs

from bridge.system.whole_file import put
from engine.checkpoints.catalog import COMPANIONS, LICENCE_TEXT, MUSICGEN_LICENCE, full_name, short_name
from engine.errors import CheckpointError

FREE = ("Apache-2.0", "MIT")


def settings_file() -> Path:
    """The file of accepted licences: in SEGUE_CONFIG, or the user's settings folder.  [any]"""
    chosen = os.environ.get("SEGUE_CONFIG")
    return (Path(chosen) if chosen else Path(platformdirs.user_config_dir("segue"))) / "licences.json"


def licence_of(name: str) -> str:
    """Licence of a published model or companion.  [any]"""
    return MUSICGEN_LICENCE if short_name(name) else COMPANIONS.get(full_name(name), MUSICGEN_LICENCE)


def accepted(licence: str) -> bool:
    """Whether the user accepted it, or it needs no acceptance.  [any]"""
    if licence in FREE:
        return True
    try:
        known = json.loads(settings_file().read_text())
    except (OSError, ValueError):
        return False
    return isinstance(known, dict) and licence in known


def accept(licence: str) -> None:
    """Store that the user accepted it; CheckpointError if that cannot be written.  [main]"""
    path = settings_file()
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
    known[licence] = datetime.date.today().isoformat()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        put(Path(os.path.realpath(path)), json.dumps(known, indent=1).encode())  # a link of the user's own
    except OSError as fault:
        raise CheckpointError(f"cannot remember the licence in {path}: {fault.strerror}") from fault


def require(name: str) -> None:
    """Raise CheckpointError with the licence and the command that accepts it, unless it was accepted.  [any]"""
    licence = licence_of(name)
    if not accepted(licence):
        short = short_name(name) or name
        raise CheckpointError(
            f"'{short}' would be downloaded, and its licence has not been accepted yet.\n"
            f"{LICENCE_TEXT.get(licence, licence)}\n"
            f"To accept it and download: segue models get {short} --accept-license"
        )
