"""Messages about the history of a session, for `segue watch`, at its own port; see docs/takes.md.

They are no requests of the engine. Bars count from 0, as everywhere in OSC; takes are named by their numbers.
"""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import WHOLE_MAX, Argument, Message

BAR_MAX = 1_000_000
_TAKE = rows.bounded("take", "i", "its number", 1, WHOLE_MAX)
_PLACE = rows.bounded("take", "i", "its number; 0: before all music", 0, WHOLE_MAX)
_ON = rows.bounded("on", "i", "1: so; 0: no longer", 0, 1, default=1)
_BAR = rows.bounded("bar", "i", "before which its music ends; 0: the take's end", 0, BAR_MAX, "bars", 0)
_HEAD = (
    rows.count("take", "the take at the head; 0: before all music"),
    rows.count("bar", "the bar before which its music ends", "bars"),
    rows.bounded("can_undo", "i", "1: there is something to undo", 0, 1),
    rows.bounded("can_redo", "i", "1: there is something to redo", 0, 1),
)
_NODE = (
    rows.count("take", "its number"),
    rows.count("parent", "the take that it goes on from; 0: none"),
    rows.count("order", "takes of one order have the same"),
    rows.text("letter", "A, B, C, ... among these", 8),
    rows.text("lane", "its lane, for stems; or empty", 64),
    rows.count("start_bar", "its first bar", "bars"),
    rows.count("bars", "its length", "bars"),
    rows.figure("bpm", "its tempo", "bpm"),
    rows.count("seed", "of its random numbers"),
    rows.bounded("rating", "i", "1 to 5; 0: not rated", 0, 5),
    rows.bounded("kept", "i", "1: kept", 0, 1),
    rows.bounded("discarded", "i", "1: discarded", 0, 1),
    rows.text("prompt", "its prompt; the beginning of a long one", 200),
    rows.text("path", "of its file; empty: it is gone, or the path is longer than 700 bytes"),
)


def _request(name: str, *arguments: Argument, reply: tuple[Argument, ...] = (), meaning: str) -> Message:
    return rows.request(f"takes/{name}", *arguments, reply=reply, meaning=meaning, local=True)


# fmt: off
TAKES_LIST = _request(
    "list", rows.text("find", "words of the prompt; empty: all takes", 200, ""),
    rows.bounded("after", "i", "only takes after this one in the list; 0: from the beginning", 0, WHOLE_MAX, default=0),
    reply=(rows.count("count", "of takes in all"), rows.text("takes", "numbers of as many as fit, best rated first")),
    meaning="Lists takes, also by the words of their prompt. Ask again after the last number for more.",
)
TAKES_NODE = _request("node", _TAKE, reply=_NODE, meaning="Reads one take.")
TAKES_HEAD = _request("head", reply=_HEAD, meaning="Reads the head: the place after which the music goes on.")
TAKES_GO = _request("go", _PLACE, _BAR, reply=_HEAD, meaning="Moves the head to a take.")
TAKES_REWIND = _request(
    "rewind", rows.bounded("bars", "i", "how many", 1, BAR_MAX, "bars"), reply=_HEAD,
    meaning="Moves the head back; the next takes fork there, and nothing is lost.",
)
TAKES_UNDO = _request("undo", reply=_HEAD, meaning="Takes the head's last move back.")
TAKES_REDO = _request("redo", reply=_HEAD, meaning="Does again what was undone.")
TAKES_SWITCH = _request(
    "switch", rows.text("letter", "A, B, C, ... among the takes of the head's order", 8),
    rows.bounded("bar", "i", "on which it begins; 0: the whole take", 0, BAR_MAX, "bars", 0), reply=_HEAD,
    meaning="Changes over to another take of the order, as a whole or from a bar line on.",
)
TAKES_KEEP = _request("keep", _TAKE, _ON, meaning="Keeps a take: nothing removes it, nor what comes before it.")
TAKES_DISCARD = _request("discard", _TAKE, _ON, meaning="Marks a take as not wanted; garbage collection removes it.")
TAKES_RATE = _request(
    "rate", _TAKE, rows.bounded("rating", "i", "1 to 5; 0: no rating", 0, 5), meaning="Rates a take.",
)
TAKES_EXPORT = _request(
    "export", rows.text("path", "of the WAV file to write; absolute"),
    rows.bounded("take", "i", "the last of the path; 0: the head's", 0, WHOLE_MAX, default=0),
    reply=(rows.count("bars", "how many were written", "bars"),),
    meaning="Writes what is heard from the beginning to the head, or to a take, as one file.",
)
TAKES_EXTEND = _request(
    "extend", rows.bounded("bars", "i", "how many", 1, 1000, "bars", 8),
    rows.bounded("takes", "i", "how many takes, each with its own seed", 1, 100, default=1),
    rows.bounded("seed", "i", "of the first; -1: drawn", -1, WHOLE_MAX, default=-1),
    rows.text("prompt", "a description of the music; empty: that of the take at the head", default=""),
    meaning="Orders takes that go on from the head. The head moves to the first of them when they are made.",
)
TAKES_LIVE = _request(
    "live", rows.text("journal", "folder of a lane's journal, or of several, by `segue engine --journal`; absolute"),
    rows.bounded("bars", "i", "how many", 1, 1000, "bars", 8),
    rows.bounded("start_bar", "i", "the first of them; -1: the last bars that have music", -1, BAR_MAX, "bars", -1),
    rows.bounded("repair", "i", "1: where the engine was late, the music as it should have been", 0, 1, default=0),
    rows.text("lane", "their lane, like drums; empty: lane-0, lane-1, ...", 64, ""),
    meaning="Orders takes of bars that were played live. The head moves to the first of them when they are made.",
)
# fmt: on
TAKES_REQUESTS = (
    TAKES_LIST,
    TAKES_NODE,
    TAKES_HEAD,
    TAKES_GO,
    TAKES_REWIND,
    TAKES_UNDO,
    TAKES_REDO,
    TAKES_SWITCH,
    TAKES_KEEP,
    TAKES_DISCARD,
    TAKES_RATE,
    TAKES_EXPORT,
    TAKES_EXTEND,
    TAKES_LIVE,
)  # fmt: skip
