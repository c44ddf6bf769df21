"""What the help patches for Pure Data and Max begin with: the text, the messages to click, the object itself."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from plugin_host.patches.about import About
from plugin_host.patches.patch import Box, Patch


def begun(about: About, quoted: Callable[[str], str]) -> tuple[Patch, Box]:
    """A help patch as far as its object, and that object; `quoted` writes a message as the program wants it.  [any]"""
    patch = Patch()
    patch.say(f"{about.name}: {about.digest}", *textwrap.wrap(about.text, 90))
    if about.argument[0]:
        patch.say("argument: {} ({}): {}".format(*about.argument))
    for other in about.beside:
        patch.obj(other, row=patch.rows())
    messages = []
    for text, meaning in about.messages:
        row = patch.rows()
        messages.append(patch.msg(quoted(text), row=row))
        patch.box("comment", meaning, row=row)
    thing = patch.obj(about.created, *messages, row=patch.rows())
    return patch, thing
