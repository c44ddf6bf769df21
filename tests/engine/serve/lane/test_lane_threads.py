"""Threads exchange frozen values of a lane, replaced as a whole, by the threads that lane.py names."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lane_rig import RigHost

from bridge.control.arguments import NOW
from engine.serve.lane.command import Command
from engine.serve.lane.lane import LaneHolder, LaneOrders, LaneView
from engine.serve.lane_settings import LaneSettings, ReferenceAudio

SERVE = Path(__file__).resolve().parents[4] / "engine" / "serve"
LOCKED = {"orders", "holder"}  # replaced in lane.py alone, under the lock
GENERATE = {"view", "controller", "last_codes"}  # replaced by [generate], which alone calls the methods that do


@pytest.mark.parametrize("kind", [LaneOrders, LaneHolder, LaneView, LaneSettings, ReferenceAudio])
def test_what_crosses_threads_is_frozen(kind: type) -> None:
    assert kind.__dataclass_params__.frozen
    loose = [each.name for each in dataclasses.fields(kind) if re.search(r"\b(list|dict|set|deque)\b", str(each.type))]
    assert not loose


def stores(tree: ast.AST, locked: bool = False) -> Iterator[tuple[str, str, bool]]:
    """The attributes that are set: owner, name, and whether under the owner's lock."""
    for node in ast.iter_child_nodes(tree):
        inside = locked
        if isinstance(node, ast.With):
            inside |= any(ast.unparse(item.context_expr) == "self._lock" for item in node.items)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield ast.unparse(node.value), node.attr, locked
        yield from stores(node, inside)


def test_a_lane_replaces_its_shared_values_under_its_lock() -> None:
    tree = ast.parse((SERVE / "lane" / "lane.py").read_text())
    lane = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Lane")
    for method in lane.body:
        if isinstance(method, ast.FunctionDef) and method.name != "__init__":
            found = [(name, locked) for owner, name, locked in stores(method) if owner == "self"]
            for name, locked in found:
                assert name in GENERATE or (name in LOCKED and locked), method.name


def test_nobody_else_sets_an_attribute_of_a_lane() -> None:
    wrong = [
        f"{path.name}: {owner}.{name}"
        for path in SERVE.rglob("*.py")
        for owner, name, _ in stores(ast.parse(path.read_text()))
        if owner.split(".")[-1] in ("lane", "_lane", "known")
    ]
    assert not wrong


def test_a_seed_drawn_in_advance_is_the_next_plays_and_no_later_ones(host: RigHost) -> None:
    drawn = host.lane.draw_seed()
    assert host.lane.value("seed") == drawn
    assert host.lane.take_seed() == drawn
    assert host.lane.orders.next_seed is None
    assert host.lane.value("seed") == host.lane.view.seed


def test_commands_sent_now_are_handed_over_once(host: RigHost) -> None:
    def prompt(text: str, about: str) -> Command:
        return Command(NOW, update=lambda s: s.with_prompt(text), about=about, arrived_seconds=0.0)

    first, second, other = prompt("a", "prompt"), prompt("b", "prompt"), prompt("c", "else")
    before = host.lane.orders
    for each in (first, second, other):
        host.lane.submit(each)
    assert (before.wanted.prompt, before.pending) == ("", ())  # a value read before stays
    assert (host.lane.settings.prompt, host.lane.wanted.prompt) == ("", "c")
    assert host.lane.take_pending() == [first, second, other]
    assert host.lane.take_pending() == []


def test_a_lane_is_let_go_once(host: RigHost) -> None:
    assert not host.lane.holder.freeing
    assert [host.lane.let_go(), host.lane.let_go()] == [True, False]
    host.lane.client_left()
    assert host.lane.holder.left
    assert host.lane.holder.freeing
