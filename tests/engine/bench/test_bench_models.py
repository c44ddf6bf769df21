"""The bench over model shapes: arithmetic, what is skipped, a contest of a tiny shape, JSON, table, picture."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from engine.bench import bandwidth, check, command, contest, memory, results, table
from engine.bench.beside import measure_beside
from engine.bench.children import run_child
from engine.bench.contest import Contest, ContestSpec, fill_frames
from engine.bench.device_side import DeviceSide
from engine.bench.floor import all_weights, fraction_of_floor, step_bytes, step_weights
from engine.bench.gather import gather
from engine.bench.picture import save as save_picture
from engine.bench.plan import BenchRequest, make_plan
from engine.bench.results import (
    FILLS,
    SEGUE,
    BenchReport,
    BenchRow,
    Extras,
    Spread,
    extras_of,
    fill_of,
    report_json,
    row_json,
    row_of,
)
from engine.bench.segue_side import SegueSide
from engine.bench.shapes import NAMES, TINY, Shape, names_of, precisions_of, shape_of
from engine.bench.sounding import Sounding
from engine.bench.weights import held_bytes, in_precision, random_model
from engine.codec.encodec import Encodec, EncodecConfig
from engine.errors import EngineError, NotInstalled, UnsupportedError
from engine.lm.executors.device import DeviceExecutor
from engine.lm.executors.device.probe import read_weights
from engine.lm.executors.select import choose

TEXT = shape_of(TINY)
PREFIXED = replace(TEXT, prefix=7, memory=0, lm=replace(TEXT.lm, cross_attention=False))


# -- what a step must read --------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [TEXT, PREFIXED], ids=["memory", "prefix"])
def test_weights_are_those_of_the_model(shape: Shape) -> None:
    lm = random_model(shape.lm)
    assert step_weights(shape.lm) == sum(tensor.numel() for tensor in read_weights(lm))
    matrices = sum(tensor.numel() for tensor in lm.state_dict().values() if tensor.dim() > 1)
    assert all_weights(shape.lm) == matrices


def test_published_sizes_are_the_published_ones() -> None:
    millions = {name: round(all_weights(shape_of(name).lm) / 1e6) for name in NAMES}
    assert millions["small"] == 419
    assert millions["medium"] == 1837
    assert millions["large"] == 3255
    assert millions["melody"] == millions["style"] == 1384


def test_the_floor_by_hand() -> None:
    lm = TEXT.lm
    found = step_bytes(lm, "float32", rows=2, filled=10, memory=3, cache_item_bytes=4)
    assert found.weights == 4 * step_weights(lm)
    assert found.cache == 2 * lm.n_layers * 2 * 13 * lm.dim * 4
    eight = step_bytes(lm, "int8", rows=2, filled=10, memory=0, cache_item_bytes=1)
    assert eight.weights == step_weights(lm) * (8 + 32 / 64) / 8  # a scale for each 64 weights of a row of 64
    assert eight.cache == 2 * lm.n_layers * 2 * 10 * lm.dim
    four = step_bytes(lm, "int4", rows=2, filled=0, memory=0, cache_item_bytes=1)
    heads = lm.n_codebooks * lm.card * lm.dim  # in 8 bits nevertheless
    assert four.weights == ((step_weights(lm) - heads) * 4.5 + heads * 8.5) / 8
    assert fraction_of_floor(step_seconds=0.02, n_bytes=1e9, bytes_per_second=1e11) == pytest.approx(0.5)


def test_bandwidth_is_measured() -> None:
    found = bandwidth.measure("cpu", n_bytes=2**22)
    assert min(found.read, found.copy) > 0
    assert found.best == max(found.read, found.copy)


# -- both sides ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [TEXT, PREFIXED], ids=["memory", "prefix"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_both_sides_give_the_same_logits_on_the_same_tensors(shape: Shape, precision: str) -> None:
    pytest.importorskip("transformers")
    from engine.bench.reference import ReferenceSide

    executor = in_precision(random_model(shape.lm), precision)
    side = ReferenceSide(shape, executor.lm, getattr(torch, precision))
    assert check.difference(shape, executor, side) < check.ALLOWED[precision]
    theirs = {tensor.data_ptr() for tensor in side.model.state_dict().values()}
    assert executor.lm.layers[0].linear1.weight.data_ptr() in theirs
    took = side.visit(60, 4)
    assert len(took) == 4
    assert min(took) > 0


def test_other_weights_are_found_out() -> None:
    pytest.importorskip("transformers")
    from engine.bench.reference import ReferenceSide

    side = ReferenceSide(TEXT, random_model(TEXT.lm, seed=1), torch.float32)
    assert check.difference(TEXT, choose(random_model(TEXT.lm, seed=2)), side) > check.ALLOWED["float32"]


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8", "int4"])
def test_segue_steps_from_a_filled_cache(precision: str) -> None:
    side = SegueSide(TEXT, in_precision(random_model(TEXT.lm), precision), lanes=2)
    assert side.precision == precision
    frames = fill_frames(TEXT)
    for name in ("nearly full", "start", "half", "nearly full"):  # a smaller fill does not spoil a larger one
        assert len(side.visit(frames[name], 3)) == 3
        for stream in side.streams:
            state = stream.open_window().states[0]
            assert state.length == frames[name] + 1 + 3  # one step without timing, and three with
            filled = state.cache[0, 0, :, :, : frames[name]].float()
            assert bool((filled.abs().amax(dim=-1) > 0).all()), "an empty cache must not be timed"


@pytest.mark.parametrize("shape", [TEXT, PREFIXED], ids=["memory", "prefix"])
def test_the_device_step_takes_part_in_the_same_contest(shape: Shape) -> None:
    """The GPU's step on a processor: compared with transformers, then timed."""
    pytest.importorskip("transformers")
    from engine.bench.reference import ReferenceSide

    lm = random_model(shape.lm)
    executor = DeviceExecutor(lm)
    side = DeviceSide(shape, executor)
    assert len(side.visit(60, 2)) == 2
    assert len(side.visit(60, 2, lanes=3)) == 2
    assert check.difference(shape, executor, ReferenceSide(shape, lm, torch.float32)) < check.ALLOWED["float32"]


