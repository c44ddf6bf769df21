"""Presets: named parameter values with a prompt, from the TOML files of the package `presets`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources

from bridge.control.messages import LANE_PROMPT
from bridge.control.parameters import check_parameter, row_name
from bridge.errors import PresetError, SegueError

PACKAGE = "presets"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
_KEYS = {"description", "prompt", "parameters"}


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of parameter values; `prompt` None keeps the lane's prompt."""

    name: str
    description: str
    prompt: str | None
    parameters: Mapping[str, float]


def preset_names() -> list[str]:
    """Names of the presets of the package, sorted.  [any]"""
    return list(_names())


@lru_cache(1)
def _names() -> tuple[str, ...]:
    files = resources.files(PACKAGE).iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def load_preset(name: str) -> Preset:
    """The preset of a name; PresetError names similar ones, or the fault in its file.  [any]"""
    known = preset_names()
    if not _NAME.match(name) or name not in known:
        raise PresetError(f"there is no preset {name[:64]!r}; there is {', '.join(_near(name[:64]))}")
    return _read(name)


@lru_cache(256)
def _near(name: str) -> list[str]:
    known = preset_names()
    return get_close_matches(name, known, n=3) or known


@lru_cache(64)
def _read(name: str) -> Preset:
    """Read its file once: many may request it while music plays."""
    return parse_preset(name, (resources.files(PACKAGE) / f"{name}.toml").read_text("utf-8"))


def parse_preset(name: str, text: str) -> Preset:
    """A preset from the text of its TOML file; PresetError for a misspelt key or a wrong value.  [any]"""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as fault:
        raise PresetError(f"preset {name}: {fault}") from None
    if strange := sorted(set(table) - _KEYS):
        raise PresetError(f"preset {name} has keys that mean nothing: {', '.join(strange)}")
    values = table.get("parameters", {})
    if not isinstance(values, dict):
        raise PresetError(f"preset {name}: parameters must be a table of names and numbers")
    try:
        parameters = {row_name(key): check_parameter(key, value) for key, value in values.items()}
        prompt = _prompt(table)
    except SegueError as fault:
        raise PresetError(f"preset {name}: {fault}") from None
    return Preset(name, str(table.get("description", "")), prompt, parameters)


def _prompt(table: Mapping[str, object]) -> str | None:
    if "prompt" not in table:
        return None
    column = next(argument for argument in LANE_PROMPT.arguments if argument.name == "text")
    return str(column.check(table["prompt"]))
