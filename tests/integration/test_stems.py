"""Stems by a real engine: cancelled and gone on with, each made again from the recipe inside it to the last bit."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from engine_rig import Engine

from plugin_host.console.screen import Screen
from plugin_host.takes.engines import EngineRequest, hot_engine
from plugin_host.takes.errors import TakeError
from plugin_host.takes.order import TakeOrder
from plugin_host.takes.place import TakeRegionRequest
from plugin_host.takes.reopen import Variation, make_again
from plugin_host.takes.stems.lanes import read_lanes
from plugin_host.takes.stems.order import Progress, StemsOrder
from plugin_host.takes.stems.run import Cancelled, make_stems
from plugin_host.takes.take import read_take

RATE = 48_000


def test_stems_are_cancelled_gone_on_with_and_made_again(engine: Engine, tmp_path: Path) -> None:
    seconds = np.arange(int(2.4 * RATE)) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 220 * seconds) * np.exp(-4 * (seconds % 0.3))
    soundfile.write(tmp_path / "riff-200bpm.wav", tone.astype(np.float32), RATE)
    region = TakeRegionRequest(tmp_path / "riff-200bpm.wav", "continue", None, 4.0)
    order = StemsOrder(TakeOrder(region, bars=1, seed=11), read_lanes("bass,keys"), variations=1)
    out, cancelled, silent = tmp_path / "out", threading.Event(), lambda line: None

    def tell(progress: Progress) -> None:
        if progress.state == "made":
            cancelled.set()

    with hot_engine(EngineRequest(engine.port), silent) as hot:
        with pytest.raises(Cancelled):
            make_stems(order, hot, out, silent, silent, tell, cancelled)
        assert {path.name for path in (out / "1").iterdir()} == {"bass.wav"}
        bass = (out / "1" / "bass.wav").read_bytes()
        make_stems(order, hot, out, silent, silent)
    assert (out / "1" / "bass.wav").read_bytes() == bass
    takes = {name: read_take(out / "1" / f"{name}.wav") for name in ("bass", "keys", "mix")}
    assert [region.role for region in takes["keys"].recipe.regions] == ["continue"], "this model follows no melody"
    table = json.loads((out / "stems.json").read_text())
    assert [row["lane"] for row in table["stems"]] == ["bass", "keys"]
    assert all(0 <= row["figures"]["purity"] <= 1 for row in table["stems"])
    request = EngineRequest(engine.port)
    quiet = replace(takes["keys"].recipe, stem=replace(takes["keys"].recipe.stem, gain_db=-6.0))
    assert make_again(takes["keys"], Variation(), request, tmp_path / "again", "wav", Screen()) == 0.0
    lower = make_again(replace(takes["keys"], recipe=quiet), Variation(), request, tmp_path / "low", "wav", Screen())
    assert lower == pytest.approx(0.5 * float(np.abs(takes["keys"].audio).max()), rel=0.02)
    with pytest.raises(TakeError, match="sum of the stems beside it"):
        make_again(takes["mix"], Variation(), request, tmp_path / "again", "wav", Screen())