def test_weights_are_shared_between_precisions() -> None:
    lm = random_model(TEXT.lm)
    whole, same, half = choose(lm), in_precision(lm, "float32"), in_precision(lm, "bfloat16")
    assert held_bytes(whole, same) == held_bytes(whole)
    assert held_bytes(half) < held_bytes(whole)


def small_codec() -> Encodec:
    codec = Encodec(EncodecConfig(n_filters=2, dim=8, n_codebooks=TEXT.lm.n_codebooks, card=TEXT.lm.card)).eval()
    codec.quantizer.get_buffer("tables").normal_()
    return codec.requires_grad_(False)


@pytest.mark.parametrize("together", [False, True], ids=["processor", "as on a GPU"])
def test_first_sound_change_and_codec(together: bool) -> None:
    lm = random_model(TEXT.lm)
    sounding = Sounding(TEXT, DeviceExecutor(lm) if together else choose(lm), small_codec())
    seconds, stream, state = sounding.first_sound()
    assert seconds > 0
    assert stream.n_frames >= TEXT.keep_frames + 4
    assert sounding.change(stream, state) > 0
    assert sounding.codec_frame() > 0
    made = stream.n_frames
    assert sounding.frame_with_codec(stream) > 0
    assert stream.n_frames > made


def test_beside_its_steps_a_model_tells_codec_and_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda device: 2e6)  # four lanes' caches, not eight
    executor, extras = choose(random_model(TEXT.lm)), Extras(TINY, "float32", "cpu")
    spec = ContestSpec(TINY, ["float32"], rounds=2)
    shown = list(measure_beside(extras, replace(TEXT, encodec=False), executor, small_codec(), 3.0, spec))
    assert len(shown) == 2, "reported bit by bit"
    assert extras.codec_frame_ms is not None
    assert extras.codec_share == pytest.approx(extras.codec_frame_ms.median / (extras.codec_frame_ms.median + 3.0))
    assert extras.realtime is not None
    assert extras.realtime > 0
    assert list(extras.lanes_ms) == ["1", "2", "4"]
    assert "GB" in extras.lanes_skipped["8"]


# -- what is run and what is skipped -----------------------------------------------------------------------------


def test_what_does_not_fit_is_skipped_and_said() -> None:
    plan = make_plan(BenchRequest(["large"], ["float32", "int8"]), gpu=False, free_bytes=lambda device: 12e9)
    assert plan.specs == []  # int8 needs the weights from which it is made
    said = {row.precision: row for row in plan.rows if row.device == "cpu"}
    assert said["float32"].status == results.SKIPPED
    assert "GB" in said["float32"].reason


def test_precisions_that_do_not_fit_together_get_a_process_each() -> None:
    shape = shape_of("large")
    all_of_them = ["float32", "bfloat16", "int8", "int4"]
    groups, skipped = memory.groups_that_fit(shape, all_of_them, True, 30e9)
    assert not skipped
    assert len(groups) > 1
    assert [one for group in groups for one in group.precisions] == all_of_them
    assert all(group.needed_bytes(shape) <= memory.USABLE * 30e9 for group in groups)
    assert memory.groups_that_fit(shape, all_of_them, True, None) == ([memory.Group(all_of_them)], {})


