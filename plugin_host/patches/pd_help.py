"""The help patches for Pure Data: what an abstraction is for, messages to click, its outlets shown."""

from __future__ import annotations

import textwrap

from plugin_host.patches.about import About
from plugin_host.patches.patch import Patch

OFTEN = {"segue.client": "state", "segue.lane": "parameter time levels ring"}  # not printed: they come often


def help_patch(about: About) -> Patch:
    """`NAME-help.pd`: it runs as it is, with the engine on its usual port.  [any]"""
    patch = Patch()
    patch.say(f"{about.name}: {about.digest}", *textwrap.wrap(about.text, 90))
    if about.argument[0]:
        patch.say("argument: {} ({}): {}".format(*about.argument))
    for other in about.beside:
        patch.obj(other, row=patch.rows())
    messages = []
    for text, meaning in about.messages:
        row = patch.rows()
        messages.append(patch.msg(text.replace("_piano", "\\ piano"), row=row))
        patch.box("comment", meaning, row=row)
    thing = patch.obj(about.created, *messages, row=patch.rows())
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
