"""The tree of takes: what is added can be found, heard, undone, carried and collected by rule."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sessions import order, stretch

from plugin_host.history import head as heads
from plugin_host.history.check import faults_of
from plugin_host.history.collect import Rule, collect, find
from plugin_host.history.errors import HistoryError, NoSuchNode
from plugin_host.history.files import read_reference, reference_name, store_reference
from plugin_host.history.history import History
from plugin_host.history.node import Node
from plugin_host.history.path import path_to
from plugin_host.history.tokens import pack, unpack


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History(tmp_path, create=True) as opened:
        yield opened


def bars_of(history: History, number: int, bar: int = 0) -> list[tuple[int, int, int]]:
    return [(piece.node.number, piece.start_bar, piece.stop_bar) for piece in path_to(history, number, bar)]


def test_a_take_comes_back_as_it_was_added(history: History, tmp_path: Path) -> None:
    node = stretch(tmp_path, "warm piano", lane="keys", seed=3, model="embedded", model_sha256="ab", made_at=5.0)
    (added,) = history.add([node])
    assert (added.number, added.batch, added.letter) == (1, 1, "A")
    with History(tmp_path) as again:
        assert again.node(1) == added
    assert read_reference(tmp_path, added.references[0].sha256) == b"riff of w" * 50


def test_a_folder_without_a_history_is_no_session(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="no session"):
        History(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_can_be_carried(history: History, tmp_path: Path) -> None:
    order(history, "riff", count=2)
    history.connection.close()
    moved = tmp_path.with_name("elsewhere")
    shutil.move(tmp_path, moved)
    assert not list(moved.glob("takes.db-*")), "closed, the database is one file"
    with History(moved) as again:
        assert [again.has_file(node) for node in again.nodes()] == [True, True]
        assert list(faults_of(again)) == []


@pytest.mark.parametrize("name", ["../out.wav", "/etc/passwd", "a/../../b", "", "link/b.wav", "C:\\b", "a:b"])
def test_a_database_from_elsewhere_names_no_file_outside(history: History, tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to("/tmp")
    with pytest.raises(HistoryError):
        history.add([Node(0, 8, 120.0, file=name or "no.wav")])
    (number,) = order(history, "riff")
    history.connection.execute("UPDATE node SET file = ?", (name,))
    assert not history.has_file(history.node(number))


def test_a_database_with_other_tables_is_refused(history: History, tmp_path: Path) -> None:
    order(history, "riff")
    history.connection.execute("CREATE TRIGGER evil AFTER UPDATE ON node BEGIN DELETE FROM node; END")
    with pytest.raises(HistoryError, match="other tables"):
        History(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    sqlite3.connect(other / "takes.db").execute("CREATE TABLE mine (a)").connection.close()
    with pytest.raises(HistoryError, match="no history"):
        History(other)
    (other / "takes.db").write_bytes(b"not a database" * 100)
    with pytest.raises(HistoryError, match="damaged"):
        History(other)


@pytest.mark.parametrize(
    "change", ["bars = 0", "bpm = 'fast'", "denominator = 3", "recipe = x'00'", "rating = 9", "start_bar = -4"]
)
def test_a_damaged_row_is_named(history: History, change: str) -> None:
    order(history, "riff")
    history.connection.execute(f"UPDATE node SET {change}")
    with pytest.raises(HistoryError, match=r"take 1 .* damaged"):
        history.nodes()


# -- the tree -----------------------------------------------------------------------------------------


def test_a_path_is_whole_from_the_root(history: History) -> None:
    (root,) = order(history, "riff")
    (child,) = order(history, "answer", root, start_bar=4)
    (grandchild,) = order(history, "end", child, start_bar=12)
    assert bars_of(history, grandchild) == [(root, 0, 4), (child, 4, 12), (grandchild, 12, 20)]
    assert bars_of(history, child, 6) == [(root, 0, 4), (child, 4, 6)]


@pytest.mark.parametrize("start_bar", [0, 9])
def test_a_take_begins_within_its_parent_or_right_after_it(history: History, start_bar: int) -> None:
    (root,) = order(history, "riff")
    with pytest.raises(HistoryError, match="begins on bar 2 to 9"):
        order(history, "answer", root, start_bar)
    with pytest.raises(HistoryError, match="tempo"):
        history.add([Node(8, 8, 121.0)], root)
    with pytest.raises(NoSuchNode):
        order(history, "answer", 99, 8)
    assert len(history.nodes()) == 1


def test_rewind_and_fork_lose_nothing_and_undo_leads_back(history: History) -> None:
    (root,) = order(history, "riff")
    heads.go(history, root)
    (child,) = order(history, "answer", root, 8)
    heads.go(history, child)
    assert heads.rewind(history, 10) == heads.Head(root, 6, True, False)
    (fork,) = order(history, "other", root, 6)
    heads.go(history, fork)
    assert [heads.undo(history).node for _ in range(4)] == [root, child, root, 0]
    with pytest.raises(HistoryError, match="undo"):
        heads.undo(history)
    assert [heads.redo(history) for _ in range(4)][-1] == heads.Head(fork, 14, True, False)
    with pytest.raises(HistoryError, match="redo"):
        heads.redo(history)
    assert {node.number for node in history.children(root)} == {child, fork}


def test_rewind_beyond_the_beginning_is_before_all_music(history: History) -> None:
    (root,) = order(history, "riff", start_bar=4)
    heads.go(history, root)
    assert heads.rewind(history, 8).node == 0
    assert heads.pieces(history) == []
    with pytest.raises(HistoryError, match="nothing to rewind"):
        heads.rewind(history, 1)
    assert heads.undo(history).bar == 12


def test_another_take_of_the_order_is_reached_on_a_bar_line(history: History) -> None:
    first, second, third = order(history, "riff", count=3)
    heads.go(history, first)
    joined = heads.switch(history, "c", 5)
    assert (joined.source, joined.file, joined.file_start_bar) == (third, history.node(third).file, 0)
    assert bars_of(history, joined.number) == [(first, 0, 5), (joined.number, 5, 8)]
    assert heads.switch(history, "B").number == second
    assert heads.undo(history).node == joined.number
    again = heads.switch(history, "B", 6)  # from C, which is heard since bar 6
    assert bars_of(history, again.number) == [(first, 0, 5), (joined.number, 5, 6), (again.number, 6, 8)]
    with pytest.raises(HistoryError, match="there is A, B, C"):
        heads.switch(history, "D")
    with pytest.raises(HistoryError, match="bars 8 to 8"):
        heads.switch(history, "A", 8)


def test_takes_are_found_by_their_prompt_best_first(history: History) -> None:
    for name in ("warm lofi piano", "Piano, cold", "drums", "lofi piano"):
        order(history, name)
    history.rate([4], 5)
    assert [node.number for node in history.find("PIANO")] == [4, 1, 2]
    assert [node.number for node in history.find("piano lofi")] == [4, 1]
    assert history.find("bass") == []


# -- keep, discard, collect ---------------------------------------------------------------------------


def test_a_kept_take_is_not_discarded(history: History) -> None:
    (number,) = order(history, "riff")
    history.discard([number])
    assert not history.keep([number])[0].discarded
    with pytest.raises(HistoryError, match="is kept"):
        history.discard([number])
    with pytest.raises(HistoryError, match="1 to 5"):
        history.rate([number], 6)


def test_garbage_is_what_the_rule_names_and_nothing_else_needs(history: History, tmp_path: Path) -> None:
    (root,) = order(history, "riff")
    child, other = order(history, "answer", root, 8, count=2)
    alone, kept = order(history, "end", count=2)
    heads.go(history, child)
    history.discard([root, child, other, alone])
    history.keep([kept])
    assert [node.number for node in find(history, Rule()).nodes] == [other, alone], "the path to the head stays"
    assert find(history, Rule(older_days=1)).nodes == ()
    removed = collect(history, Rule())
    assert removed.files == ("answer-2.wav", "end-1.wav")
    assert removed.n_bytes > 0
    assert {path.stem for path in tmp_path.glob("*.wav")} == {"riff-1", "answer-1", "end-2"}
    assert [node.number for node in history.nodes()] == [root, child, kept]
    assert list(faults_of(history)) == []
    (new,) = order(history, "more")
    assert new == kept + 1, "no number is given twice"


def test_references_go_with_the_last_take_that_needs_them(history: History, tmp_path: Path) -> None:
    first, _, other = *order(history, "riff", count=2), *order(history, "answer")
    history.discard([first, other])
    removed = collect(history, Rule())
    assert len(removed.files) == 3, "two takes and the reference of one; the other take's is still needed"
    old = store_reference(tmp_path, b"of a collection that was ended")
    assert find(history, Rule()).files == (), "it may be of a take that is being added"
    os.utime(tmp_path / reference_name(old), (0, 0))
    assert collect(history, Rule()).files == (reference_name(old),)
    assert list(faults_of(history)) == []


def test_the_heads_moves_survive_garbage(history: History) -> None:
    first, second, third = order(history, "riff", count=3)
    for number in (first, second, third):
        heads.go(history, number)
    history.discard([second])
    collect(history, Rule())
    assert heads.head(history).node == third
    assert heads.undo(history).node == first


def test_garbage_may_be_files_only(history: History) -> None:
    first, _ = order(history, "riff", count=2)
    history.rate([first], 2)
    removed = collect(history, Rule(rated_below=3, files_only=True))
    assert removed.files == ("riff-1.wav",)
    assert [history.has_file(node) for node in history.nodes()] == [False, True]
    assert history.node(first).recipe["seed"] == 7


def test_a_changed_or_lost_file_is_named(history: History, tmp_path: Path) -> None:
    order(history, "riff", count=2)
    (tmp_path / "riff-1.wav").unlink()
    (tmp_path / "riff-2.wav").write_bytes(b"other music")
    assert [line.split(": ")[0] for line in faults_of(history)] == ["take 1", "take 2"]


# -- tokens -------------------------------------------------------------------------------------------


def test_codes_come_back_and_are_small() -> None:
    codes = np.random.default_rng(1).integers(0, 1024, (4, 801)).astype(np.int16)
    data = pack(codes, 50.0)
    back, rate = unpack(data)
    assert rate == 50.0
    np.testing.assert_array_equal(back, codes)
    assert len(data) < 801 * 5 + 30, "10 bits a code"
    assert len(pack(np.zeros((4, 5000), np.int16), 50.0)) < 100
    assert unpack(pack(np.zeros((4, 0), np.int16), 50.0))[0].shape == (4, 0)
    for wrong in (b"", data[:-1], b"XX" + data[2:], data + b"0"):
        with pytest.raises(ValueError, match="codes"):
            unpack(wrong)


def test_a_megabyte_holds_most_of_an_hour(history: History, tmp_path: Path) -> None:
    """Of 8-bar takes at 120 bpm, with codes that no packing makes smaller."""
    rng, sha256 = np.random.default_rng(1), "a" * 64
    recipe = {f"parameter_{number}": number / 7 for number in range(30)}
    codes = [pack(rng.integers(0, 1024, (4, 800)).astype(np.int16), 50.0) for _ in range(200)]
    history.add(
        Node(0, 8, 120.0, seed=seed, model_sha256=sha256, file_sha256=sha256, recipe=recipe, tokens=tokens)
        for seed, tokens in enumerate(codes)
    )
    history.connection.close()
    assert 200 * 16 / 3600 / ((tmp_path / "takes.db").stat().st_size / 1e6) > 0.85
