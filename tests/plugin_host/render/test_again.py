"""Which journals `segue render` makes again, and what it says when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from plugin_host.cli.main import app
from plugin_host.render.again import JOURNAL, lanes_of
from plugin_host.render.heard import transport_of
from plugin_host.render.places import RenderError


def test_the_lanes_of_a_session(tmp_path: Path):
    for name in ("lane-1", "lane-0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / JOURNAL).touch()
    assert lanes_of(tmp_path) == [tmp_path / "lane-0", tmp_path / "lane-1"]
    assert lanes_of(tmp_path / "lane-1") == [tmp_path / "lane-1"]


def test_a_folder_without_a_journal_says_how_one_is_made(tmp_path: Path):
    said = CliRunner().invoke(app, ["render", str(tmp_path)])
    assert said.exit_code == 3
    assert "holds no journal (journal.jsonl): an engine started with --journal FOLDER writes one" in said.stderr


@pytest.mark.parametrize("said", [{}, {"grid": {}}, {"grid": 3, "loop_beats": None}])
def test_a_transport_that_is_none_is_refused(said):
    with pytest.raises(RenderError, match="transport that is none"):
        transport_of(said)
