"""The help patches for Pure Data: what an abstraction is for, messages to click, its outlets shown."""

from __future__ import annotations

from plugin_host.patches.about import About
from plugin_host.patches.help_page import begun
from plugin_host.patches.patch import Patch

OFTEN = {"segue.client": "state", "segue.lane": "parameter time levels ring"}  # not printed: they come often


def help_patch(about: About) -> Patch:
    """`NAME-help.pd`: it runs as it is, with the engine on its usual port.  [any]"""
    patch, thing = begun(about, lambda text: text.replace("_piano", "\\ piano"))
    quiet = patch.obj(f"route {OFTEN[about.name]}", thing) if about.name in OFTEN else thing
    row = patch.rows()
    for number, meaning in enumerate(about.outlets):
        if about.name.endswith("~") and number < 2:
            continue
        patch.obj(
            f"print {about.name.removeprefix('segue.')}-{number + 1}",
            (quiet, len(OFTEN[about.name].split())) if number == 0 and about.name in OFTEN else (thing, number),
            row=row + number,
        )
        patch.box("comment", f"outlet {number + 1}: {meaning}", row=row + number)
    if about.name.endswith("~"):
        dac = patch.obj("dac~", thing)
        patch.wire((thing, 1), dac, 1)
        patch.msg("; pd dsp 1", row=patch.rows())
    return patch
