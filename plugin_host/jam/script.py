"""Presses from the journal of another jam, so that a jam can be repeated with its hands."""

from __future__ import annotations

from pathlib import Path

from plugin_host.jam.errors import JamError
from plugin_host.jam.recording.journal import read_journal
from plugin_host.jam.state import VERBS, Press


def read_script(path: Path) -> list[Press]:
    """The presses of a journal, in the order of their samples; JamError if it is none.  [main]"""
    try:
        lines = [line for line in read_journal(path) if line.get("kind") == "press"]
        presses = [Press(line["verb"], line.get("bars"), "key", int(line["sample"])) for line in lines]
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise JamError(f"{path} is no journal of a jam: {fault}") from None
    strange = sorted({press.verb for press in presses} - set(VERBS))
    if strange:
        raise JamError(f"{path} has presses that mean nothing: {', '.join(strange)}")
    return sorted(presses, key=lambda press: press.at_sample or 0)
