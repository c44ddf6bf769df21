"""What the player types beside `segue midi`, and the command's errors."""

from __future__ import annotations

import io
from pathlib import Path

import mido
import pytest
from typer.testing import CliRunner

from plugin_host.cli.main import app
from plugin_host.console.screen import Screen
from plugin_host.midi.prompt import LinePrompt
from plugin_host.midi.session import MidiOptions, MidiSession


class NoEngine:
    """A client that is asked nothing here."""

    def __init__(self) -> None:
        self.sent: list[tuple[object, ...]] = []

    def send(self, *values: object) -> None:
        self.sent.append(values)


@pytest.fixture
def session(tmp_path: Path) -> MidiSession:
    """A session whose device and port are not opened."""
    options = MidiOptions("none", map=tmp_path / "map.toml", bpm=120.0)
    return MidiSession(options, NoEngine(), lambda text: None)  # type: ignore[arg-type]


def test_a_typed_parameter_is_learned_and_escape_leaves(session: MidiSession) -> None:
    shown, ended = io.StringIO(), []
    prompt = LinePrompt(session, Screen(shown), lambda: ended.append(True))
    prompt.read("temperatx\x7fure\r", 0.0)
    assert session.editor.learner.on
    prompt.read("\x1b[A", 0.0)  # an arrow
    assert session.editor.learner.on
    prompt.read("\x1b", 0.0)
    assert not session.editor.learner.on
    prompt.read("cfg\r", 0.0)
    for value in (3, 4):
        session.receive(mido.Message("control_change", control=90, value=value), 1.0)
    session._turn()
    rows = {each.control.name: each.target.name for each in session.editor.bindings}
    assert rows["ch 1 cc 90"] == "cfg"
    prompt.read("forget ch 1 cc 90\rnonsense\rlist\rquit\r", 0.0)
    assert "ch 1 cc 90" not in {each.control.name for each in session.editor.bindings}
    assert "there is no 'nonsense' in the table" in shown.getvalue()
    assert "cc 22" not in shown.getvalue()  # cfg was learned elsewhere
    assert ended


def test_a_pad_records_notes_that_are_not_in_the_map(session: MidiSession) -> None:
    pad, key = mido.Message("note_on", note=41), mido.Message("note_on", note=60)
    session.receive(pad, 10.0)
    assert session._recorder is not None
    assert session._recorder.on
    session.receive(key, 11.0)
    session.receive(mido.Message("note_off", note=60), 11.5)
    found = session._recorder.finish(99.0)
    assert found is not None
    assert [note.pitch for note in found[0].notes] == [60]
    assert found[0].signature.beats_per_bar * 4 == 16


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--wav", "x.wav"], 2, "--wav needs --melody"),
        (["--record", "4"], 2, "--record needs a MIDI port"),
        (["pad", "--record", "4"], 2, "--record needs --bpm"),
        (["--melody", "none.mid"], 4, "none.mid cannot be read"),
        (["pad", "--map", "bad.toml"], 2, "control 1: midi is missing"),
    ],
)
def test_the_command_says_what_is_wrong_before_it_asks_an_engine(
    options: list[str], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text("[[control]]\n")
    done = CliRunner().invoke(app, ["midi", *options])
    assert (done.exit_code, said in done.output + done.stderr) == (code, True), done.output
