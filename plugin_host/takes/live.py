"""Music that was played live, as takes of a session: bars of a journal, made again by `segue render` to the bit.

journal (in the session, or copied there) ---> bars that were heard in one piece ---> node, its file made now or later

A node names the first bytes of its journal, which may still be growing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bridge.control.parameters import PARAMETERS
from bridge.errors import SegueError
from bridge.ring.form import Audio
from bridge.time.transport import Grid
from plugin_host.console.output import ready_folder
from plugin_host.history.files import inside, name_inside
from plugin_host.history.head import go
from plugin_host.history.history import History
from plugin_host.history.node import Node
from plugin_host.history.path import Piece
from plugin_host.render.again import JOURNAL, Rendered, render
from plugin_host.render.journal import Asked, LaneJournal, newest_lanes, read_lane
from plugin_host.render.places import RenderError, Stretch
from plugin_host.takes.engines import weights_sha256
from plugin_host.takes.errors import TakeError
from plugin_host.takes.finish import finish
from plugin_host.takes.live_copy import in_session
from plugin_host.takes.live_note import LiveNote
from plugin_host.takes.names import cut
from plugin_host.takes.recipe import NOT_STORED, ModelUsed, Recipe, from_json, to_json
from plugin_host.takes.record import node_of, recipe_of
from plugin_host.takes.take import save_take, span_of

FOLDER = "live"  # of the files of takes that were played live
LAST_BARS = 8
PROMPT_MAX = 300
Show = Callable[[str], None]


@dataclass(frozen=True)
class Bars:
    """Bars of a stretch, from 0: `start` to before `stop`."""

    stretch: Stretch
    start: int
    stop: int

    @property
    def first(self) -> int:
        """The first sample in the recording.  [any]"""
        return self.stretch.first + self.stretch.grid.bar_start(self.start) - self.stretch.begin

    @property
    def end(self) -> int:
        """The sample behind its last one.  [any]"""
        return self.stretch.first + self.stretch.grid.bar_start(self.stop) - self.stretch.begin


@dataclass(frozen=True)
class LiveOrder:
    """What becomes a take: bars `start` to before `stop` (from 0), or the last `last` bars with music in them."""

    start: int = 0
    stop: int = 0
    last: int = LAST_BARS
    bits: int = 24
    repair: bool = False
    lane: str = ""


def add_live(session: Path, journal: Path, order: LiveOrder, show: Show) -> list[Node]:
    """Make bars of a journal takes of a session, one for each lane; the head moves to the first.  [main]

    `journal` is a lane's folder, or one with several; of each lane the newest recording that has the bars counts.
    RenderError, TakeError, HistoryError, OutputError.
    """
    lanes = newest_lanes(journal)
    with History(ready_folder(session), create=True) as history:
        nodes, parents = [], []
        for folders in lanes:
            recipe, audio = _newest(history, folders, order, show)
            nodes.append(_made(history, recipe, audio, order.lane or _lane_name(folders)))
            parents.append(_before(history, recipe))
        added = _add(history, nodes, parents)
        go(history, added[0].number)
    return added


def add_turns(session: Path, journal: Path, turns: Sequence[tuple[int, int]], say: Show) -> list[Node]:
    """Make takes of bars (first, first behind them; from 0) of all lanes of a journal, without their files.  [main]

    The head stays. Bars that were not heard in one piece are said, not raised.
    """
    lanes = [[read_lane(path) for path in folders] for folders in newest_lanes(journal)]
    added: list[Node] = []
    with History(ready_folder(session), create=True) as history:
        for start, stop in turns:
            nodes, parents = [], []
            for found in lanes:
                try:
                    lane, bars = _holding(found, start, stop)
                except RenderError as error:
                    say(f"not in the history: {error}")
                    continue
                recipe = _recipe(history, lane, bars, LiveOrder())
                nodes.append(_node(history, recipe, f"lane-{lane.lane}"))
                parents.append(_before(history, recipe))
            added += _add(history, nodes, parents)
    return added


def live_again(history: History, number: int, show: Show) -> Node:
    """Make the file of a node that was played live again; returns the node. RenderError, TakeError.  [main]"""
    node = history.node(number)
    number = node.source or number
    if history.has_file(node):
        return node
    recipe = recipe_of(history, node)
    path = _saved(history, recipe, _music(history, recipe, show))
    return history.made_again(number, name_inside(history.folder, path))


def with_files(history: History, pieces: Sequence[Piece], show: Show) -> list[Piece]:
    """The pieces of a path, with files of those that were played live. RenderError, TakeError.  [main]"""
    for number in dict.fromkeys(piece.node.number for piece in pieces if is_live(piece.node)):
        live_again(history, number, show)
    return [replace(piece, node=history.node(piece.node.number)) for piece in pieces]


def is_live(node: Node) -> bool:
    """Whether a node was played live.  [any]"""
    return "live" in node.recipe


def live_faults(history: History) -> Iterator[str]:
    """A line for each take whose journal is missing or changed.  [any]"""
    for node in filter(is_live, history.nodes()):
        try:
            _journal_of(history, recipe_of(history, node).live)
        except SegueError as error:
            yield f"take {node.number}: {error}"


# -- which bars -----------------------------------------------------------------------------------------


def _newest(history: History, folders: Iterable[Path], order: LiveOrder, show: Show) -> tuple[Recipe, Audio]:
    """The recipe and the music of what was ordered, from the newest journal that has it."""
    fault: SegueError | None = None
    for folder in folders:
        try:
            if order.stop:
                lane, bars = _holding([read_lane(folder)], order.start, order.stop)
                recipe = _recipe(history, lane, bars, order)
                return recipe, _music(history, recipe, show)
            return _last(history, read_lane(folder), order, show)
        except RenderError as error:
            fault = fault or error
    raise fault or RenderError("there is no journal")


def _holding(lanes: Sequence[LaneJournal], start: int, stop: int) -> tuple[LaneJournal, Bars]:
    """The newest stretch in which bars were heard whole; RenderError says which were."""
    for lane in lanes:
        for stretch in reversed(lane.stretches):
            if _whole_bars(stretch)[0] <= start and stop <= _whole_bars(stretch)[1]:
                return lane, Bars(stretch, start, stop)
    whole = [(first + 1, last) for first, last in map(_whole_bars, lanes[0].stretches if lanes else ()) if first < last]
    heard = ", ".join(f"{first} to {last}" for first, last in whole[-8:]) or "none"
    raise RenderError(
        f"bars {start + 1} to {stop} were not heard in one piece and one tempo in {lanes[0].folder}; heard: {heard}"
    )


def _last(history: History, lane: LaneJournal, order: LiveOrder, show: Show) -> tuple[Recipe, Audio]:
    """The recipe and the music of the last bars that have music in them."""
    found = render(lane.folder, show, order.repair)
    show("")
    recipe = _recipe(history, lane, last_bars(lane, found.audio, order.last), order)
    return recipe, _cut(found, recipe)


def last_bars(lane: LaneJournal, audio: Audio, count: int) -> Bars:
    """The last bars, `count` at most, that were heard in one piece and end with music; RenderError for none.  [any]

    `audio` is what was heard, float32 [n, channels].
    """
    for stretch in reversed(lane.stretches):
        first, stop = _whole_bars(stretch)
        while stop > first:
            bar = Bars(stretch, stop - 1, stop)
            if audio[bar.first : bar.end].any():
                return Bars(stretch, max(first, stop - count), stop)
            stop -= 1
    raise RenderError(f"{lane.folder} has no whole bar of music")


def _whole_bars(stretch: Stretch) -> tuple[int, int]:
    """The first whole bar of a stretch, from bar 1 of the song on, and the one behind the last."""
    grid = stretch.grid
    return max(0, grid.next_bar(stretch.begin)), grid.bar_at(stretch.end)


# -- nodes ----------------------------------------------------------------------------------------------


def _recipe(history: History, lane: LaneJournal, bars: Bars, order: LiveOrder) -> Recipe:
    """The recipe of bars of a lane; copies its journal into the session, if it is elsewhere."""
    name, sha256 = in_session(history.folder, lane.folder, lane.n_bytes)
    grid = bars.stretch.grid
    asked = _asked(lane.asked, bars.first, bars.end)
    if not asked:
        raise RenderError(f"{lane.folder}: Segue played nothing up to bar {bars.stop}")
    prompts = list(dict.fromkeys(each.prompt for each in asked if each.prompt))
    values = {key: value for key, value in asked[0].values.items() if key in PARAMETERS and key not in NOT_STORED}
    recipe = Recipe(
        grid.tempo_bpm, bars.stop - bars.start, bars.start, grid.signature, lane.rate_hz,
        cut(" / ".join(prompts), PROMPT_MAX, 4 * PROMPT_MAX), max(0, asked[0].seed), values, bits=order.bits,
        model=ModelUsed(asked[0].model, asked[0].precision or "auto", weights_sha256(asked[0].model)),
        live=LiveNote(name, sha256, lane.n_bytes, bars.first, int(order.repair)),
    )  # fmt: skip
    return from_json(to_json(recipe))  # a journal may come from elsewhere


def _asked(asked: Sequence[Asked], first: int, end: int) -> list[Asked]:
    """What was in force at a sample of the recording, and what was asked for from there to before `end`."""
    before = [each for each in asked if each.heard_samples <= first]
    return [*before[-1:], *(each for each in asked if first < each.heard_samples < end)]


def _made(history: History, recipe: Recipe, audio: Audio, lane: str) -> Node:
    return _node(history, recipe, lane, _saved(history, recipe, audio))


def _node(history: History, recipe: Recipe, lane: str, file: Path | None = None) -> Node:
    node = node_of(history.folder, recipe, file or history.path, lane=lane)
    return node if file else replace(node, file="")


def _lane_name(folders: Sequence[Path]) -> str:
    return f"lane-{read_lane(folders[0]).lane}"


def _before(history: History, recipe: Recipe) -> int:
    """The node of the same journal that ends where this one begins; 0 if there is none."""
    live, found = recipe.live, 0
    for node in filter(is_live, history.nodes("start_bar + bars = ?", (recipe.start_bar,))):
        before = recipe_of(history, node)
        ends = before.live.first + span_of(before)[1] - span_of(before)[0]
        if before.live.journal == live.journal and ends == live.first and _grid(before) == _grid(recipe):
            found = node.number
    return found


def _grid(recipe: Recipe) -> Grid:
    return Grid(recipe.rate_hz, recipe.bpm, recipe.signature)


def _add(history: History, nodes: Sequence[Node], parents: Sequence[int]) -> list[Node]:
    """Add the nodes of one order, each after its parent."""
    added: list[Node] = []
    for node, parent in zip(nodes, parents, strict=True):
        batch = added[0].batch if added else 0
        added += history.add([replace(node, batch=batch)], parent)
    return added


# -- music ----------------------------------------------------------------------------------------------


def _journal_of(history: History, live: LiveNote) -> Path:
    """The folder of a take's journal, which must begin as it did; TakeError."""
    folder = inside(history.folder, live.journal)
    path = inside(history.folder, f"{live.journal}/{JOURNAL}")
    try:
        with path.open("rb") as file:
            same = hashlib.sha256(file.read(live.n_bytes)).hexdigest() == live.sha256
    except OSError as error:
        raise TakeError(f"its journal {path} cannot be read: {error.strerror or error}") from None
    if not same:
        raise TakeError(f"its journal {path} has changed since the take was added")
    return folder


