"""Takes that go on from the head of a session's history: the music up to there is what the engine continues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bridge.control.arguments import Value
from bridge.time.units import Signature, beats_to_seconds
from plugin_host.console.output import save_wav
from plugin_host.history.errors import HistoryError
from plugin_host.history.files import name_inside
from plugin_host.history.head import pieces
from plugin_host.history.history import History
from plugin_host.history.node import Node
from plugin_host.history.path import Piece
from plugin_host.takes.engines import HotEngine
from plugin_host.takes.join import joined
from plugin_host.takes.live_order import LIVE_TAKES, is_live_order
from plugin_host.takes.order import TakeOrder, kept, one
from plugin_host.takes.place import TakeRegionRequest
from plugin_host.takes.record import recipe_of

HEARD_SECONDS = 30.0  # of the music before the head, in whole bars: more than a model is conditioned on
EXTENDED = "extended"  # folder of takes that were ordered by a message
Say = Callable[[str], None]


@dataclass(frozen=True)
class Extension:
    """What is asked for; empty values are those of the take at the head."""

    bars: int = 8
    takes: int = 1
    seed: int = -1
    prompt: str = ""
    values: Mapping[str, float] | None = None


def order_of(history: History, asked: Extension, scratch: Path) -> TakeOrder:
    """The order of takes from the head on; their region is a file in `scratch`. HistoryError without music.  [main]"""
    path = pieces(history)
    if not path:
        raise HistoryError("there is no music before this: `segue take --session` makes the first take")
    last = path[-1].node
    meter = Signature(last.numerator, last.denominator)
    before = _last(path, max(1, int(HEARD_SECONDS / beats_to_seconds(meter.beats_per_bar, last.bpm))))
    file = scratch / f"take-{last.number}.wav"
    save_wav(file, joined(history, before), last.rate_hz, as_floats=True)
    start_beats = float(before[0].start_bar * meter.beats_per_bar)
    recipe = recipe_of(history, last)
    return TakeOrder(
        TakeRegionRequest(file, "continue", last.bpm, start_beats), last.bpm, meter, asked.bars, takes=asked.takes,
        prompt=asked.prompt or last.prompt, seed=asked.seed, values={**recipe.values, **(asked.values or {})},
        rate_hz=last.rate_hz, bits=recipe.bits, session=history.folder, parent=last.number,
    )  # fmt: skip


def names_of(values: Mapping[str, Value]) -> tuple[str, str] | None:
    """The names of the error and of the folder of an order without a region; None for an order of one.  [any]"""
    name = LIVE_TAKES if is_live_order(values) else EXTENDED
    return None if "path" in values else (name, name)


def order_by(values: Mapping[str, Value], usual: TakeOrder, scratch: Path) -> TakeOrder | None:
    """The order of a message to extend the history of `usual`; None for an order of a region. HistoryError.  [main]"""
    if names_of(values) is None or usual.session is None:
        return None
    bars, takes, seed = (int(str(values[name])) for name in ("bars", "takes", "seed"))
    with History(usual.session) as history:
        order = order_of(history, Extension(bars, takes, seed, str(values["prompt"])), scratch)
    return replace(order, kind=usual.kind)


def _last(path: list[Piece], bars: int) -> list[Piece]:
    """The last bars of a path."""
    first = path[-1].stop_bar - bars
    return [
        Piece(each.node, max(first, each.start_bar), each.stop_bar, each.joined)
        for each in path
        if each.stop_bar > first
    ]


def make_again(history: History, number: int, engine: HotEngine, say: Say, show: Say) -> Node:
    """Make a node's file again from its recipe, if it is not there; returns the node. Raises all errors.  [main]"""
    node = history.node(number)
    number = node.source or number
    if history.has_file(node):
        return node
    recipe = recipe_of(history, node)
    if recipe.live:
        raise HistoryError(f"take {number} was played live: its journal makes it again, no model")
    regions = tuple(kept(region, history.folder) for region in recipe.regions)
    path, _, _ = one(replace(recipe, regions=regions), engine, history.folder, "wav", "", f"take {number}", say, show)
    return history.made_again(number, name_inside(history.folder, path))
