"""Takes and the session's history: every take made becomes a node, and a node's recipe can be made again.

made take, its file in the session ---> node with recipe, codes and references ---> recipe with the references' audio
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bridge.errors import SegueError
from plugin_host.history.database import NAME as DATABASE
from plugin_host.history.errors import HistoryError
from plugin_host.history.files import name_inside, read_reference, store_reference
from plugin_host.history.head import go
from plugin_host.history.history import History
from plugin_host.history.node import Node, Reference
from plugin_host.takes.recipe import Recipe, UsedRegion, from_json, region_bytes, to_json


def node_of(folder: Path, recipe: Recipe, file: Path, variation: int = 1, lane: str = "") -> Node:
    """The node of a take whose file is in the session's folder; writes its references there. HistoryError.  [main]"""
    references = tuple(
        Reference(each.role, store_reference(folder, region_bytes(each)), each.bpm, each.start_beats, each.name)
        for each in recipe.regions
    )
    bare = replace(recipe, regions=tuple(replace(each, path="") for each in recipe.regions))
    return Node(
        recipe.start_bar, recipe.bars, recipe.bpm, recipe.signature.numerator, recipe.signature.denominator,
        recipe.rate_hz, variation=variation, lane=lane, seed=recipe.seed, prompt=recipe.prompt,
        model=recipe.model.name, precision=recipe.model.precision, model_sha256=recipe.model.sha256,
        file=name_inside(folder, file), file_start_bar=recipe.start_bar, references=references,
        recipe=json.loads(to_json(bare, with_audio=False)), tokens=recipe.tokens,
    )  # fmt: skip


@dataclass
class Recorder:
    """Adds the takes of one order to a session, part by part as they are made; the head moves to the first.

    A fault of the history is said, not raised: the takes are on the disk, and `segue takes add` adds them later. With
    `stays` the head stays where it is: nothing goes on from a stem by itself.
    """

    session: Path
    parent: int
    say: Callable[[str], None]
    stays: bool = False
    batch: int = 0
    count: int = 0

    def add(self, made: Sequence[tuple[Path, Recipe]], lane: str = "", variation: int = 0) -> list[Node]:
        """Add takes, all or none; none after a fault. The order's A, B, C, ... go on, or begin with `variation`.

        Stems of one variation are added with it and each with its lane.  [main]
        """
        first = variation or self.count + 1
        try:
            with History(self.session, create=True) as history:
                nodes = [
                    replace(node_of(history.folder, recipe, path, number, lane), batch=self.batch)
                    for number, (path, recipe) in enumerate(made, first)
                ]
                added = history.add(nodes, self.parent)
                if not self.count and not self.stays:
                    go(history, added[0].number)
        except SegueError as error:
            self.say(f"      not in the history: {error}")
            return []
        self.batch, self.count = added[0].batch, self.count + len(added)
        self.say("      " + ", ".join(f"{node.letter}: take {node.number}" for node in added) + f" of {self.session}")
        return added


def recipe_of(history: History, node: Node) -> Recipe:
    """The recipe of a node, with its references' audio; TakeError, HistoryError.  [main]"""
    recipe = from_json(json.dumps(dict(node.recipe)))
    if [each.sha256 for each in recipe.regions] != [each.sha256 for each in node.references]:
        raise HistoryError(f"take {node.number}: its recipe has other references than the history")
    return replace(recipe, regions=tuple(_whole(history, recipe.regions)))


def _whole(history: History, regions: Iterable[UsedRegion]) -> Iterable[UsedRegion]:
    for region in regions:
        yield replace(region, path="", flac=read_reference(history.folder, region.sha256))


def is_recorded(session: Path | None, path: Path) -> bool:
    """Whether a file is a take of a session's history.  [main]"""
    if session is None or not (session / DATABASE).exists():
        return False
    try:
        with History(session) as history:
            return bool(history.nodes("file = ?", (name_inside(history.folder, path),)))
    except SegueError:
        return False
