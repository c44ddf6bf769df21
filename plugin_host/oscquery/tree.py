"""The tree of OSCQuery nodes, made from the message table: addresses, types, ranges, meanings and present values.
Behind the root:

    do/...          the short form of every request: to be sent
    lane/0/...      one lane's parameters, prompt and commands: a value for each address
    state/...       what subscribers are sent: to be received

By the OSCQuery proposal of Vidvox (https://github.com/Vidvox/OSCQueryProposal). All of it [any].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.control import messages, state_rows
from bridge.control.arguments import AT_WORDS, Argument, Message, Value
from bridge.control.lane_addresses import LANE_ROWS, lane_address
from bridge.control.parameters import PARAMETERS
from bridge.control.rows import short

NONE, READ, WRITE, BOTH = 0, 1, 2, 3  # ACCESS
EXTENSIONS = ("ACCESS", "VALUE", "RANGE", "DESCRIPTION", "UNIT", "TYPE", "CLIPMODE")
ATTRIBUTES = ("FULL_PATH", "CONTENTS", "HOST_INFO", *EXTENSIONS)
Node = dict[str, Any]


def host_info(name: str, osc_host: str, osc_port: int) -> Node:
    """What HOST_INFO answers."""
    extensions = dict.fromkeys(EXTENSIONS, True) | {"LISTEN": False, "PATH_CHANGED": False}
    return {"NAME": name, "OSC_IP": osc_host, "OSC_PORT": osc_port, "OSC_TRANSPORT": "UDP", "EXTENSIONS": extensions}


def tree(lanes: Mapping[int, Mapping[str, Value]]) -> Node:
    """The root node; `lanes` has the present values of each lane by name: parameters, `prompt`, `mute`, `state`."""
    root = _container("/", "Segue")
    for row in messages.REQUESTS:
        _put(root, short(row), _leaf(row, row.arguments[1:], WRITE))
    for lane, values in sorted(lanes.items()):
        for word, row in LANE_ROWS.items():
            _put(root, lane_address(lane, word), _leaf(row, row.arguments[2:], WRITE))
        for parameter in PARAMETERS.values():
            _put(root, lane_address(lane, parameter.name), _valued(parameter, values.get(parameter.name), BOTH))
        for argument in (messages.LANE_PROMPT.arguments[2], messages.LANE_MUTE.arguments[2]):
            word = {"text": "prompt", "on": "mute"}[argument.name]
            _put(root, lane_address(lane, word), _valued(argument, values.get(word), BOTH))
        _put(root, lane_address(lane, "state"), _valued(messages.LANE_STATUS.reply[0], values.get("state"), READ))
    for row in state_rows.STATE_EVENTS:
        _put(root, row.address, _leaf(row, row.arguments, READ))
    return root


def find(root: Node, path: str) -> Node | None:
    """The node of a path, None if there is none."""
    node = root
    for part in filter(None, path.split("/")):
        contents = node.get("CONTENTS", {})
        if part not in contents:
            return None
        node = contents[part]
    return node


def _container(path: str, description: str = "") -> Node:
    return {"FULL_PATH": path, "DESCRIPTION": description, "ACCESS": NONE, "CONTENTS": {}}


def _put(root: Node, path: str, node: Node) -> None:
    *folders, name = path.strip("/").split("/")
    here = root
    for depth, part in enumerate(folders, 1):
        here = here.setdefault("CONTENTS", {}).setdefault(part, _container("/" + "/".join(folders[:depth])))
    kept = here.setdefault("CONTENTS", {}).get(name, {}).get("CONTENTS")
    here["CONTENTS"][name] = {"FULL_PATH": path, **node} | ({"CONTENTS": kept} if kept else {})


def _leaf(row: Message, arguments: tuple[Argument, ...], access: int) -> Node:
    names = " ".join(each.name if each.default is None else f"[{each.name}]" for each in arguments)
    node: Node = {"DESCRIPTION": f"{names}: {row.meaning}" if names else row.meaning, "ACCESS": access}
    if arguments:
        node |= {
            "TYPE": "".join(_type(each) for each in arguments),
            "RANGE": [_range(each) for each in arguments],
            "UNIT": [each.unit or "none" for each in arguments],
        }
    return node


def _valued(argument: Argument, value: Value | None, access: int) -> Node:
    node: Node = {
        "DESCRIPTION": argument.meaning, "ACCESS": access, "TYPE": _type(argument), "RANGE": [_range(argument)],
        "UNIT": [argument.unit or "none"], "CLIPMODE": ["none"],
    }  # fmt: skip
    if value is None:  # not known: it cannot be read
        return node | {"ACCESS": access & WRITE}
    return node | {"VALUE": [value]}


def _type(argument: Argument) -> str:
    return "s" if argument.kind == "at" else argument.kind


def _range(argument: Argument) -> Node | None:
    if argument.kind == "at":
        return {"VALS": list(AT_WORDS)}
    if argument.choices:
        return {"VALS": [int(each) if argument.kind == "i" else each for each in argument.choices]}
    return None if argument.kind == "s" else {"MIN": argument.low, "MAX": argument.high}
