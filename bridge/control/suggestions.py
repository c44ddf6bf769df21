"""What a request changes: two requests of a client change the same thing, or are unrelated.

A request that comes again is a repeat only if its client changed nothing else of the same thing in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.control import messages
from bridge.control.arguments import Message, Value
from bridge.control.parameters import PARAMETERS, row_name

ALL = "*"


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that requests change: a lane's level, a lane's music, the model; `part` ALL is all of it."""

    whole: str
    part: str


_m = messages
_LANE_ROWS: dict[Message, str] = {
    _m.LANE_OPEN: ALL, _m.LANE_CLOSE: ALL, _m.LANE_PRESET: ALL, _m.LANE_CANCEL: ALL,
    _m.LANE_RECALL: ALL, _m.LANE_SLOT: "prompt", _m.LANE_MORPH: "prompt", _m.LANE_SURFACE: "prompt",
    _m.LANE_PROMPT: "prompt", _m.LANE_MUTE: "mute", _m.LANE_PLAY: "music", _m.LANE_STOP: "music",
    _m.LANE_RESEED: "music", _m.TRANSPORT: "time", _m.TAP: "time", _m.REGION_FILE: "region",
    _m.REGION_CAPTURE: "region", _m.REGION_BEGIN: "region", _m.REGION_CLEAR: "region",
}  # fmt: skip
_PARTS = {row.address: part for row, part in _LANE_ROWS.items()}
_WHOLES = {row.address: "model" for row in (_m.MODEL_LOAD, _m.MODEL_CANCEL, _m.MODEL_UNLOAD)}
_STATE_ROWS = {row.address for row in _m.STATE_REQUESTS if not row.asks}
_WHOLES |= {_m.QUIT.address: "engine", _m.BYE.address: "client"}


def thing(row: Message, values: Mapping[str, Value]) -> Thing | None:
    """What a checked request changes; None for a query.  [any]"""
    if row.address in _WHOLES:
        return Thing(_WHOLES[row.address], ALL)
    if row is messages.LANE_SET:
        name = row_name(str(values["name"]))
        return Thing(f"lane {values['lane']}", f"value {name if name in PARAMETERS else ''}")
    if row.address in _PARTS:
        role = values.get("role", "")
        return Thing(f"lane {values['lane']}", f"{_PARTS[row.address]} {role}".strip())
    if row.address in _STATE_ROWS:
        return Thing("subscriptions", str(values.get("what", row.address)))
    if row is messages.PRESET_SAVE:
        return Thing("presets", str(values["preset"]))
    if row is messages.TAKE_MADE:
        return Thing(f"take {values['order']}", str(values["path"]))
    if "transfer" in values:
        return Thing(f"transfer {values['transfer']}", ALL)
    return None