def _music(history: History, recipe: Recipe, show: Show) -> Audio:
    """The music of a recipe, from its journal. RenderError, TakeError."""
    folder, (start, end) = _journal_of(history, recipe.live), span_of(recipe)
    found = render(folder, show, bool(recipe.live.repair), recipe.live.first + end - start)
    show("")
    return _cut(found, recipe)


def _cut(found: Rendered, recipe: Recipe) -> Audio:
    """A recipe's samples of what was heard; at most the last one is missing, where bars of a host are shorter."""
    (start, end), first = span_of(recipe), recipe.live.first
    audio = found.audio[first : first + end - start]
    missing = end - start - len(audio)
    if found.rate_hz != recipe.rate_hz or missing > 1 or audio.shape[1] > 2:
        raise TakeError(
            f"bars {recipe.start_bar + 1} to {recipe.start_bar + recipe.bars} are {end - start} samples of at most two "
            f"channels at {recipe.rate_hz} Hz, the journal makes {audio.shape} at {found.rate_hz} Hz"
        )
    return np.pad(audio, ((0, missing), (0, 0)))


def _saved(history: History, recipe: Recipe, audio: Audio) -> Path:
    done = finish(audio, recipe.rate_hz, recipe.loudness, recipe.bits)
    return save_take(ready_folder(history.folder / FOLDER), recipe, done)
