"""The objects of Max that our patches use, with how many inlets and outlets each box has; all come with Max."""

from __future__ import annotations

SIGNAL = "signal"
# name: inlets, outlets, types of the outlets where not plain; -1: as many as arguments, -2: arguments and one more
STOCK: dict[str, tuple[int, int, str]] = {
    "inlet": (0, 1, ""), "outlet": (1, 0, ""), "r": (0, 1, ""), "s": (1, 0, ""), "loadbang": (1, 1, "bang"),
    "metro": (2, 1, "bang"), "prepend": (1, 1, ""), "route": (-2, -2, ""), "unpack": (1, -1, ""), "pack": (-1, 1, ""),
    "t": (1, -1, ""), "pipe": (-2, -1, ""), "udpsend": (1, 0, ""), "udpreceive": (1, 1, ""), "print": (1, 0, ""),
    "patcherargs": (1, 2, ""), "js": (1, 1, ""), "node.script": (1, 2, ""), "buffer~": (1, 2, ""),
    "sel": (2, -2, "bang"),
    "index~": (2, 1, SIGNAL), "count~": (2, 1, SIGNAL), "sah~": (2, 1, SIGNAL), "delta~": (1, 1, SIGNAL),
    "<~": (2, 1, SIGNAL), "edge~": (1, 2, "bang"), "sig~": (1, 1, SIGNAL), "selector~": (3, 1, SIGNAL),
    "*~": (2, 1, SIGNAL),
    "+~": (2, 1, SIGNAL), "dac~": (2, 0, ""), "ezdac~": (2, 0, ""), "gate": (2, 1, ""), "tosymbol": (1, 1, ""),
    "ctlin": (1, 3, "int"), "live.thisdevice": (1, 3, "bang"), "plugin~": (2, 2, SIGNAL), "plugout~": (2, 2, SIGNAL),
    "vst~": (2, 8, ""), "zl": (2, 2, ""), "/": (2, 1, ""), "deferlow": (1, 1, ""),
}  # fmt: skip
BOXES: dict[str, tuple[int, int, str]] = {
    "message": (2, 1, ""), "comment": (1, 0, ""), "button": (1, 1, "bang"), "toggle": (1, 1, "int"),
    "flonum": (1, 2, ""), "slider": (1, 1, ""), "textedit": (1, 4, ""), "umenu": (1, 3, ""),
    "pictslider": (2, 2, "int"),
}  # fmt: skip
SCRIPTS = {  # inlets and outlets that a script declares
    "segue.client.js": (2, 3), "segue.lane.js": (1, 1), "segue.jam.js": (2, 3), "segue.loop.js": (3, 7),
    "segue.live.js": (1, 3), "segue.morph.js": (1, 1),
}  # fmt: skip
OWN = {  # our own abstractions
    "segue.client": (1, 2), "segue.lane": (1, 2), "segue.meter": (0, 4), "segue.takes": (1, 2), "segue.loop~": (1, 3),
    "segue.jam": (1, 2), "segue.morph": (1, 1),
}  # fmt: skip


def ports(maxclass: str, text: str) -> tuple[int, int, str]:
    """Inlets and outlets of a box, and the type of its outlets; KeyError for an object that Max does not come with.

    [any]
    """
    if maxclass != "newobj":
        return BOXES[maxclass]
    name, *words = text.split()
    words = words[: next((i for i, word in enumerate(words) if word.startswith("@")), len(words))]
    if name == "js":
        return (*SCRIPTS[words[0]], "")
    if name in OWN:
        return (*OWN[name], SIGNAL if name.endswith("~") else "")
    inlets, outlets, kind = STOCK[name]
    count = {-1: len(words), -2: len(words) + 1}
    if name == "pipe":
        return len(words), len(words) - 1, kind
    if name == "sel":
        return 1 + len(words), 1 + len(words), kind
    if name == "buffer~":
        return 1, 2, kind
    return count.get(inlets, inlets), count.get(outlets, outlets), kind
