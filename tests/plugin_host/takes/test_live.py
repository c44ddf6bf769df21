"""Bars of a journal become takes: which bars, what they were asked for, where the journal lies, what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plugin_host.history.history import History
from plugin_host.history.path import path_to
from plugin_host.render.again import JOURNAL
from plugin_host.render.journal import newest_lanes, read_lane
from plugin_host.render.places import RenderError
from plugin_host.takes.live import add_turns, last_bars, live_faults
from plugin_host.takes.record import recipe_of

BAR = 96_000  # at 120 bpm and 48 kHz
METER = {"is": "Signature", "numerator": 4, "denominator": 4}


def host(sample: int, bpm: float = 120.0, anchor: tuple[int, float] = (0, 0.0), playing: bool = True, seek: int = 1):
    grid = {"is": "Grid", "sample_rate_hz": 48_000, "tempo_bpm": bpm, "signature": METER,
            "anchor_samples": anchor[0], "anchor_beats": anchor[1], "bar_origin_beats": 0.0}  # fmt: skip
    said = {"playing": playing, "position_samples": sample, "grid": grid, "loop_beats": None, "seek_id": seek}
    return {"sample": sample, "kind": "host", "transport": {"is": "Transport", **said}}


def settings(prompt: str, **values: float) -> dict[str, Any]:
    return {
        "is": "LaneSettings",
        "prompt": prompt,
        "values": {"is": "map", "of": [list(each) for each in values.items()]},
    }


def begin(sample: int, prompt: str, seed: int) -> dict[str, Any]:
    asked = settings(prompt, temperature=1.25, lead_seconds=2.0)
    return {
        "sample": sample,
        "kind": "begin",
        "seed": seed,
        "model": "embedded",
        "precision": "int8",
        "settings": asked,
    }


FIRST = {"sample": 0, "kind": "journal", "version": 1, "sample_rate_hz": 48_000, "channels": 2, "block_samples": 256,
         "capacity_blocks": 900, "lane": 0}  # fmt: skip
PLAYED = [
    FIRST, begin(0, "warm piano", 7), host(0), host(4 * BAR),
    {"sample": 5 * BAR, "kind": "renderer.retake_at", "args": [0, 0, settings("drums")]}, host(8 * BAR),
    # back to bar 3, and another tempo on bar 5
    host(2 * BAR, seek=2), host(4 * BAR, 60.0, (4 * BAR, 16.0), seek=2), host(8 * BAR, 60.0, (4 * BAR, 16.0), seek=2),
    host(8 * BAR, 60.0, (4 * BAR, 16.0), False, 2), {"sample": 8 * BAR, "kind": "closed"},
]  # fmt: skip


def written(folder: Path, rows: list[dict[str, Any]], tail: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JOURNAL).write_text("".join(json.dumps(row) + "\n" for row in rows) + tail)
    (folder / "references").mkdir(exist_ok=True)
    (folder / "references" / f"{'a' * 64}.npy").write_bytes(b"music")
    (folder / "references" / "other.npy").write_bytes(b"not music")
    return folder


@pytest.fixture
def gig(tmp_path: Path) -> Path:
    return written(tmp_path / "gig" / "lane-0", PLAYED).parent


@pytest.fixture
def history(tmp_path: Path, gig: Path) -> Iterator[History]:
    """Bars 1 to 4, 5 to 8 and 7 and 8 of the first pass."""
    said: list[str] = []
    assert len(add_turns(tmp_path / "song", gig, [(0, 4), (4, 8), (6, 8)], said.append)) == 3
    assert not said
    with History(tmp_path / "song") as found:
        yield found


def test_a_host_was_where_its_journal_says(gig: Path) -> None:
    found = [(each.grid.tempo_bpm, each.begin, each.end, each.first) for each in read_lane(gig / "lane-0").stretches]
    assert found == [
        (120.0, 0, 8 * BAR + 256, 0), (120.0, 2 * BAR, 4 * BAR, 8 * BAR + 256),
        (60.0, 4 * BAR, 8 * BAR + 256, 10 * BAR + 256),
    ]  # fmt: skip


def test_takes_have_the_bars_the_prompt_and_the_seed_that_were_heard(history: History) -> None:
    first, second, third = history.nodes()
    assert [(node.start_bar, node.bars, node.bpm, node.lane) for node in (first, second, third)] == [
        (0, 4, 120.0, "lane-0"), (4, 4, 120.0, "lane-0"), (6, 2, 120.0, "lane-0"),
    ]  # fmt: skip
    assert (first.prompt, second.prompt, third.prompt) == ("warm piano", "warm piano / drums", "drums")
    assert (first.seed, first.model, first.precision, first.file) == (7, "embedded", "int8", "")
    assert len(first.model_sha256) == 64
    recipe = recipe_of(history, second)
    assert recipe.live.first == 4 * BAR
    assert recipe.values == {"temperature": 1.25}
    assert [node.number for node in history.find("drums")] == [2, 3]


def test_takes_that_end_and_begin_on_one_sample_of_a_journal_follow_each_other(history: History) -> None:
    assert [node.parent for node in history.nodes()] == [0, 1, 0]
    assert [piece.node.number for piece in path_to(history, 2)] == [1, 2]


def test_the_newest_pass_counts_and_a_jump_or_a_change_of_tempo_is_no_piece(tmp_path: Path, gig: Path) -> None:
    said: list[str] = []
    added = add_turns(tmp_path / "song", gig, [(2, 4), (4, 6), (6, 9)], said.append)
    assert [(node.start_bar, node.bpm) for node in added] == [(2, 120.0), (4, 60.0)]
    assert "bars 7 to 9 were not heard in one piece and one tempo" in said[0]
    assert said[0].endswith("heard: 1 to 8, 3 to 4, 5 to 6")


def test_the_last_bars_are_those_that_end_with_music(gig: Path) -> None:
    lane = read_lane(gig / "lane-0")
    audio = np.zeros((14 * BAR + 512, 2), np.float32)
    with pytest.raises(RenderError, match="no whole bar of music"):
        last_bars(lane, audio, 2)
    audio[6 * BAR + 5] = 0.1  # bar 7 of the first pass
    audio[8 * BAR] = 0.1  # within no whole bar
    found = last_bars(lane, audio, 4)
    assert (found.start, found.stop, found.first, found.end) == (3, 7, 3 * BAR, 7 * BAR)
    audio[10 * BAR] = 0.1  # bar 4 of the second pass
    assert (last_bars(lane, audio, 4).start, last_bars(lane, audio, 4).stop) == (2, 4)


def test_a_journal_elsewhere_is_copied_and_its_copy_grows_with_it(tmp_path: Path) -> None:
    folder, session = tmp_path / "gig" / "lane-0", tmp_path / "song"
    say = pytest.fail
    add_turns(session, written(folder, PLAYED[:4], '{"sample": 5, "ki'), [(0, 4)], say)
    copy = session / "live" / "gig-lane-0"
    assert copy.joinpath(JOURNAL).read_text().endswith("}\n"), "its last line was not complete"
    assert [path.name for path in sorted((copy / "references").iterdir())] == [f"{'a' * 64}.npy"]
    add_turns(session, written(folder, PLAYED), [(4, 8)], say)
    assert copy.joinpath(JOURNAL).read_bytes() == folder.joinpath(JOURNAL).read_bytes()
    add_turns(session, written(folder, [FIRST, begin(0, "other", 8), *PLAYED[2:]]), [(0, 4)], say)
    with History(session) as history:
        assert [recipe_of(history, node).live.journal for node in history.nodes()] == [
            "live/gig-lane-0", "live/gig-lane-0", "live/gig-lane-0-2",
        ]  # fmt: skip
        assert list(live_faults(history)) == []
        copy.joinpath(JOURNAL).write_bytes(copy.joinpath(JOURNAL).read_bytes().replace(b"warm", b"cold"))
        assert [fault.partition(":")[0] for fault in live_faults(history)] == ["take 1", "take 2"]


def test_a_journal_inside_the_session_is_named_where_it_is(tmp_path: Path, gig: Path) -> None:
    add_turns(tmp_path, gig, [(0, 4)], pytest.fail)
    with History(tmp_path) as history:
        assert recipe_of(history, history.node(1)).live.journal == "gig/lane-0"
    assert not (tmp_path / "live").exists()


def test_the_newest_journal_of_a_lane_comes_first(tmp_path: Path) -> None:
    for name in ("lane-0", "lane-0-10", "lane-0-2", "lane-1"):
        written(tmp_path / name, PLAYED)
    found = [[path.name for path in lane] for lane in newest_lanes(tmp_path)]
    assert found == [["lane-0-10", "lane-0-2", "lane-0"], ["lane-1"]]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"kind": "host", "sample": 0, "transport": {}}, "line 2: RenderError|transport that is none"),
        ({"kind": "begin", "sample": 0, "seed": 1}, "line 2: KeyError"),
        ({"sample": 0}, "line 2: KeyError"),
        ([1], "line 2 is no table"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, row: Any, fault: str) -> None:
    with pytest.raises(RenderError, match=fault):
        read_lane(written(tmp_path / "lane-0", [FIRST, row]))
