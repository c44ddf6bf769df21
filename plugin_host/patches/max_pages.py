"""The Max package's other files: help patches, reference pages, overview, facts."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from plugin_host.patches.about import ABOUT, About
from plugin_host.patches.help_page import begun
from plugin_host.patches.patch import Patch

VERSION = "0.1.0"


def help_patch(about: About) -> Patch:
    """`NAME.maxhelp`.  [any]"""
    patch, thing = begun(about, _quoted)
    row = patch.rows()
    sound = 2 if about.name.endswith("~") else 0
    for number, meaning in enumerate(about.outlets[: 2 if about.name == "segue.jam" else None]):
        if number >= sound:
            patch.obj(f"print {about.name.removeprefix('segue.')}-{number + 1}", (thing, number), row=row + number)
            patch.box("comment", f"outlet {number + 1}: {meaning}", row=row + number)
    if sound:
        speakers = patch.obj("ezdac~", thing, row=row + 4)
        patch.wire((thing, 1), speakers, 1)
    return patch


def _quoted(text: str) -> str:
    return text.replace("lo-fi_piano", '"lo-fi piano"')


def _method(text: str) -> str:
    """The first word of a message; Max calls one of numbers a list."""
    word = text.split()[0]
    return "list" if word[0].isdigit() else word


def reference(about: About) -> str:
    """`NAME.maxref.xml`.  [any]"""
    name, default, meaning = about.argument
    arguments = ""
    if name:
        arguments = (
            f'    <objarg name={quoteattr(name)} optional="1" type="int">\n'
            f"      <digest>{escape(meaning)}</digest>\n"
            f"      <description>{escape(meaning)}; {default} without it.</description>\n    </objarg>\n"
        )
    methods = "".join(
        f"    <method name={quoteattr(_method(text))}>\n      <arglist />\n      <digest>{escape(says)}</digest>\n"
        f"      <description>{escape(says)}. Example: {escape(_quoted(text))}</description>\n    </method>\n"
        for text, says in about.messages
    )
    outlets = "".join(
        f'    <outlet id="{number}" type="OUTLET_TYPE">\n      <digest>{escape(says)}</digest>\n    </outlet>\n'
        for number, says in enumerate(about.outlets[: 2 if about.name == "segue.jam" else None])
    )
    return (
        '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n'
        f'<c74object name={quoteattr(about.name)} module="max" category="Segue">\n'
        f"  <digest>{escape(about.digest)}</digest>\n  <description>{escape(about.text)}</description>\n"
        '  <metadatalist>\n    <metadata name="author">Segue</metadata>\n    <metadata name="tag">Segue</metadata>\n'
        f"  </metadatalist>\n  <outletlist>\n{outlets}  </outletlist>\n  <objarglist>\n{arguments}  </objarglist>\n"
        f"  <methodlist>\n{methods}  </methodlist>\n  <seealsolist>\n{_others(about)}  </seealsolist>\n</c74object>\n"
    )


def _others(about: About) -> str:
    return "".join(f"    <seealso name={quoteattr(other.name)} />\n" for other in ABOUT if other is not about)


def overview() -> Patch:
    """`extras/Segue Overview.maxpat`: all abstractions, with what they are for.  [any]"""
    patch = Patch()
    patch.say("Segue plays on with you. Start segue engine and segue host, then click an object and press Help.")
    for about in ABOUT:
        row = patch.rows()
        patch.obj(about.created, row=row)
        patch.box("comment", about.digest, row=row)
    patch.say("The panel to play with is segue.panel in examples.")
    return patch


def facts() -> dict[str, Any]:
    """`package-info.json`.  [any]"""
    return {
        "name": "Segue",
        "displayname": "Segue",
        "version": VERSION,
        "author": "Segue",
        "authors": ["Segue"],
        "description": "Plays on with you: streams music that continues, follows or resembles yours, on your beat",
        "tags": ["segue", "osc", "generative", "loop"],
        "website": "https://github.com/segue",
        "homepatcher": "Segue Overview.maxpat",
        "max_version_min": "8.6",
        "max_version_max": "none",
        "package_extra": {"copyright": "MIT licence"},
    }


def facts_text() -> str:
    """The file's text.  [any]"""
    return json.dumps(facts(), indent="\t") + "\n"
