"""A patch as the text of Pure Data's .pd files."""

from __future__ import annotations

from plugin_host.patches.patch import Box, Patch

_SHAPES = {
    "number": "floatatom {left} {top} 8 0 0 0 - - -",
    "bang": "obj {left} {top} bng 20 250 50 0 empty empty empty 0 -8 0 10 -262144 -1 -1",
    "toggle": "obj {left} {top} tgl 20 0 empty empty empty 0 -8 0 10 -262144 -1 -1 0 1",
    "slider": "obj {left} {top} hsl 128 18 0 1 0 0 empty empty empty -2 -8 0 10 -262144 -1 -1 0 1",
    "level": "obj {left} {top} vu 15 120 empty empty -1 -8 0 10 -66577 -1 1 0",
}
_WORDS = {"object": "obj", "message": "msg", "comment": "text"}


def pd_text(patch: Patch) -> str:
    """The file's text.  [any]"""
    boxes = patch.placed()
    width = 60 + max((box.left + 7 * len(box.text) for box in boxes), default=400)
    height = 80 + max((box.top for box in boxes), default=200)
    lines = [f"#N canvas 60 60 {min(width, 1100)} {min(height, 900)} 10"]
    lines += [_line(box) for box in boxes]
    lines += ["#X connect {} {} {} {}".format(*wire) for wire in patch.wires]
    return "".join(f"{line};\n" for line in lines)


def _line(box: Box) -> str:
    if box.kind in _SHAPES:
        return "#X " + _SHAPES[box.kind].format(left=box.left, top=box.top)
    text = box.text.replace(";", " \\;").replace(",", " \\,").replace("$", "\\$")
    return f"#X {_WORDS[box.kind]} {box.left} {box.top} {text}"
