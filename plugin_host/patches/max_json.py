"""A patch as the JSON of Max's .maxpat files, and in the container of Max for Live's .amxd files."""

from __future__ import annotations

import json
import struct
from typing import Any

from plugin_host.patches.max_objects import ports
from plugin_host.patches.patch import Box, Patch

_CLASSES = {
    "object": "newobj", "message": "message", "comment": "comment", "number": "flonum", "bang": "button",
    "toggle": "toggle", "slider": "slider", "level": "slider", "text": "textedit", "menu": "umenu", "xy": "pictslider",
}  # fmt: skip
_SIZES = {"button": (24.0, 24.0), "toggle": (24.0, 24.0), "flonum": (70.0, 22.0), "slider": (140.0, 22.0),
          "textedit": (260.0, 22.0), "umenu": (160.0, 22.0), "pictslider": (140.0, 140.0)}  # fmt: skip
_MADE_SECONDS = 3_800_000_000  # of all our devices, in Max's seconds since 1904: the same patch is the same file


def max_patcher(patch: Patch, presentation: bool = False) -> dict[str, Any]:
    """The patcher as Max keeps it.  [any]"""
    boxes = patch.placed()
    width = 80.0 + max((box.left + 8 * len(box.text) for box in boxes), default=400)
    height = 90.0 + max((box.top for box in boxes), default=200)
    return {
        "patcher": {
            "fileversion": 1,
            "appversion": {"major": 8, "minor": 6, "revision": 0, "architecture": "x64", "modernui": 1},
            "classnamespace": "box",
            "rect": [80.0, 80.0, min(width, 1200.0), min(height, 900.0)],
            "openinpresentation": int(presentation),
            "boxes": [{"box": _box(box, presentation)} for box in boxes],
            "lines": [
                {"patchline": {"source": [f"obj-{a + 1}", outlet], "destination": [f"obj-{b + 1}", inlet]}}
                for a, outlet, b, inlet in patch.wires
            ],
            "dependency_cache": [],
            "autosave": 0,
        }
    }


def _box(box: Box, presentation: bool) -> dict[str, Any]:
    maxclass = _CLASSES[box.kind]
    if box.kind == "object" and box.name in ("inlet", "outlet", "ezdac~"):
        maxclass = box.name
    inlets, outlets, kind = ports("newobj" if maxclass in ("inlet", "outlet", "ezdac~") else maxclass, box.text)
    width, height = _SIZES.get(maxclass, (18.0 + 7.0 * len(box.text), 22.0))
    made: dict[str, Any] = {
        "id": f"obj-{box.number + 1}", "maxclass": maxclass, "numinlets": inlets, "numoutlets": outlets,
        "patching_rect": [float(box.left), float(box.top), width, height],
    }  # fmt: skip
    if outlets:
        made["outlettype"] = [kind] * outlets
    if maxclass in ("newobj", "message", "comment"):
        made["text"] = box.text
    if maxclass == "slider":
        made |= {"floatoutput": 1, "size": 1.0, "min": 0.0, "orientation": 1}
    if maxclass == "umenu":
        made["items"] = [part for item in box.text.split() for part in (item, ",")][:-1]
    if maxclass in ("inlet", "outlet"):
        made |= {"comment": "", "index": box.left}
    if presentation and box.shown:
        made |= {"presentation": 1, "presentation_rect": made["patching_rect"]}
    return made


def max_text(patcher: dict[str, Any]) -> bytes:
    """The file's bytes.  [any]"""
    return (json.dumps(patcher, indent=1, ensure_ascii=False) + "\n").encode()


def live_device(patcher: dict[str, Any], name: str) -> bytes:
    """An audio effect for Live, made from the container's description; no Live has opened it.  [any]"""
    patcher["patcher"]["project"] = {
        "version": 1, "creationdate": _MADE_SECONDS, "modificationdate": _MADE_SECONDS,
        "viewrect": [0.0, 0.0, 300.0, 500.0], "autoorganize": 1, "hideprojectwindow": 1, "showdependencies": 1,
        "autolocalize": 0, "contents": {"patchers": {}}, "layout": {}, "searchpath": {}, "detailsvisible": 0,
        "amxdtype": 1633771873, "readonly": 0, "devpathtype": 0, "devpath": ".", "sortmode": 0, "viewmode": 0,
        "includepackages": 0,
    }  # fmt: skip
    text = max_text(patcher) + b"\0"
    file = name.encode() + b"\0"
    entry = b"".join((
        _chunk(b"type", b"JSON"), _chunk(b"fnam", file + bytes(-len(file) % 4)), _number(b"sz32", len(text)),
        _number(b"of32", 16), _number(b"vers", 0), _number(b"flag", 17), _number(b"mdat", _MADE_SECONDS),
    ))  # fmt: skip
    block = (
        b"mx@c" + struct.pack(">III", 16, 0, len(text) - 1 + 16 + 1) + text + _chunk(b"dlst", _chunk(b"dire", entry))
    )
    return b"ampf" + struct.pack("<I", 4) + b"aaaa" + b"ptch" + struct.pack("<I", len(block)) + block


def _chunk(name: bytes, payload: bytes) -> bytes:
    return name + struct.pack(">I", 8 + len(payload)) + payload


def _number(name: bytes, value: int) -> bytes:
    return _chunk(name, struct.pack(">I", value))
