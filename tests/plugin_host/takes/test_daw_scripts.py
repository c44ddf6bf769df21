"""The scripts for DAWs, run by Lua with a stand-in for REAPER; installing them. Ardour's run in Ardour itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bridge.control.take_rows import STEMS, TAKE
from plugin_host.takes import scripts
from plugin_host.takes.errors import TakeError
from plugin_host.takes.jobs import order_of, read_job
from plugin_host.takes.order import TakeOrder
from plugin_host.takes.stems.stems_handlers import is_stems
from plugin_host.takes.stems.stems_handlers import order_of as stems_order_of

lua54 = pytest.importorskip("lupa.lua54")

REAPER = """
local items, asked, told, media, cursor, state = ..., {}, {}, {}, 0, {}
reaper = {
  CountSelectedMediaItems = function() return #items end,
  GetSelectedMediaItem = function(_, i) return items[i + 1] end,
  GetActiveTake = function(item) return item.take end,
  GetTakeName = function(take) return take.name end,
  TakeIsMIDI = function(take) return take.midi or false end,
  GetMediaItemTake_Source = function(take) return take end,
  GetMediaSourceParent = function(take) return take.section end,
  GetMediaSourceFileName = function(take, _) return take.path end,
  GetTakeNumStretchMarkers = function(take) return take.stretch or 0 end,
  GetMediaItemInfo_Value = function(item, what) return what == "D_POSITION" and item.position or item.length end,
  GetMediaItemTakeInfo_Value = function(take, what)
    return ({D_PLAYRATE = take.rate or 1, D_PITCH = take.pitch or 0, D_STARTOFFS = take.offset or 0})[what]
  end,
  GetSet_LoopTimeRange = function() return selection_from or 0, selection_to or 0 end,
  TimeMap_GetTimeSigAtTime = function(_, time) return 7.0, 8.0, 137.5 end,
  TimeMap2_timeToQN = function(_, time) return time * 137.5 / 60 end,
  TimeMap2_QNToTime = function(_, quarters) return quarters * 60 / 137.5 end,
  GetExtState = function(_, key) return state[key] or "" end,
  SetExtState = function(_, key, value) state[key] = value end,
  GetUserInputs = function(_, count, names, before) return answer ~= nil, answer or before end,
  ShowMessageBox = function(text) told[#told + 1] = text end,
  GetCursorPosition = function() return cursor end,
  SetEditCurPos = function(at) cursor = at end,
  InsertMedia = function(path, mode) media[#media + 1] = string.format("%s@%.6f/%d", path, cursor, mode) end,
  Undo_BeginBlock = function() end, Undo_EndBlock = function() end,
}
return told, media
"""


class Reaper:
    """A stand-in for the REAPER functions that the scripts call, by REAPER's documentation."""

    def __init__(self, inbox: Path, *items: dict[str, Any], answer: str | None = "continue,8,2,dub", **world: float):
        self.lua = lua54.LuaRuntime(unpack_returned_tuples=True)
        scripts.install("reaper", inbox / "scripts", inbox)
        self.inbox = inbox
        for name, value in {"answer": answer, **world}.items():
            self.lua.globals()[name] = value
        rows = self.lua.table_from([self.lua.table_from(item, recursive=True) for item in items])
        self.messages, self.media = self.lua.execute(REAPER, rows)

    def run(self, name: str) -> list[str]:
        self.lua.execute((self.inbox / "scripts" / name).read_text())
        return list(self.messages.values())

    def jobs(self) -> list[dict[str, Any]]:
        return [dict(read_job(path)) for path in sorted(self.inbox.glob("*.segue"))]


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "Gitarre äöü.wav"
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, 48_000 * 20), 48_000)
    (tmp_path / "watching.txt").touch()
    return path


def item(song: Path, **take: object) -> dict[str, Any]:
    return {"position": 2.0, "length": 8.0, "take": {"name": "Gitarre äöü", "path": str(song), "offset": 1.5, **take}}


def test_reaper_sends_the_items_part_of_its_file(tmp_path: Path, song: Path) -> None:
    reaper = Reaper(tmp_path, item(song))
    assert reaper.run("segue_send.lua") == []
    (job,) = reaper.jobs()
    assert job == {
        "path": str(song), "role": "continue", "bpm": 137.5, "numerator": 7, "denominator": 8,
        "start_beats": pytest.approx(2 * 137.5 / 60, abs=1e-4), "bars": 8, "takes": 2, "seed": -1, "prompt": "dub",
        "offset_seconds": 1.5, "length_seconds": 8.0, "name": "Gitarre äöü",
        "region_bpm": 137.5,
    }  # fmt: skip
    order = order_of(job, TakeOrder(), tmp_path)
    assert order.region is not None
    assert soundfile.info(order.region.path).frames == 8 * 48_000
    assert not list(tmp_path.glob("*.part"))


def test_reaper_orders_stems_when_lanes_are_named(tmp_path: Path, song: Path) -> None:
    reaper = Reaper(tmp_path, item(song), answer="melody,8,3,dub, drums bass,  keys ")
    assert reaper.run("segue_send.lua") == []
    (job,) = reaper.jobs()
    assert (job["lanes"], job["variations"], job["role"], job["prompt"]) == ("drums,bass,keys", 3, "melody", "dub")
    assert is_stems(job)
    order = stems_order_of(job, order_of(job, TakeOrder(), tmp_path))
    assert ([lane.name for lane in order.lanes], order.variations) == (["drums", "bass", "keys"], 3)
    assert order.take.region is not None
    assert (order.take.region.role, order.take.bars, order.take.bpm) == ("melody", 8, 137.5)


