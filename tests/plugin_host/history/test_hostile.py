"""A history from elsewhere, damaged or made to harm: a clear error, or what is whole of it; nothing is overwritten."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from sessions import order

from bridge.errors import SegueError
from plugin_host.history.check import faults_of
from plugin_host.history.collect import Rule, find
from plugin_host.history.database import NAME, VERSION
from plugin_host.history.head import go, pieces
from plugin_host.history.history import History
from plugin_host.takes.record import recipe_of
from plugin_host.takes.tell import describe, head_line, tree

HOSTILE = ("'text'", "x'00ff'", "-1", "0", "9223372036854775807", "1e308", "9e999", "''", "'../../etc/passwd'")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    with History(folder, create=True) as history:
        (first,) = order(history, "one")
        order(history, "two", first, 4, count=3)
        history.keep([first])
        go(history, first)
    return folder


@pytest.fixture
def session(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "session"))


def used(folder: Path) -> str:
    """All that commands do with a session; the error, or empty."""
    try:
        with History(folder) as history:
            nodes = history.nodes()
            list(tree(history, True))
            head_line(history)
            history.find("two")
            for node in nodes:
                list(describe(history, node))
            for node in nodes:
                recipe_of(history, node)
            find(history, Rule(unrated=True))
            pieces(history)
            list(faults_of(history))
    except SegueError as error:
        return str(error)
    return ""


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file() and NAME not in path.name}


def test_random_bytes_anywhere_are_an_error_or_do_no_harm(session: Path) -> None:
    """A hundred databases: bytes changed, cut off, zeroed."""
    path, rng, errors = session / NAME, random.Random(2), 0
    good, others = path.read_bytes(), files_of(session)
    for number in range(100):
        data = bytearray(good)
        if number % 3 == 0:
            del data[rng.randrange(len(data)) :]
        else:
            at, n = rng.randrange(len(data)), rng.choice((1, 8, 600))
            data[at : at + n] = rng.randbytes(n) if number % 3 == 1 else bytes(n)
        for leftover in session.glob(f"{NAME}*"):
            leftover.unlink()
        path.write_bytes(data)
        errors += bool(used(session))
    assert errors > 20
    assert files_of(session) == others


@pytest.mark.parametrize("data", [b"", b"SQLite format 3\0" + bytes(84), b"no database at all" * 99], ids=len)
def test_what_is_no_database_is_said_and_stays(session: Path, data: bytes) -> None:
    (session / NAME).write_bytes(data)
    said = used(session)
    if data:
        assert NAME in said
        assert (session / NAME).read_bytes() == data


def test_a_newer_version_is_said_and_stays_to_the_byte(session: Path) -> None:
    path = session / NAME
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode=DELETE")
        database.execute(f"PRAGMA user_version={VERSION + 1}")
        database.execute("CREATE TABLE later (what TEXT)")
    database.close()
    before = path.read_bytes()
    assert f"is of version {VERSION + 1}, this Segue reads {VERSION}; update it" in used(session)
    with pytest.raises(SegueError, match="update it"):
        History(session, create=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", [NAME, f"{NAME}-wal", f"{NAME}-shm", f"{NAME}-journal"])
def test_a_link_leads_nowhere(session: Path, tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    shutil.copy(session / NAME, victim)
    before = victim.read_bytes()
    (session / name).unlink(missing_ok=True)
    (session / name).symlink_to(victim)
    said = used(session)
    assert said or name.endswith("-journal")
    assert victim.read_bytes() == before


def test_a_pipe_is_not_waited_for(session: Path) -> None:
    (session / NAME).unlink()
    os.mkfifo(session / NAME)
    assert "is not a plain file" in used(session)


def test_values_of_wrong_kinds_and_huge_ones_are_an_error_or_shown(session: Path) -> None:
    path = session / NAME
    good = path.read_bytes()
    with sqlite3.connect(path) as database:
        tables = {
            table: [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            for table in ("node", "reference", "move", "head")
        }
    database.close()
    errors, rng = 0, random.Random(11)
    for table, columns in tables.items():
        for column in columns:
            for value in rng.sample(HOSTILE, 2):
                for leftover in session.glob(f"{NAME}*"):
                    leftover.unlink()
                path.write_bytes(good)
                database = sqlite3.connect(path, isolation_level=None)
                try:
                    database.execute(f"UPDATE OR REPLACE {table} SET {column} = {value}")
                except sqlite3.Error:
                    continue
                finally:
                    database.close()
                errors += bool(used(session))
    assert errors > 10
