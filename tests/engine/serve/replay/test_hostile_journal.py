"""A journal from elsewhere, damaged or made to harm: an error that names the line, and nothing worse."""

from __future__ import annotations

import os
import random
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lane_rig import make_model
from test_replay import recorded_host, some_command

from engine.serve.journal.values import JournalError, read_audio, real
from engine.serve.journal.writer import JOURNAL, VERSION, read_journal
from engine.serve.replay.lane import PlayedLane

RATE = 48_000
HOSTILE: tuple[Any, ...] = (
    None, True, -1, 0, 2**63, -(2**70), 1e308, "", "text", "../../etc/passwd", [], [[[]]], {}, {"is": "Grid"},
    {"is": "fraction", "of": "1e999999999"}, {"is": "fraction", "of": "1/0"}, {"is": "codes", "shape": [4, -1]},
    {"is": "codes", "shape": [2**40, 2**40], "data": ""}, {"is": "audio", "file": 7}, {"is": "map", "of": [1, 2]},
)  # fmt: skip


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("journal") / "lane"
    host, rng = recorded_host(folder), random.Random(4)
    try:
        host.publish()
        host.play()
        host.settle()
        host.start()
        for _ in range(4):
            host.render(RATE // 8)
            some_command(host, rng)
    finally:
        host.close()
    return read_journal(folder)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all values in a value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, each in inside for found in places(each, (*path, key)))]


def changed(rows: list[dict[str, Any]], rng: random.Random) -> list[dict[str, Any]]:
    rows = deepcopy(rows)
    number = rng.randrange(len(rows))
    path = rng.choice(places(rows[number])[1:])
    inside: Any = rows[number]
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = rng.choice(HOSTILE)
    return rows


def test_any_value_anywhere_is_an_error_or_does_no_harm(journal, tmp_path):
    model, rng, errors = make_model(), random.Random(6), 0
    for _ in range(25):
        rows = changed(journal, rng)
        lane = PlayedLane(tmp_path, lambda name, about: model, lambda host, sample: None)
        try:
            lane.open(rows[0])
            lane.run(rows[1:])
        except JournalError:
            errors += 1
        finally:
            lane.close()
    assert errors > 3
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is no journal"),
        (b"\0" * 999, "is no journal"),
        (b"not json\n", "is no journal"),
        (b"[" * 100_000 + b"\n", "is no journal"),
        (b'{"kind": "journal", "version": ' + b"9" * 9999 + b"}\n", "is no journal"),
        (b'{"kind": "journal"}\n[]\n', "is no journal of a lane"),
        (b'{"kind": "journal", "version": 2}\n', f"is of version 2, this Segue reads {VERSION}; update it"),
    ],
)
def test_what_is_no_journal_is_said_and_stays(tmp_path: Path, data: bytes, says: str):
    (tmp_path / JOURNAL).write_bytes(data)
    with pytest.raises(JournalError, match=says):
        read_journal(tmp_path)
    assert (tmp_path / JOURNAL).read_bytes() == data


def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / JOURNAL)
    os.mkfifo(tmp_path / f"{'a' * 64}.npy")
    with pytest.raises(JournalError, match="no plain file"):
        read_journal(tmp_path)
    with pytest.raises(JournalError, match="no plain file"):
        read_audio(tmp_path, f"{'a' * 64}.npy")


@pytest.mark.parametrize("shape", ["(2305843009213693951,)", "(-1,)", "(1, 'x')"])
def test_a_reference_of_a_false_size_is_refused(tmp_path: Path, shape: str):
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    name = f"{'b' * 64}.npy"
    (tmp_path / name).write_bytes(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + b"\0" * 64)
    with pytest.raises(JournalError, match="cannot be read"):
        read_audio(tmp_path, name)


@pytest.mark.parametrize("text", ["1e999999999", "1/0", "9" * 100 + "/1", "nan"])
def test_a_fraction_without_end_is_refused(text: str):
    with pytest.raises(JournalError, match="is no fraction"):
        real({"is": "fraction", "of": text}, lambda name: np.zeros(1))


@pytest.mark.parametrize("where", ["sample", "transport"])
def test_a_place_beyond_all_music_ends_it(journal, tmp_path, where):
    """Otherwise a host would play up to there, for years."""
    rows, played = deepcopy(journal), []
    host = next(row for row in rows if row["kind"] == "host")
    (host if where == "sample" else host["transport"])["sample" if where == "sample" else "position_samples"] = 2**60
    lane = PlayedLane(tmp_path, lambda name, about: make_model(), lambda host, sample: played.append(sample))
    try:
        lane.open(rows[0])
        with pytest.raises(JournalError, match=r"line 2 .*beyond"):
            lane.run(rows[1:])
    finally:
        lane.close()
    assert not played