def test_reaper_cuts_no_letter_of_a_long_name_in_two(tmp_path: Path, song: Path) -> None:
    reaper = Reaper(tmp_path, item(song, name="xギター" * 20))
    assert reaper.run("segue_send.lua") == []
    (job,) = reaper.jobs()
    assert job["name"] == "xギター" * 6, "60 bytes of UTF-8"


def test_reaper_sends_what_lies_in_the_time_selection(tmp_path: Path, song: Path) -> None:
    reaper = Reaper(tmp_path, item(song), selection_from=4.0, selection_to=6.5)
    assert reaper.run("segue_send.lua") == []
    (job,) = reaper.jobs()
    assert (job["offset_seconds"], job["length_seconds"]) == (3.5, 2.5)
    assert job["start_beats"] == pytest.approx(4 * 137.5 / 60, abs=1e-4)


@pytest.mark.parametrize(
    ("take", "word"),
    [
        ({"midi": True}, "MIDI"),
        ({"rate": 1.5}, "another rate"),
        ({"pitch": 2}, "transposed"),
        ({"stretch": 3}, "stretch markers"),
        ({"section": True}, "section"),
        ({"path": "/none.wav"}, "no file"),
    ],
)
def test_reaper_says_what_must_be_glued_first(tmp_path: Path, song: Path, take: dict[str, Any], word: str) -> None:
    reaper = Reaper(tmp_path, item(song, **take), item(song))
    (messages,) = reaper.run("segue_send.lua")
    assert word in messages
    assert "glue" in messages
    assert len(reaper.jobs()) == 1, "the other one is sent all the same"


@pytest.mark.parametrize(("items", "answer", "jobs"), [(0, "continue,8,1,", 0), (1, None, 0), (1, "drums,8,1,", 0)])
def test_reaper_with_nothing_to_send(tmp_path: Path, song: Path, items: int, answer: str | None, jobs: int) -> None:
    reaper = Reaper(tmp_path, *[item(song)] * items, answer=answer)
    messages = reaper.run("segue_send.lua")
    assert len(reaper.jobs()) == jobs
    assert bool(messages) == (answer is not None), "only who cancels is told nothing"


def test_reaper_says_when_nobody_watches(tmp_path: Path, song: Path) -> None:
    (tmp_path / "watching.txt").unlink()
    reaper = Reaper(tmp_path, item(song))
    assert "segue watch" in reaper.run("segue_send.lua")[0]
    assert len(reaper.jobs()) == 1


def test_reaper_imports_each_take_once_on_its_bar(tmp_path: Path) -> None:
    (tmp_path / "takes.txt").write_text("/t/a.wav\t24\t8\t137.5\t502691\t48000\n/t/b c.wav\t30.5\t8\t137.5\t1\t48000\n")
    reaper = Reaper(tmp_path)
    assert reaper.run("segue_import.lua") == []
    assert list(reaper.media.values()) == ["/t/a.wav@10.472727/1", "/t/b c.wav@13.309091/1"]
    assert "No new takes" in reaper.run("segue_import.lua")[0]
    with (tmp_path / "takes.txt").open("a") as index:
        index.write("/t/c.wav\t0\t8\t137.5\t0\t48000\n")
    reaper.run("segue_import.lua")
    assert list(reaper.media.values())[2:] == ["/t/c.wav@0.000000/1"]


@pytest.mark.parametrize("daw", scripts.DAWS)
def test_scripts_are_installed_and_know_folder_and_address(tmp_path: Path, daw: str) -> None:
    inbox = tmp_path / 'in "box" \\ here'
    written = scripts.install(daw, tmp_path / "scripts", inbox)
    assert len(written) == len(scripts.files(daw)) >= 2
    lua = lua54.LuaRuntime()
    for path in written:
        text = path.read_text()
        assert lua.eval("load")(text), "is Lua"
        line = next(line for line in text.splitlines() if line.startswith("local INBOX"))
        assert lua.execute(f"{line} return INBOX") == str(inbox)
    if daw == "ardour":
        text = (tmp_path / "scripts" / "segue_send.lua").read_text()
        for name, row in (("ADDRESS", TAKE), ("STEMS", STEMS)):
            assert f'local {name} = "{row.address}"' in text
            kinds = "".join(column.kind for column in row.arguments)
            assert f'to:send ({name}, "{kinds}",' in text, "what is sent is what the row takes, in its order"


def test_ardours_actions_need_nothing_from_outside_their_factory() -> None:
    """Ardour stores the function alone; an upvalue would be nil there."""
    lua = lua54.LuaRuntime()
    for path in scripts.files("ardour"):
        lua.execute("ardour = function () end")
        lua.execute(path.read_text())
        assert lua.eval('debug.getupvalue (factory, 1) == "_ENV" and debug.getupvalue (factory, 2) == nil')


def test_other_daws_are_pointed_to_the_folder() -> None:
    with pytest.raises(TakeError, match="segue watch"):
        scripts.install("live", None, Path("x"))
    assert any("reaper" in line for line in scripts.where())
