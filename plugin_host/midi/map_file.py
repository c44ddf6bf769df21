"""The map as a file: TOML, a block for each control, to be read and written by people.

lane = 0

[[control]]
midi = "cc 21"
to = "temperature"
low = 0.7
high = 1.3

[[control]]
midi = "note 36"
to = "lane/play"
with = { at = "bar", bars = 8 }
other = "lane/stop"
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.control.rows import LANES_MAX
from plugin_host.console.output import put
from plugin_host.midi.binding import Binding, bind
from plugin_host.midi.curves import LINEAR
from plugin_host.midi.errors import MidiMapError
from plugin_host.midi.targets import LANE

BYTES_MAX, CONTROLS_MAX = 1_000_000, 1000
KEYS: dict[str, tuple[type, ...]] = {
    "midi": (str,), "to": (str,), "lane": (int,), "mode": (str,), "low": (int, float), "high": (int, float),
    "curve": (str, int, float), "pickup": (bool,), "with": (dict,), "moves": (str,), "other": (str,),
}  # fmt: skip
_TYPES = {str: "text", int: "a number", float: "a number", bool: "true or false", dict: "{ name = value }"}
_HEAD = "# A MIDI map of Segue; docs/midi.md says what stands here.\n"


@dataclass(frozen=True)
class MidiMap:
    """All rows, and the lane for those that name none."""

    bindings: tuple[Binding, ...] = ()
    lane: int = 0


def read_map(path: Path, lane: int | None = None) -> MidiMap:
    """The map of a file; `lane` takes the place of the file's. MidiMapError names the block and what is allowed.

    [main]
    """
    try:
        if path.stat().st_size > BYTES_MAX:
            raise MidiMapError(f"{path} is larger than {BYTES_MAX} bytes: it is no MIDI map")
        found = tomllib.loads(path.read_text("utf-8"))
    except OSError as fault:
        raise MidiMapError(f"{path} cannot be read: {fault.strerror or fault}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as fault:
        raise MidiMapError(f"{path} is not TOML: {fault}") from None
    return parse_map(found, str(path), lane)


def parse_map(found: Mapping[str, object], where: str, lane: int | None = None) -> MidiMap:
    """The map of a file's content; `where` begins the errors.  [main]"""
    strange = sorted(set(found) - {"lane", "control"})
    if strange:
        raise MidiMapError(f"{where}: there is no {strange[0]!r} in a map; it has lane, and blocks [[control]]")
    own = _lane(found.get("lane", 0), where) if lane is None else lane
    blocks = found.get("control", [])
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise MidiMapError(f"{where}: a control is a block that begins with [[control]]")
    if len(blocks) > CONTROLS_MAX:
        raise MidiMapError(f"{where} has {len(blocks)} controls, may have {CONTROLS_MAX}")
    return MidiMap(tuple(_block(each, f"{where}, control {n + 1}", own) for n, each in enumerate(blocks)), own)


def _lane(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < LANES_MAX:
        raise MidiMapError(f"{where}: lane is 0 to {LANES_MAX - 1}, got {value!r}")
    return value


def _block(block: Mapping[str, object], where: str, lane: int) -> Binding:
    for key, value in block.items():
        kinds = KEYS.get(key)
        if kinds is None:
            raise MidiMapError(f"{where}: there is no {key!r}; there is {', '.join(KEYS)}")
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise MidiMapError(f"{where}: {key} is {_TYPES[kinds[0]]}, got {value!r}")
    missing = [key for key in ("midi", "to") if key not in block]
    if missing:
        raise MidiMapError(f"{where}: {missing[0]} is missing")
    values = {"given" if key == "with" else key: value for key, value in block.items() if key not in ("midi", "lane")}
    at = _lane(block["lane"], where) if "lane" in block else lane
    try:
        return bind(str(block["midi"]), lane=at, **values)  # type: ignore[arg-type]
    except MidiMapError as fault:
        raise MidiMapError(f"{where}: {fault}") from None


def write_map(path: Path, bindings: Iterable[Binding], lane: int) -> None:
    """Write the map, whole or not at all; OutputError.  [main]"""
    put(path, map_text(bindings, lane))


def map_text(bindings: Iterable[Binding], lane: int) -> str:
    """The map as the text of its file; `read_map` reads the same.  [any]"""
    blocks = ["\n".join(["[[control]]", *(f"{k} = {_toml(v)}" for k, v in _row(b, lane).items())]) for b in bindings]
    return "\n\n".join([f"{_HEAD}\nlane = {lane}", *blocks]) + "\n"


def _row(binding: Binding, lane: int) -> dict[str, object]:
    target, curve = binding.target, binding.curve
    row: dict[str, object] = {"midi": binding.control.name, "to": target.name}
    if target.lane not in (-1, lane):
        row["lane"] = target.lane
    given = {key: value for key, value in target.given.items() if key != LANE}
    if target.is_parameter:
        given.pop("name", None)
    elif target.moves is not None:
        row["moves"] = target.moves.name
    if given:
        row["with"] = given
    if binding.other is not None:
        row["other"] = binding.other.name
    moves, other = str(row.get("moves", "")), str(row.get("other", ""))
    usual = bind(
        binding.control, target.name, target.lane, given=_given(binding), moves=moves, other=other, **_ends(binding)
    )
    if usual.mode != binding.mode:
        row["mode"] = binding.mode
    if curve is not None and target.moves is not None:
        if (curve.low, curve.high) != (target.moves.low, target.moves.high):
            row |= {"low": curve.low, "high": curve.high}
        if curve.name != LINEAR:
            row["curve"] = curve.name
    if binding.mode == "value" and target.is_parameter and not binding.pickup:
        row["pickup"] = False
    return row


def _given(binding: Binding) -> dict[str, object]:
    left_out = {"name", LANE} if binding.target.is_parameter else {LANE}
    return {key: value for key, value in binding.target.given.items() if key not in left_out}


def _ends(binding: Binding) -> dict[str, Any]:
    return {} if binding.curve is None else {"low": binding.curve.low, "high": binding.curve.high}


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        assert math.isfinite(value)
        return repr(round(value, 9))
    if isinstance(value, int):
        return str(value)
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 else c for c in text) + '"'
