"""`segue bench --models`: options, and the engine's process as a user meets it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from plugin_host.bench.models import BenchError, Table, run_table
from plugin_host.cli import main
from plugin_host.console.output import OutputError
from plugin_host.console.screen import Screen


def test_options_become_the_engines() -> None:
    out = Path("b.json")
    assert Table("all").arguments(out) == ["--models", "all", "--device", "auto", "--json", "b.json"]
    asked = Table("small", "int8", "cuda", fast=True, threads=2, limit_minutes=3.0).arguments(out)
    assert asked[asked.index("--precision") + 1] == "int8"
    assert asked[asked.index("--threads") + 1] == "2"
    assert asked[asked.index("--limit-minutes") + 1] == "3.0"
    assert "--fast" in asked


def test_what_the_engine_refuses_is_said_and_leaves_no_file(tmp_path: Path) -> None:
    out = tmp_path / "b.json"
    with pytest.raises(BenchError, match=r"'smal' is not known"):
        run_table(Table("smal"), out, Screen())
    assert not out.exists()


def test_a_place_that_cannot_be_written_is_reported_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        run_table(Table("small"), tmp_path / "no" / "b.json", Screen())


@pytest.mark.parametrize("options", [["--fast"], ["--precision", "int8"], ["--threads", "2"]])
def test_options_of_the_table_need_models(options: list[str]) -> None:
    done = CliRunner().invoke(main.app, ["bench", *options])
    assert done.exit_code == 2


def test_two_benches_at_once_are_refused() -> None:
    assert CliRunner().invoke(main.app, ["bench", "--sync", "--models", "small"]).exit_code == 2
