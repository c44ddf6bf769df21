"""The progress of stems reaches the engine, for those who have subscribed to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bridge.control import messages
from plugin_host.takes.engines import HotEngine
from plugin_host.takes.stems import stems_handlers
from plugin_host.takes.stems.order import Progress

MOMENTS = (
    Progress("making", 0, 2, 0.1, lane="drums"), Progress("making", 0, 2, 0.2, lane="drums"),
    Progress("made", 1, 2, 0.5, 1, "drums"), Progress("done", 2, 2, 1.0),
)  # fmt: skip


def test_moments_of_an_order_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[tuple[str, int, int, str]] = []
    engine = HotEngine(None, "noise", "float32", "", lambda: True)  # type: ignore[arg-type]
    engine = replace(engine, report=lambda *report: reports.append(report))
    monkeypatch.setattr(stems_handlers, "order_of", lambda values, take: None)
    monkeypatch.setattr(stems_handlers, "make_stems", lambda *made: [made[5](each) for each in MOMENTS])
    assert stems_handlers.StemsHandlers().run({}, None, engine, tmp_path / "song", print, print)  # type: ignore[arg-type]
    assert reports == [("song", 0, 2, "making drums"), ("song", 1, 2, "made drums 1"), ("song", 2, 0, "")]
    for report in reports:
        messages.REPORT.check([1, "stems", *report])
