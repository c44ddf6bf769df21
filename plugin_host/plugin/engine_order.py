"""How the plugin starts the engine, and the panel: a file that `segue plugin install` writes and the plugin reads.

    # a comment            lines of KEY=VALUE; a key that is there several times is a list
    folder=...             of the engine's lock, log and end, see client/started_engine.py
    run=... run=...        program and arguments; the plugin adds the port, and before it a model if it asks for one
    panel=... panel=...    the same for the panel

A DAW does not have the user's shell, nor its PATH: the file has whole paths. `SEGUE_PLUGIN_ENGINE` names another file,
or `off`: then the plugin starts no engine.
"""

from __future__ import annotations

import itertools
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from bridge.control.messages import LANES_MAX
from bridge.system import whole_file
from plugin_host.plugin.build import PluginBuildError

VARIABLE, OFF = "SEGUE_PLUGIN_ENGINE", "off"
IDLE_MINUTES = 30.0
_HEAD = "# How Segue's plugin starts the engine. `segue plugin engine` shows and changes it.\n"
_OPTIONS = {"--idle-exit": "idle_minutes", "--model": "model", "--device": "device"}


@dataclass(frozen=True)
class EngineOrder:
    """What the user chose: whether the plugin starts the engine, and with which options.  [any]"""

    idle_minutes: float = IDLE_MINUTES
    model: str = "embedded"
    device: str = "auto"
    start: bool = True


def order_file(platform: str = sys.platform) -> Path:
    """The file, which need not exist; the plugin computes the same path.  [any]"""
    chosen = os.environ.get(VARIABLE, "")
    if chosen and chosen != OFF:
        return Path(chosen)
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "segue" / "plugin-engine"
    config = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(config) if config else Path.home() / ".config") / "segue" / "plugin-engine"


def write_order(order: EngineOrder) -> Path:
    """Write the file for this installation of Segue; returns its path. PluginBuildError if it cannot be written.

    [main]
    """
    folder = Path(platformdirs.user_cache_dir("segue")) / "engine"
    values = [f"{order.idle_minutes:g}", order.model, order.device]
    options = [word for pair in zip(_OPTIONS, values, strict=True) for word in pair]
    lanes = ["--lanes", str(LANES_MAX)]  # one for each plugin of a song: an open lane that is silent costs memory only
    run = [sys.executable, "-P", "-m", "plugin_host.client.started_engine", str(folder), *options, *lanes]
    panel = [sys.executable, "-P", "-m", "plugin_host.cli", "panel"]
    lines = [f"folder={folder}", *(f"run={word}" for word in run if order.start), *(f"panel={word}" for word in panel)]
    path = order_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole_file.put(path, (_HEAD + "\n".join(lines) + "\n").encode())
    except OSError as fault:
        raise PluginBuildError(f"{path} cannot be written: {fault.strerror or fault}") from None
    return path


def read_order() -> EngineOrder | None:
    """What the file says; None without one.  [main]"""
    try:
        lines = order_file().read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    run = [line.removeprefix("run=") for line in lines if line.startswith("run=")]
    given = {_OPTIONS[name]: value for name, value in itertools.pairwise(run) if name in _OPTIONS}
    default = EngineOrder()
    try:
        minutes = float(given.get("idle_minutes", default.idle_minutes))
    except ValueError:
        minutes = default.idle_minutes
    return EngineOrder(minutes, given.get("model", default.model), given.get("device", default.device), bool(run))
