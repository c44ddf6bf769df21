"""`segue takes ...` and `segue info` on a session of files: what they print, and their exit codes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from plugin_host.cli import main
from plugin_host.takes.finish import finish
from plugin_host.takes.recipe import Recipe
from plugin_host.takes.record import Recorder
from plugin_host.takes.take import save_take, span_of


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """Takes A and B of bars 1 to 2."""
    folder, made = tmp_path / "song", []
    folder.mkdir()
    for seed in (1, 2):
        recipe = Recipe(200.0, 2, prompt="warm piano", seed=seed)
        noise = np.random.default_rng(seed).uniform(-0.5, 0.5, (span_of(recipe)[1], 2)).astype(np.float32)
        made.append((save_take(folder, recipe, finish(noise, 48_000, "off", 24)), recipe))
    Recorder(folder, 0, lambda line: None).add(made)
    return folder


def takes(session: Path, *arguments: str, code: int = 0) -> str:
    """What the command prints, with the exit code that is expected."""
    done = CliRunner().invoke(main.app, ["takes", *arguments, "--session", str(session)])
    assert done.exit_code == code, done.output
    return done.output


def test_a_session_is_worked_on_from_the_shell(session: Path, tmp_path: Path) -> None:
    assert "head: after bar 2 of take 1" in takes(session, "list")
    assert "head: after bar 1 of take 1" in takes(session, "rewind", "1")
    assert "after bar 2" in takes(session, "undo")
    assert "after bar 1" in takes(session, "redo")
    takes(session, "go", "1")
    assert "take 1 bars 1 to 1, take 3 bars 2 to 2" in takes(session, "switch", "B", "--at", "2")
    assert "2 bars, 2.40 s, 2 takes" in takes(session, "export", "--out", str(tmp_path / "out.wav"))
    assert soundfile.info(tmp_path / "out.wav").frames == span_of(Recipe(200.0, 2))[1]
    assert "*****" in takes(session, "rate", "2", "5")
    assert takes(session, "find", "PIANO", "warm").index("   2  B") == 0, "the best rated first"
    assert "kept" in takes(session, "keep", "2")
    assert "order 1" in takes(session, "show", "2")
    assert "0 faults" in takes(session, "check")


def test_garbage_is_shown_before_it_goes(session: Path) -> None:
    takes(session, "go", "1")
    takes(session, "discard", "2")
    assert "   2  B" not in takes(session, "list")
    assert "   2  B" in takes(session, "list", "--all")
    assert "1 takes, 1 files" in takes(session, "gc")
    assert len(list(session.glob("*.wav"))) == 2
    assert "removed" in takes(session, "gc", "--now")
    assert len(list(session.glob("*.wav"))) == 1


def test_a_fault_is_one_line_and_a_code(session: Path, tmp_path: Path) -> None:
    takes(session, "keep", "99", code=4)
    takes(tmp_path, "list", code=4)
    takes(session, "rewind", "0", code=2)
    next(session.glob("*seed1.wav")).write_bytes(b"other")
    assert "take 1: " in takes(session, "check", code=1)
    takes(session, "export", "--out", str(tmp_path / "out.wav"), code=4)
    assert not (tmp_path / "out.wav").exists()


def test_takes_in_a_folder_become_a_session(session: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    file = shutil.copy(next(session.glob("*seed2.wav")), other)
    assert "seed 2  drums" in takes(other, "add", str(file), "--lane", "drums")
    done = CliRunner().invoke(main.app, ["info", str(other)])
    assert "1 takes" in done.output
    assert "lanes: drums" in done.output