def test_where_memory_is_short_transformers_is_left_out_and_said() -> None:
    plan = make_plan(BenchRequest(["large"], ["float32", "int8"]), gpu=False, free_bytes=lambda device: 21e9)
    assert [(spec.precisions, spec.base, spec.reference) for spec in plan.specs] == [
        (["float32"], "float32", False),
        (["int8"], "bfloat16", True),
    ]
    assert any(row.side == "transformers" and row.status == results.SKIPPED for row in plan.rows)


def test_without_a_gpu_its_rows_say_so() -> None:
    plan = make_plan(BenchRequest(["small"], ["float32", "float16"]), gpu=False, free_bytes=lambda device: None)
    said = {(row.device, row.precision): row for row in plan.rows}
    assert said["cuda", "float16"].status == results.NOT_MEASURED
    assert said["cuda", "float16"].reason == "no GPU here"
    assert said["cpu", "float16"].status == results.SKIPPED
    assert plan.specs[0].precisions == ["float32"]
    assert plan.minutes > 0


def test_large_models_are_guessed_to_take_longer() -> None:
    guesses = make_plan(BenchRequest(["small", "large"], ["float32"]), False, lambda device: None).guesses
    assert guesses[0] < guesses[1]


@pytest.mark.parametrize(
    "arguments",
    [["--models", "smal"], ["--models", "small", "--precision", "int3"], ["--models", ","],
     ["--models", "small", "--rounds", "-1"], ["--models", "small", "--device", "gpu9"],
     ["--models", "small", "--limit-minutes", "nan"]],
)  # fmt: skip
def test_wrong_options_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(arguments) == command.EXIT_OPTION
    assert capsys.readouterr().err


def test_names() -> None:
    assert names_of("all") == list(NAMES)
    assert names_of(" small, embedded,small") == ["small", "embedded"]
    assert precisions_of("int8,float32") == ["int8", "float32"]
    with pytest.raises(UnsupportedError, match="smal"):
        names_of("smal")


# -- figures -------------------------------------------------------------------------------------------------------


def test_percentiles_and_spread() -> None:
    values = [float(one) for one in range(1, 1001)]
    assert results.percentile(values, 0.99) == 990
    assert results.percentile(values, 0.999) == 999
    assert results.percentile([3.0], 0.99) == 3.0
    assert results.spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)


def test_too_few_steps_have_no_percentile() -> None:
    few = fill_of(50, 51, [[0.01] * 40, [0.03] * 40], n_bytes=1e8, bandwidth=1e10)
    assert few.p99_ms is None
    assert few.p999_ms is None
    assert few.step_ms == Spread(pytest.approx(20.0), pytest.approx(10.0), pytest.approx(30.0))
    assert few.floor_ms == pytest.approx(10.0)
    assert few.of_floor == pytest.approx(0.5)
    many = fill_of(50, 51, [[0.01] * 1000], n_bytes=1e8, bandwidth=1e10)
    assert many.p99_ms == pytest.approx(10.0)
    assert many.p999_ms == pytest.approx(10.0)


def some_row(**more: Any) -> BenchRow:
    fill = fill_of(50, 51, [[0.01, 0.02], [0.01, 0.03]], 1e8, 1e10)
    return BenchRow("small", "random", SEGUE, "float32", "cpu", fills=dict.fromkeys(FILLS, fill), **more)


def test_rows_go_through_json_unchanged() -> None:
    row = some_row(times_as_fast=Spread(2.0, 1.5, 2.5), logits_off=1e-6)
    values = json.loads(json.dumps(row_json(row)))
    assert row_of(values) == row
    assert values["realtime"] == pytest.approx(row.steps_per_second / 50)


# -- the whole comparison ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    """A comparison on the tiny shape, in this process."""
    pytest.importorskip("transformers")
    lines: list[dict[str, Any]] = []
    spec = ContestSpec(TINY, ["float32", "int8"], rounds=2, seconds=0.01, compiled=False)
    threads = torch.get_num_threads()
    Contest(spec, lambda line: lines.append(json.loads(json.dumps(line))), lambda line: None).run()
    assert torch.get_num_threads() == threads
    return lines


