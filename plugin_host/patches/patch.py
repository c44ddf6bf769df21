"""A patch: boxes in rows, and the wires between their outlets and inlets. Pd and Max patches are made from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

ROW_PIXELS, LETTER_PIXELS, MARGIN_PIXELS = 30, 7, 24
KINDS = ("object", "message", "comment", "number", "bang", "toggle", "slider", "level", "text", "menu", "xy")


@dataclass(frozen=True)
class Box:
    """A box: its number in the patch, its kind and words, its place in pixels."""

    number: int
    kind: str
    text: str
    left: int
    top: int

    @property
    def name(self) -> str:
        """The first word: of an object its name.  [any]"""
        return self.text.partition(" ")[0]

    @property
    def shown(self) -> bool:
        """Whether a player sees it: everything but objects.  [any]"""
        return self.kind != "object"


Outlet = Box | tuple[Box, int]


@dataclass
class Patch:
    """Boxes and wires in the order in which they were made."""

    boxes: list[Box] = field(default_factory=list)
    wires: list[tuple[int, int, int, int]] = field(default_factory=list)
    _free: dict[int, int] = field(default_factory=dict)

    def box(self, kind: str, text: str, *sources: Outlet, row: int | None = None) -> Box:
        """Add a box one row below its sources, whose outlets lead to its first inlet.  [any]"""
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}, must be one of {', '.join(KINDS)}")
        above = [(source[0] if isinstance(source, tuple) else source).top // ROW_PIXELS for source in sources]
        at = row if row is not None else 1 + max(above, default=0)
        if at == 0 and kind == "object" and text != "inlet":
            at = 1  # the first row is for inlets
        left = self._free.get(at, MARGIN_PIXELS)
        letters = {
            "bang": 6,
            "toggle": 6,
            "number": 10,
            "object": len(text),
            "comment": len(text),
            "message": len(text),
        }
        letters_wide = letters.get(kind, 20)
        self._free[at] = left + letters_wide * LETTER_PIXELS + MARGIN_PIXELS
        made = Box(len(self.boxes), kind, text, left, at * ROW_PIXELS)
        self.boxes.append(made)
        for source in sources:
            self.wire(source, made)
        return made

    def obj(self, text: str, *sources: Outlet, row: int | None = None) -> Box:
        """Add an object.  [any]"""
        return self.box("object", text, *sources, row=row)

    def msg(self, text: str, *sources: Outlet, row: int | None = None) -> Box:
        """Add a message box.  [any]"""
        return self.box("message", text, *sources, row=row)

    def say(self, *lines: str) -> None:
        """Add comments, each in a row of its own below all rows so far.  [any]"""
        for line in lines:
            self.box("comment", line, row=self.rows())

    def rows(self) -> int:
        """How many rows are in use: the number of the next free one.  [any]"""
        return 1 + max(self._free, default=0)

    def wire(self, source: Outlet, target: Box, inlet: int = 0) -> None:
        """Connect an outlet to an inlet.  [any]"""
        box, outlet = source if isinstance(source, tuple) else (source, 0)
        self.wires.append((box.number, outlet, target.number, inlet))

    def placed(self) -> list[Box]:
        """The boxes; inlets in the first row and outlets in the last, from left to right as they were made: their order
        from left to right is their number.  [any]"""
        last = 1 + max((box.top for box in self.boxes), default=0) // ROW_PIXELS
        inlets, outlets = 0, 0
        made = []
        for box in self.boxes:
            word = box.name.removesuffix("~") if box.kind == "object" else ""
            if word == "inlet":
                box = replace(box, left=MARGIN_PIXELS + 90 * inlets, top=0)
                inlets += 1
            elif word == "outlet":
                box = replace(box, left=MARGIN_PIXELS + 90 * outlets, top=last * ROW_PIXELS)
                outlets += 1
            made.append(box)
        return made

    def chain(self, source: Outlet, *texts: str) -> Box:
        """Add objects below each other, each connected to the one before; returns the last.  [any]"""
        for text in texts:
            source = self.obj(text, source)
        if isinstance(source, tuple):
            raise ValueError("a chain needs at least one object")
        return source
