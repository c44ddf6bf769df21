"""The file takes.db: SQLite, WAL, flushed to the disk at each commit.

It may come from another machine: a file with other tables, views or triggers is refused, and nothing in it is executed.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.system import whole_file
from plugin_host.history.errors import HistoryError, HistoryNotWritten

NAME = "takes.db"
APPLICATION = 0x53454755  # "SEGU"
VERSION = 1
_PRAGMAS = ("trusted_schema=OFF", "cell_size_check=ON", "foreign_keys=ON")
WAIT_SECONDS = 10.0  # for another process that writes
_SCHEMA = (
    """CREATE TABLE node (number INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER REFERENCES node(number),
    source INTEGER REFERENCES node(number), made_at REAL NOT NULL, batch INTEGER NOT NULL, variation INTEGER NOT NULL,
    lane TEXT NOT NULL, seed INTEGER NOT NULL, prompt TEXT NOT NULL, start_bar INTEGER NOT NULL, bars INTEGER NOT NULL,
    bpm REAL NOT NULL, numerator INTEGER NOT NULL, denominator INTEGER NOT NULL, rate_hz INTEGER NOT NULL,
    model TEXT NOT NULL, precision TEXT NOT NULL, model_sha256 TEXT NOT NULL, file TEXT NOT NULL,
    file_sha256 TEXT NOT NULL, file_start_bar INTEGER NOT NULL, rating INTEGER NOT NULL, kept INTEGER NOT NULL,
    discarded INTEGER NOT NULL, recipe BLOB NOT NULL, tokens BLOB NOT NULL)""",
    """CREATE TABLE reference (node INTEGER NOT NULL REFERENCES node(number), role TEXT NOT NULL, sha256 TEXT NOT NULL,
    bpm REAL NOT NULL, start_beats REAL NOT NULL, name TEXT NOT NULL)""",
    "CREATE INDEX node_parent ON node(parent)",
    "CREATE INDEX reference_node ON reference(node)",
    "CREATE TABLE move (number INTEGER PRIMARY KEY, node INTEGER NOT NULL, bar INTEGER NOT NULL)",
    "CREATE TABLE head (only INTEGER PRIMARY KEY CHECK (only = 0), move INTEGER NOT NULL)",
)


def connect(folder: Path, create: bool) -> sqlite3.Connection:
    """Open the database of a session; with `create` a new one if there is none. HistoryError, HistoryNotWritten.

    In a folder that cannot be written to, as on a carried disk, it is opened for reading.
    [any], the connection stays on its thread.
    """
    path = folder / NAME
    _check_plain(path, create)
    if path.exists() and not os.access(folder, os.W_OK):
        return _for_reading(path)
    with faults(path):
        connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
        with _closed_on_fault(connection):
            _prepare(connection, _PRAGMAS)
            if _schema(connection) or _version(connection) != (0, 0):
                _check_tables(connection, path)  # before anything is written to it
            _prepare(connection, ("journal_mode=WAL", "synchronous=FULL", "fullfsync=ON"))
            if not _schema(connection):
                _create(connection)
            _check_tables(connection, path)
            whole_file.flush_folder(folder)
    return connection


def _for_reading(path: Path) -> sqlite3.Connection:
    """The database of a folder without write permission, as it is now."""
    log = path.with_name(f"{NAME}-wal")
    with faults(path):
        if log.exists() and log.stat().st_size:
            raise HistoryError(f"{path} was not closed and cannot be written: copy the session to where it can be")
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
        with _closed_on_fault(connection):
            _prepare(connection, _PRAGMAS)
            _check_tables(connection, path)
    return connection


@contextmanager
def _closed_on_fault(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _prepare(connection: sqlite3.Connection, pragmas: tuple[str, ...]) -> None:
    connection.row_factory = sqlite3.Row
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


def _check_plain(path: Path, create: bool) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        if not create:
            raise HistoryError(f"{path.parent} is no session: it holds no {NAME}") from None
        return
    except OSError as error:
        raise HistoryError(f"{path} cannot be read: {error.strerror or error}") from None
    if not stat.S_ISREG(mode):
        raise HistoryError(f"{path} is not a plain file")


def _create(connection: sqlite3.Connection) -> None:
    """Create the tables, unless another process just did."""
    with transaction(connection):
        if _schema(connection):
            return
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id={APPLICATION}")
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("INSERT INTO head VALUES (0, 0)")


def _check_tables(connection: sqlite3.Connection, path: Path) -> None:
    application, version = _version(connection)
    if application != APPLICATION:
        raise HistoryError(f"{path} is no history of Segue's")
    if version != VERSION:
        raise HistoryError(f"{path} is of version {version}, this Segue reads {VERSION}; update it")
    if _schema(connection) != sorted(_SCHEMA):
        raise HistoryError(
            f"{path} has other tables than a history of version {VERSION}: it was changed, or is damaged"
        )


def _version(connection: sqlite3.Connection) -> tuple[int, int]:
    """Application and version of a database; zeros for a new one."""
    names = ("application_id", "user_version")
    application, version = (int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in names)
    return application, version


def _schema(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
    return sorted(str(row[0]) for row in rows)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A context whose writes are all committed and flushed to the disk at its end, or none of them.  [any]"""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """A context in which faults of SQLite and of files become HistoryError (damaged) or HistoryNotWritten.  [any]"""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise HistoryNotWritten(f"{path} cannot be written: {error}") from None
    except OSError as error:
        raise HistoryNotWritten(f"{error.filename or path} cannot be used: {error.strerror or error}") from None
    except sqlite3.DatabaseError as error:
        raise HistoryError(f"{path} is damaged, or no database: {error}") from None
    except (TypeError, ValueError, OverflowError) as error:  # values that its columns never have
        raise HistoryError(f"{path} is damaged: {error}") from None