@pytest.fixture(scope="module")
def report(records: list[dict[str, Any]]) -> BenchReport:
    found = BenchReport({"device": "a test", "threads": 1, "load": 0.5})
    gather(found, ContestSpec(TINY, ["float32", "int8"]), records, "")
    return found


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (NotInstalled("the comparison needs a library: transformers is missing"), results.NOT_MEASURED),
        (UnsupportedError("CUDA is not installed as this kernel wants it"), results.FAILED),
    ],
)
def test_a_side_without_its_library_did_not_fail(
    fault: Exception, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def side(*arguments: object) -> None:
        raise fault

    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(contest, "ReferenceSide", side)
    contest.Contest(ContestSpec(TINY, ["float32"]), lines.append, print)._enter_reference(
        SimpleNamespace(lm=None), "float32", False
    )  # type: ignore[arg-type]
    assert [line["status"] for line in lines] == [status]


def test_a_contest_tells_every_row_with_every_fill(report: BenchReport) -> None:
    rows = {(row.side, row.precision): row for row in report.rows}
    assert set(rows) == {(SEGUE, "float32"), ("transformers", "float32"), (SEGUE, "int8")}
    for row in rows.values():
        assert row.status == results.MEASURED
        assert row.weights == "random"
        assert set(row.fills) == set(FILLS)
        assert all(fill.steps >= 6 and fill.step_ms.low > 0 for fill in row.fills.values())
        positions = [row.fills[name].positions for name in FILLS]
        assert positions == sorted(set(positions))
    assert rows["transformers", "float32"].logits_off < check.ALLOWED["float32"]  # type: ignore[operator]
    assert rows[SEGUE, "int8"].times_as_fast is not None, "against transformers' best of all"
    assert 0 < rows[SEGUE, "int8"].error_std < 0.2  # type: ignore[operator]
    assert 0 <= rows[SEGUE, "int8"].drawn_otherwise < 1  # type: ignore[operator]
    half = rows[SEGUE, "float32"].fills["half"]
    assert half.read_bytes == step_bytes(TEXT.lm, "float32", 2, half.positions, TEXT.memory, 4).total
    assert half.floor_ms == pytest.approx(1000 * half.read_bytes / max(report.bandwidth[TINY].values()))


def test_lanes_are_reported(report: BenchReport) -> None:
    """The report has the milliseconds of 1, 2, 4 and 8 lanes, also after JSON."""
    (extras,) = report.extras
    assert extras.precision == "int8"
    assert list(extras.lanes_ms) == ["1", "2", "4", "8"]
    assert not extras.lanes_skipped
    assert extras_of(json.loads(json.dumps(report_json(report)))["extras"][0]) == extras


def test_the_table_says_what_was_measured_and_what_was_not(report: BenchReport, tmp_path: Path) -> None:
    missing = BenchRow("large", "", SEGUE, "float32", "cpu", results.SKIPPED, "needs 25.8 GB of memory")
    text = "\n".join(table.lines_of(replace(report, rows=[*report.rows, missing])))
    assert "weights: random" in text
    assert "skipped: needs 25.8 GB of memory" in text
    assert "lanes 8" in text
    assert "a test" in text
    assert "nan" not in text
    headline = list(table.headline(report))
    assert len(headline) == 2
    assert "times as fast as transformers" in headline[0]
    command.save(report, tmp_path / "r.json")
    records = json.loads((tmp_path / "r.json").read_text())
    assert records["schema"] == results.SCHEMA
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")
    assert "tiny" in (tmp_path / "r.txt").read_text()
    save_picture(tmp_path / "empty.png", BenchReport({}))
    assert (tmp_path / "empty.png").stat().st_size > 0


def test_what_a_process_owed_becomes_a_row_that_says_why(records: list[dict[str, Any]]) -> None:
    found = BenchReport({})
    gather(found, ContestSpec(TINY, ["float32", "int4"]), records, "time limit of 10 minutes")
    rows = {(row.side, row.precision): row for row in found.rows}
    assert rows[SEGUE, "int4"].status == results.FAILED
    assert rows[SEGUE, "int4"].reason == "time limit of 10 minutes"
    assert "cut short" in rows[SEGUE, "float32"].reason
    assert rows[SEGUE, "float32"].fills


def test_a_process_that_takes_too_long_is_ended() -> None:
    records, reason = run_child(ContestSpec(TINY, ["float32"], reference=False), limit_seconds=0.05)
    assert records == []
    assert "time limit" in reason


def test_the_command_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own process, without transformers; the limit allows for a machine that is busy with other tests."""
    assert sys.executable
    out = tmp_path / "b.json"
    arguments = ["--models", TINY, "--precision", "float32", "--fast", "--no-reference", "--limit-minutes", "1.5"]
    assert command.main([*arguments, "--json", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    measured = [row for row in rows if row["status"] == results.MEASURED]
    assert [row["side"] for row in measured] == [SEGUE]
    assert measured[0]["realtime"] > 0
    assert any(row["device"] == "cuda" for row in rows) or torch.cuda.is_available()
    assert not math.isnan(measured[0]["held_mb"])


def test_an_unknown_device_is_an_error_of_ours() -> None:
    with pytest.raises(EngineError):
        command.request_of(command._parser().parse_args(["--models", "small", "--device", "cuda:99"]))
