"""Presets: named parameter values with a prompt, from the TOML files of the package `presets`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources

from bridge.control.messages import LANE_PROMPT
from bridge.control.parameters import check_parameter, row_name
from bridge.control.rows import PROMPTS_MAX, STYLES_MAX
from bridge.errors import OutOfRange, PresetError, SegueError

PACKAGE = "presets"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
_KEYS = {"description", "prompt", "prompts", "weights", "style_weights", "parameters"}


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of parameter values; without `prompts` the lane keeps its own.

    `weights` of the prompts and `style_weights` of the style regions sum to 1; empty: the first one alone, and the
    lane's own weights of its styles.
    """

    name: str
    description: str
    parameters: Mapping[str, float]
    prompts: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    style_weights: tuple[float, ...] = ()

    @property
    def prompt(self) -> str | None:
        """The first prompt; None keeps the lane's.  [any]"""
        return self.prompts[0] if self.prompts else None


# Hosts store a preset by its place here, so that none may move: new ones come at the end.
PLACES = (
    "answer-me", "night-bus", "out-on-a-limb", "peak-hour", "porch", "same-but-new", "slow-tide", "straight-on",
    "arcade", "blue-smoke", "brass-band", "chamber", "drum-room", "dub-cellar", "evening-shore", "garage-band",
    "head-nod", "in-the-pocket", "laid-back", "low-end", "morning-radio", "neon-rain", "six-strings", "squeezebox",
    "string-bed", "synth-lead", "upright", "warehouse",
)  # fmt: skip


def preset_names() -> list[str]:
    """Names of the presets of the package, each at its place.  [any]"""
    return list(_names())


@lru_cache(1)
def _names() -> tuple[str, ...]:
    files = resources.files(PACKAGE).iterdir()
    found = {file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")}
    return (*(name for name in PLACES if name in found), *sorted(found.difference(PLACES)))


def load_preset(name: str, others: Sequence[str] = ()) -> Preset:
    """The preset of a name; PresetError names similar ones, also among `others`, or the fault in its file.  [any]"""
    if not is_name(name) or name not in _names():
        raise PresetError(f"there is no preset {name[:64]!r}; there is {', '.join(_near(name[:64], tuple(others)))}")
    return _read(name)


def is_name(name: str) -> bool:
    """Whether a preset may have this name: lower-case words joined by hyphens.  [any]"""
    return _NAME.match(name) is not None


@lru_cache(256)
def _near(name: str, others: tuple[str, ...]) -> list[str]:
    known = [*others, *preset_names()]
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
        prompts = _prompts(table)
        weights, styles = (_weights(table, *each) for each in (("weights", PROMPTS_MAX), ("style_weights", STYLES_MAX)))
    except SegueError as fault:
        raise PresetError(f"preset {name}: {fault}") from None
    return Preset(name, str(table.get("description", "")), parameters, prompts, weights, styles)


def shares(weights: Sequence[float]) -> tuple[float, ...]:
    """Weights in proportion, so that they sum to 1, without zeros behind the last.  OutOfRange if all are 0.  [any]"""
    total = sum(weights)
    if not 0.0 < total < float("inf") or min(weights) < 0.0:
        raise OutOfRange(
            f"the weights are {', '.join(f'{each:g}' for each in weights)}; one must be above 0, none below"
        )
    found = [weight / total for weight in weights]
    while not found[-1]:
        found.pop()
    return tuple(found)


def _prompts(table: Mapping[str, object]) -> tuple[str, ...]:
    if "prompt" in table and "prompts" in table:
        raise PresetError("has both prompt and prompts: one of them")
    given = table.get("prompts", [table["prompt"]] if "prompt" in table else [])
    if not isinstance(given, list) or len(given) > PROMPTS_MAX:
        raise PresetError(f"prompts must be a list of up to {PROMPTS_MAX} texts")
    column = next(argument for argument in LANE_PROMPT.arguments if argument.name == "text")
    return tuple(str(column.check(each)) for each in given)


def _weights(table: Mapping[str, object], key: str, most: int) -> tuple[float, ...]:
    given = table.get(key, [])
    if not isinstance(given, list) or len(given) > most or not all(type(each) in (int, float) for each in given):
        raise PresetError(f"{key} must be a list of up to {most} numbers")
    return shares(given) if given else ()
