"""`--engine HOST:PORT`: every command that talks to an engine has it, and gets the port of a relay of its own."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bridge.errors import NoAnswer
from plugin_host.cli.far_engine import reaches_engine
from plugin_host.cli.guard import guarded
from plugin_host.cli.main import app
from plugin_host.relay import beside
from plugin_host.relay.run import RelayOptions

SECRET = "a secret of the tests"


def commands(group: typer.Typer) -> Iterator[tuple[str, set[str]]]:
    for each in group.registered_commands:
        assert each.callback is not None
        yield each.name or each.callback.__name__, set(inspect.signature(each.callback).parameters)
    for inside in group.registered_groups:
        assert inside.typer_instance is not None
        yield from commands(inside.typer_instance)


def test_every_command_with_a_port_and_a_secret_of_an_engine_has_it() -> None:
    found = dict(commands(app))
    reach = {name for name, has in found.items() if "far_engine" in has}
    assert reach == {name for name, has in found.items() if {"port", "secret_file"} <= has} - {"relay"}
    assert {"take", "stems", "host", "jam", "watch", "panel", "load", "midi", "oscquery", "open", "extend"} <= reach


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str, list[object]]:
    seen: list[object] = []

    @contextmanager
    def relay(options: RelayOptions, say: object) -> Iterator[int]:
        seen.append(options)
        yield 4242
        seen.append("ended")

    monkeypatch.setattr(beside, "relay_beside", relay)
    own = typer.Typer()

    @own.command()
    @guarded
    @reaches_engine
    def play(port: int = 9600, secret_file: Path | None = None) -> None:
        seen.append((port, secret_file))

    done = CliRunner().invoke(own, list(words))
    return done.exit_code, done.output, seen


def test_the_relay_is_there_while_the_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret.txt"
    file.write_text(SECRET + "\n")
    said = ("--engine", "studio:9700", "--secret-file", str(file), "--buffer", "80ms")
    code, _, seen = run(monkeypatch, *said)
    assert code == 0
    assert seen == [RelayOptions("studio:9700", SECRET, 0, "80ms"), (4242, None), "ended"]
    assert run(monkeypatch, "--port", "9700", "--secret-file", str(file))[2] == [(9700, file)]


def test_no_secret_file_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    code, output, seen = run(monkeypatch, "--engine", "studio")
    assert code == 2
    assert "--secret-file" in output
    assert not seen


def test_an_engine_that_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cryptography")
    monkeypatch.setenv("SEGUE_RELAY_CONNECT_SECONDS", "0.2")
    nowhere = beside.relay_beside(RelayOptions("127.0.0.1:1", SECRET, 0, "auto"), print)
    with pytest.raises(NoAnswer, match=r"127\.0\.0\.1:1"), nowhere:
        pass
