"""Layouts of one lane's controls for Open Stage Control and TouchOSC, made from the tables. All of it [main].

`segue osc-layouts FOLDER` writes both; a test compares docs/layouts/ with them. The widgets send
to addresses with lane and name in them (`bridge.control.lane_addresses`), so each sends one value.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree as Xml

from bridge.control.lane_addresses import lane_address
from bridge.control.messages import DEFAULT_PORT
from bridge.control.parameters import PARAMETERS, Parameter
from bridge.control.presets import preset_names

OPEN_STAGE_CONTROL, TOUCH_OSC = "segue.json", "segue.tosc"
FADER, BUTTON = "fader", "button"
COLUMNS, CELL, GAP = 8, 110, 10
HEIGHT = {FADER: 260, BUTTON: 60}
LEFT_OUT = ("seed", "bars")  # numbers that no fader sets well
COMMANDS = (("play", "bar"), ("stop", "bar"), ("mute", 1), ("unmute", 0), ("reseed", "bar"))


@dataclass(frozen=True)
class Control:
    """A widget: what it shows, where it sends, and what; a fader's range is low to high."""

    kind: str
    label: str
    address: str
    value: float | str
    low: float = 0.0
    high: float = 1.0
    whole: bool = False


def controls(lane: int = 0) -> list[Control]:
    """Buttons for commands and presets, a fader for each parameter."""
    buttons = [
        Control(BUTTON, word, lane_address(lane, "mute" if word == "unmute" else word), value)
        for word, value in COMMANDS
    ]
    presets = [Control(BUTTON, name, lane_address(lane, "preset"), name) for name in preset_names()]
    faders = [_fader(row, lane) for row in PARAMETERS.values() if row.name not in LEFT_OUT]
    return [*buttons, *presets, *faders]


def _fader(row: Parameter[float], lane: int) -> Control:
    address = lane_address(lane, row.name)
    return Control(FADER, row.name, address, float(row.initial), row.low, row.high, row.kind == "i")


def _placed(lane: int = 0) -> list[tuple[Control, int, int]]:
    """Controls with their left and top, row by row; faders begin a row of their own."""
    placed, left, top, before = [], 0, 0, ""
    for control in controls(lane):
        if before and (left == COLUMNS or control.kind != before):
            left, top = 0, top + HEIGHT[before] + GAP
        placed.append((control, GAP + left * (CELL + GAP), GAP + top))
        left, before = left + 1, control.kind
    return placed


def open_stage_control(port: int = DEFAULT_PORT) -> str:
    """A session of Open Stage Control as JSON text."""
    widgets = [_widget(number, *each) for number, each in enumerate(_placed())]
    root = {"type": "root", "id": "root", "target": f"127.0.0.1:{port}", "widgets": widgets, "tabs": []}
    session = {"createdWith": "Open Stage Control", "version": "1.26.2", "type": "session", "content": root}
    return json.dumps(session, indent=1) + "\n"


def _widget(number: int, control: Control, left: int, top: int) -> dict[str, object]:
    place = {"left": left, "top": top, "width": CELL, "height": HEIGHT[control.kind]}
    same = {"type": control.kind, "id": f"{control.kind}_{number}", "label": control.label, **place}
    same |= {"address": control.address}
    if control.kind == BUTTON:
        return {**same, "mode": "tap", "on": control.value, "off": control.value}
    range_ = {"min": control.low, "max": control.high}
    types = "i" if control.whole else "f"
    return {
        **same, "range": range_, "default": control.value, "decimals": 0 if control.whole else 3, "typeTags": types,
        "doubleTap": True,
    }  # fmt: skip


def touch_osc() -> bytes:
    """A TouchOSC layout: zlib-compressed XML. The connection to the engine is set in TouchOSC."""
    placed = _placed()
    width = 2 * GAP + COLUMNS * (CELL + GAP)
    height = max(top + HEIGHT[control.kind] for control, _, top in placed) + GAP
    root = Xml.Element("lexml", version="3")
    group = _node(root, "GROUP", "segue", (0, 0, width, height))
    children = Xml.SubElement(group, "children")
    for control, left, top in placed:
        frame = left, top, CELL, HEIGHT[control.kind]
        label = left, top, CELL, 20
        node = _node(children, "FADER" if control.kind == FADER else "BUTTON", control.label, frame)
        _message(Xml.SubElement(node, "messages"), control)
        text = _node(children, "LABEL", f"{control.label} label", label)
        _value(Xml.SubElement(text, "values"), "text", control.label)
    return zlib.compress(b"<?xml version='1.0' encoding='UTF-8'?>" + Xml.tostring(root), 9)


def _node(parent: Xml.Element, kind: str, name: str, frame: tuple[int, int, int, int]) -> Xml.Element:
    identity = str(uuid5(NAMESPACE_URL, f"segue {kind} {name} {frame}"))  # the same each time
    node = Xml.SubElement(parent, "node", ID=identity, type=kind)
    properties = Xml.SubElement(node, "properties")
    name_of = Xml.SubElement(properties, "property", type="s")
    Xml.SubElement(name_of, "key").text, Xml.SubElement(name_of, "value").text = "name", name
    where = Xml.SubElement(properties, "property", type="r")
    Xml.SubElement(where, "key").text = "frame"
    value = Xml.SubElement(where, "value")
    for side, number in zip("xywh", frame, strict=True):
        Xml.SubElement(value, side).text = str(number)
    return node


def _value(values: Xml.Element, key: str, default: str) -> None:
    value = Xml.SubElement(values, "value")
    for name, text in (("key", key), ("locked", "0"), ("lockedDefaultCurrent", "0"), ("default", default)):
        Xml.SubElement(value, name).text = text
    Xml.SubElement(value, "defaultPull").text = "0"


def _message(messages: Xml.Element, control: Control) -> None:
    osc = Xml.SubElement(messages, "osc")
    settings = (("enabled", "1"), ("send", "1"), ("receive", "0"), ("feedback", "0"), ("connections", "0000000001"))
    for name, text in settings:
        Xml.SubElement(osc, name).text = text
    trigger = Xml.SubElement(Xml.SubElement(osc, "triggers"), "trigger")
    Xml.SubElement(trigger, "var").text = "x"
    Xml.SubElement(trigger, "condition").text = "ANY" if control.kind == FADER else "RISE"
    _partial(Xml.SubElement(osc, "path"), "CONSTANT", "STRING", control.address)
    arguments = Xml.SubElement(osc, "arguments")
    if control.kind == FADER:
        conversion = "INTEGER" if control.whole else "FLOAT"
        _partial(arguments, "VALUE", conversion, "x", control.low, control.high)
    else:
        _partial(arguments, "CONSTANT", "STRING" if isinstance(control.value, str) else "INTEGER", str(control.value))


def _partial(parent: Xml.Element, kind: str, conversion: str, value: str, low: float = 0.0, high: float = 1.0) -> None:
    partial = Xml.SubElement(parent, "partial")
    parts = (
        ("type", kind),
        ("conversion", conversion),
        ("value", value),
        ("scaleMin", f"{low:g}"),
        ("scaleMax", f"{high:g}"),
    )
    for name, text in parts:
        Xml.SubElement(partial, name).text = text


def write(folder: Path, port: int = DEFAULT_PORT) -> list[Path]:
    """Write both files into a folder, which is made; OSError if it cannot be."""
    folder.mkdir(parents=True, exist_ok=True)
    session, layout = folder / OPEN_STAGE_CONTROL, folder / TOUCH_OSC
    session.write_text(open_stage_control(port), "utf-8")
    layout.write_bytes(touch_osc())
    return [session, layout]
