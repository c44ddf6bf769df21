"""Round trips that were measured, by device, in the user's settings folder: `segue doctor --audio` writes them.

<settings>/audio.json     {"IN > OUT, RATE Hz": {"samples": ..., "spread_samples": ..., "measured": "2026-11-30"}}
"""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Any

import platformdirs

from bridge.errors import SegueError
from bridge.system.whole_file import put
from plugin_host.jam.listening.round_trip import RoundTrip


class SettingsError(SegueError):
    """A setting cannot be written; the message says where and why."""

    code = "settings"


def settings_file() -> Path:
    """The file of measured round trips: in SEGUE_CONFIG, or the user's settings folder.  [any]"""
    chosen = os.environ.get("SEGUE_CONFIG")
    return (Path(chosen) if chosen else Path(platformdirs.user_config_dir("segue"))) / "audio.json"


def remember(device: str, found: RoundTrip) -> None:
    """Store the round trip of a device; SettingsError.  [main]"""
    path, known = settings_file(), _known()
    known[_key(device, found.sample_rate_hz)] = {
        "samples": round(found.samples, 1),
        "spread_samples": round(found.spread_samples, 1),
        "measured": datetime.date.today().isoformat(),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        put(Path(os.path.realpath(path)), (json.dumps(known, indent=1) + "\n").encode())
    except OSError as fault:
        raise SettingsError(f"cannot store the round trip in {path}: {fault.strerror}") from fault


def round_trip_samples(device: str, sample_rate_hz: int) -> int | None:
    """The measured round trip of a device; None if it was not measured at this rate.  [any]"""
    found = _known().get(_key(device, sample_rate_hz))
    samples = found.get("samples") if isinstance(found, dict) else None
    return round(samples) if isinstance(samples, (int, float)) and 0 <= samples < sample_rate_hz else None


def _key(device: str, rate_hz: int) -> str:
    return f"{device}, {rate_hz} Hz"


def _known() -> dict[str, Any]:
    try:
        known = json.loads(settings_file().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
