"""Addresses with the lane and the parameter in them, for faders and tools that send one value to one address.

Behind the root, these are the same:

lane/0/temperature 1.1      and   do/lane/set 0 temperature 1.1
lane/0/prompt "lo-fi"       and   do/lane/prompt 0 "lo-fi"
"""

from __future__ import annotations

from bridge.control import messages
from bridge.control.arguments import Message
from bridge.control.packet import Packet
from bridge.control.parameters import KNOBS, PARAMETERS
from bridge.control.rows import LANE, LANES_MAX, ROOT

_HEAD = f"{ROOT}/lane/"
LANE_ROWS = {
    row.address.removeprefix(_HEAD): row
    for row in messages.REQUESTS
    if row.address.startswith(_HEAD) and row.arguments[1:2] == (LANE,)
}
_NAMES = {*PARAMETERS, *KNOBS}


def lane_address(lane: int, word: str) -> str:
    """The address of a lane's request or parameter.  [any]"""
    return f"{_HEAD}{lane}/{word}"


def read(packet: Packet) -> tuple[Message, Packet] | None:
    """The row that such an address means, and the message in the long form, id 0; None for other addresses.  [any]"""
    lane, _, word = packet.address.removeprefix(_HEAD).partition("/")
    if not (packet.address.startswith(_HEAD) and lane.isascii() and lane.isdigit() and int(lane) < LANES_MAX):
        return None
    if word in LANE_ROWS:
        row, values = LANE_ROWS[word], packet.values
    elif word in _NAMES:
        row, values = messages.LANE_SET, (word, *packet.values)
    else:
        return None
    return row, Packet(row.address, (0, int(lane), *values), packet.due_seconds)
