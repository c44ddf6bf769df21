"""`segue bench --trust`: a row below its figure, a twin that nobody found, a row that hangs or crashes are all told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from plugin_host.bench.trust import child, command
from plugin_host.bench.trust.command import RowsMissed, TrustOptions, WrongRows, parse_rows, run_trust_bench
from plugin_host.bench.trust.figure import Figure, counted, unpacked
from plugin_host.bench.trust.stage import Size, Stage, percentile
from plugin_host.bench.trust.table import TABLE
from plugin_host.console.screen import Screen

PATHS = next(row for row in TABLE if row.module == "paths")


def test_a_figure_is_met_by_all_of_it_and_no_fault() -> None:
    assert Figure(3, 3, "cases").met
    assert not Figure(2, 3, "cases").met
    assert not Figure(3, 3, "cases", faults=("one",)).met
    assert not Figure(0, 0, "cases").met
    assert Figure(2, 3, "cases", "a time").line(4) == "ROW 4: reached 2 of 3 cases; a time  MISSED"
    assert counted(5, "cases", ["a", "b"]).reached == 3
    assert unpacked(counted(5, "cases", ["a"]).packed()) == counted(5, "cases", ["a"])
    assert percentile([float(n) for n in range(101)], 0.99) == 99.0


def test_rows_are_known_and_each_has_its_file() -> None:
    assert parse_rows(" 12, 4") == (12, 4)
    with pytest.raises(WrongRows, match="99"):
        parse_rows("99")
    folder = Path(command.__file__).parent
    assert all((folder / f"{row.module}.py").is_file() for row in TABLE)
    assert len({row.number for row in TABLE}) == len(TABLE)


def test_a_row_and_its_twin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = TrustOptions(tmp_path / "out", (PATHS.number,), Size.SHORT)
    ((row, figure),) = run_trust_bench(options, Screen())
    assert figure.met
    assert f"ROW {row.number}: reached 500 of 500 paths" in capsys.readouterr().out
    ((_, figure),) = run_trust_bench(replace(options, twins=True), Screen())
    assert not figure.met
    assert "RED" in capsys.readouterr().out


def test_a_miss_and_a_twin_that_nobody_found_end_with_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = TrustOptions(tmp_path / "out", (PATHS.number,), Size.SHORT)
    monkeypatch.setattr(command, "run_apart", lambda row, stage: Figure(1, 2, "cases"))
    with pytest.raises(RowsMissed, match=str(PATHS.number)):
        run_trust_bench(options, Screen())
    monkeypatch.setattr(command, "run_apart", lambda row, stage: Figure(2, 2, "cases"))
    with pytest.raises(RowsMissed, match="twins"):
        run_trust_bench(replace(options, twins=True), Screen())


@pytest.mark.parametrize("size", ["no such size"])
def test_a_row_that_crashes_has_reached_nothing(tmp_path: Path, size: str) -> None:
    figure = child.run_apart(PATHS, Stage(tmp_path, size))  # type: ignore[arg-type]
    assert not figure.met
    assert "ended with" in figure.faults[0]


def test_a_row_that_hangs_is_ended(tmp_path: Path) -> None:
    figure = child.run_apart(replace(PATHS, seconds=0.05), Stage(tmp_path, Size.SHORT))
    assert figure.faults == ("it was not done in 0 s",)
