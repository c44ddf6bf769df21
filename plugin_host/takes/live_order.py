"""Orders of takes of bars that were played live, as `segue watch` takes them by OSC; live.py makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from bridge.control.arguments import Value
from bridge.errors import UnknownAddress
from plugin_host.history.files import inside
from plugin_host.history.node import Node
from plugin_host.render.journal import newest_lanes
from plugin_host.takes.live import LiveOrder, add_live
from plugin_host.takes.order import TakeOrder

LIVE_TAKES = "live"  # the name of the order's folder and error


def is_live_order(values: Mapping[str, Value]) -> bool:
    """Whether an order is one of bars that were played live.  [any]"""
    return "journal" in values


def check_journal(values: Mapping[str, Value]) -> None:
    """UnknownAddress if the folder of the order's journal has no full path, RenderError if it has no journal.  [any]"""
    folder = Path(str(values["journal"]))
    if not folder.is_absolute():
        raise UnknownAddress(f"{str(folder)!r} is not a full path")
    newest_lanes(folder)


def live_takes(values: Mapping[str, Value], usual: TakeOrder, show: Callable[[str], None]) -> list[tuple[Node, Path]]:
    """Make an order's takes in the session of `usual`; returns them and their files. Errors of `add_live`.  [main]"""
    assert usual.session is not None, "without a session the port takes no such order"
    bars, start = int(str(values["bars"])), int(str(values["start_bar"]))
    span = (0, 0) if start < 0 else (start, start + bars)
    order = LiveOrder(*span, bars, usual.bits, bool(values["repair"]), str(values["lane"]))
    session = usual.session.absolute()
    added = add_live(session, Path(str(values["journal"])), order, show)
    return [(node, inside(session, node.file)) for node in added]
