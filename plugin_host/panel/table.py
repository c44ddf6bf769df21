"""The message table as the page gets it: its controls are made from these rows.

Requests that carry audio in pieces, register clients or end the engine are the panel's own business. A `path` of this
machine is never taken from the page: it gives a `file` that it uploaded, or a take. All of it [any].
"""

from __future__ import annotations

from typing import Any

from bridge.control import history_rows, jam_rows, messages, midi_rows, take_rows
from bridge.control.arguments import At, Message
from bridge.control.parameters import KNOBS, PARAMETERS
from bridge.control.presets import load_preset, preset_names
from bridge.control.rows import ID, ROOT
from plugin_host.panel import panel_rows
from plugin_host.takes.stems.lanes import NAMES

ENGINE, WATCH, JAM, MIDI, PANEL = "engine", "watch", "jam", "midi", "panel"
PATH, FILE = "path", "file"
_OWN = (
    "hello", "challenge", "bye", "quit", "sync", "take/made", "region/begin", "region/chunk", "region/end",
    "region/capture", "transport", "subscribe", "unsubscribe", "subscriptions", "report", "lane/tokens", "dump",
)  # fmt: skip
_NOT_HERE = {f"{ROOT}/{name}" for name in _OWN}
_BY_PATH = (history_rows.TAKES_EXPORT, history_rows.TAKES_LIVE)  # of files that the page has not
_TAKES = (*history_rows.TAKES_REQUESTS, take_rows.TAKE, take_rows.STEMS, take_rows.STEMS_CANCEL)

REQUESTS: dict[str, tuple[str, Message]] = {
    **{row.address: (ENGINE, row) for row in messages.REQUESTS if row.address not in _NOT_HERE},
    **{row.address: (WATCH, row) for row in _TAKES if row not in _BY_PATH},
    **{row.address: (JAM, row) for row in jam_rows.JAM_VERBS},
    **{row.address: (MIDI, row) for row in (midi_rows.MIDI_LEARN, midi_rows.MIDI_CANCEL, midi_rows.MIDI_FORGET)},
    **{row.address: (PANEL, row) for row in panel_rows.REQUESTS},
}
ASKS = {  # what guests may send: questions
    address for address, (_, row) in REQUESTS.items()
    if row.asks or row in (history_rows.TAKES_LIST, history_rows.TAKES_NODE, history_rows.TAKES_HEAD)
}  # fmt: skip


def numbered(row: Message) -> bool:
    """Whether its first argument is an id, which the panel gives."""
    return bool(row.arguments) and row.arguments[0] is ID


def for_page() -> dict[str, Any]:
    """Rows, parameters and presets for the page."""
    return {
        "requests": {address: _row(to, row) for address, (to, row) in REQUESTS.items()},
        "parameters": [_argument(row) for row in PARAMETERS.values()],
        "knobs": {own: knob for knob, own in KNOBS.items()},
        "presets": [{"name": name, "meaning": load_preset(name).description} for name in preset_names()],
        "jam": [column.name for column in jam_rows.JAM_STATE.arguments],
        "stems": list(NAMES),
        "takes": [column.name for column in history_rows.TAKES_NODE.reply],
    }


def _row(to: str, row: Message) -> dict[str, Any]:
    own = row.arguments[1:] if numbered(row) else row.arguments
    return {
        "to": to, "meaning": row.meaning, "slow": row.slow, "asks": row.address in ASKS,
        "arguments": [_argument(each) for each in own], "reply": [_argument(each) for each in row.reply],
    }  # fmt: skip


def _argument(row: Any) -> dict[str, Any]:
    default = row.default.wire() if isinstance(row.default, At) else row.default
    found = {"name": FILE if row.name == PATH else row.name, "kind": row.kind, "unit": row.unit, "meaning": row.meaning}
    if row.kind in ("i", "f"):
        found |= {"low": row.low, "high": row.high}
    if row.choices:
        found["choices"] = list(row.choices)
    return found if default is None else found | {"default": default}
