"""The map as a file: what is written is read again, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugin_host.midi.binding import bind
from plugin_host.midi.defaults import default_map
from plugin_host.midi.editor import MapEditor
from plugin_host.midi.errors import MidiMapError
from plugin_host.midi.map_file import map_text, read_map, write_map
from plugin_host.midi.mapper import Mapper


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    rows = (
        *default_map(3).bindings,
        bind("ch 3 nrpn 300", "cfg", 1, low=8.0, high=1.0, curve="geometric", pickup=False),
        bind("cc 30", "lane/prompt", 3, given={"text": 'a "lo-fi" \\ piano\tünder', "at": "bars 4"}),
        bind("bend", "level_db", 3, curve=0.5),
        bind("cc 31", "seed", 3, mode="offset", low=0, high=100),
        bind("note 50", "lane/mute", 3, moves="on", mode="momentary", given={"beats": 4.0}),
        bind("note 51", "jam/record", 3, given={"bars": 4}),
    )
    write_map(tmp_path / "map.toml", rows, 3)
    found = read_map(tmp_path / "map.toml")
    assert (found.bindings, found.lane) == (rows, 3)


BLOCK = '[[control]]\nmidi = "cc 21"\nto = "cfg"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lane = [", "is not TOML"),
        ("\0", "is not TOML"),
        ("lanes = 0", "no 'lanes' in a map; it has lane, and blocks"),
        ("lane = 64", "lane is 0 to 63, got 64"),
        ("lane = true", "lane is 0 to 63"),
        ("control = 3", "begins with \\[\\[control\\]\\]"),
        ('[[control]]\nmidi = "cc 21"', "control 1: to is missing"),
        (BLOCK + BLOCK + "hi = 3", "control 2: there is no 'hi'; there is midi, to"),
        (BLOCK + 'low = "x"', "low is a number, got 'x'"),
        (BLOCK + "low = true", "low is a number, got True"),
        (BLOCK + "low = nan", "cfg is 0 to 20, got nan"),
        (BLOCK + "high = 21", "cfg is 0 to 20, got 21"),
        (BLOCK + 'curve = "bent"', "a curve is 'linear', 'geometric' or a power"),
        (BLOCK + 'curve = "geometric"', "above 0, or both below; got 0 and 20"),
        (BLOCK + "curve = 0", "a power from 0.1 to 10; got 0"),
        (BLOCK + 'mode = "relative"', "a mode is auto, value, trigger"),
        (BLOCK + 'with = { text = "x" }', "cfg is a parameter: it takes no arguments but `at`"),
        (BLOCK + 'with = { at = "soon" }', "at is 'soon', must be"),
        (BLOCK.replace("cfg", "temprature"), "there is no 'temprature' in the table of messages; there is temperature"),
        (BLOCK.replace("cfg", "lane/prompt"), "lane/prompt needs text"),
        (BLOCK.replace("cfg", "lane/play") + "with = { beats = 3 }", "lane/play has no 'beats'; it has lane, at, bars"),
        (BLOCK.replace("cfg", "lane/play") + 'mode = "value"', "takes no value: its mode is trigger, toggle or"),
        (BLOCK.replace("cfg", "lane/play") + 'mode = "toggle"', "toggle needs `other`"),
        (BLOCK.replace("cfg", "lane/play") + "low = 1", "it has no range and no curve"),
        (BLOCK.replace("cfg", "lane/play") + 'moves = "at"', "cannot move at, which is no number"),
        (BLOCK.replace("cfg", "lane/mute") + 'moves = "on"\nother = "lane/stop"', "for messages without a value"),
        (BLOCK.replace("cc 21", "note 1") + 'mode = "twos"', "twos is for a cc; note 1 is none"),
        ("[[control]]\n" * 1001, "has 1001 controls, may have 1000"),
    ],
)  # fmt: skip
def test_a_wrong_file_says_where_and_what_is_allowed(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "map.toml").write_text(text)
    with pytest.raises(MidiMapError, match=said):
        read_map(tmp_path / "map.toml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "long.toml").write_text("#" * 1_000_001)
    for name, said in (("bytes.toml", "not TOML"), ("long.toml", "larger than"), ("no.toml", "cannot be read")):
        with pytest.raises(MidiMapError, match=said):
            read_map(tmp_path / name)
    with pytest.raises(MidiMapError, match="cannot be read"):
        read_map(tmp_path)


def test_a_learned_row_replaces_those_of_its_control_and_its_target(tmp_path: Path) -> None:
    told: list[tuple[object, ...]] = []
    path = tmp_path / "new" / "map.toml"
    editor = MapEditor(path, default_map(), Mapper(lambda target, value: None), print, lambda *said: told.append(said))
    before = len(editor.bindings)
    editor.put(bind("ch 1 cc 90", "temperature"))
    editor.put(bind("cc 22", "density"))  # was cfg; density was cc 25
    rows = {each.control.name: each.target.name for each in editor.bindings}
    assert (rows["ch 1 cc 90"], rows["cc 22"], "cc 21" in rows, "cc 25" in rows) == (
        "temperature",
        "density",
        False,
        False,
    )
    assert len(editor.bindings) == before - 1
    assert list(read_map(path).bindings) == editor.bindings
    assert editor.forget("density") == 1
    with pytest.raises(MidiMapError, match="nothing in the map is 'density'"):
        editor.forget("density")
    assert editor.forget("") == before - 2
    assert map_text([], 0).count("[[control]]") == 0
