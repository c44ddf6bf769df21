"""Presets and scenes that a user saves: TOML files in a folder of theirs, beside those of the package `presets`."""

from __future__ import annotations

import json
from pathlib import Path

from bridge.control.presets import Preset, is_name, load_preset, parse_preset, preset_names
from bridge.errors import PresetError
from bridge.system.whole_file import put

MOST = 1000  # presets of a user
BYTES_MAX = 64 * 1024  # of a file


class UserPresets:
    """The presets of one folder, which need not exist, and those of the package; all methods [any]."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Names of the folder's presets, sorted; those of the package are not among them."""
        try:
            stems = [file.stem for file in self.folder.iterdir() if file.suffix == ".toml"]
        except OSError:
            return []
        return sorted(stem for stem in stems if is_name(stem) and stem not in preset_names())

    def load(self, name: str) -> Preset:
        """The preset of a name, of either kind; PresetError names similar ones, or the fault in its file."""
        own = self.names()
        if name not in own:
            return load_preset(name, own)
        path = self.folder / f"{name}.toml"
        try:
            if path.stat().st_size > BYTES_MAX:
                raise PresetError(f"{path} has more than {BYTES_MAX} bytes")
            return parse_preset(name, path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as fault:
            raise PresetError(f"preset {name}: {path} cannot be read: {fault}") from None

    def save(self, preset: Preset) -> Path:
        """Write a preset's file; PresetError for a name that is none, or is one of the package's."""
        if not is_name(preset.name):
            raise PresetError(f"{preset.name[:64]!r} is no name of a preset: lower-case words joined by hyphens")
        if preset.name in preset_names():
            raise PresetError(f"{preset.name} is a preset that comes with Segue: choose another name")
        own = self.names()
        if preset.name not in own and len(own) >= MOST:
            raise PresetError(f"{self.folder} has {MOST} presets and there is room for no more")
        path = self.folder / f"{preset.name}.toml"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            put(path, toml_of(preset).encode())
        except OSError as fault:
            raise PresetError(f"{path} cannot be written: {fault}") from None
        return path


def toml_of(preset: Preset) -> str:
    """The text of a preset's file; inverse of `parse_preset`.  [any]"""
    lines = [f"description = {_text(preset.description)}"]
    if preset.prompts:
        lines.append(f"prompts = [{', '.join(map(_text, preset.prompts))}]")
    for key, weights in (("weights", preset.weights), ("style_weights", preset.style_weights)):
        if weights:
            lines.append(f"{key} = [{', '.join(map(repr, weights))}]")
    values = [f"{name} = {value:.17g}" for name, value in preset.parameters.items()]
    return "\n".join([*lines, "", "[parameters]", *values, ""])


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
