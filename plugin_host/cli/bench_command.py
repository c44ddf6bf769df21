"""`segue bench`. Its docstring is its help; see `docs/bench.md` and `docs/bench_sync.md`. All of it [main]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plugin_host.cli.guard import guarded
from plugin_host.cli.options import (
    Device,
    JamBench,
    MidiBench,
    StemsBench,
    SyncBench,
    SyncMinutes,
    SyncOnly,
    SyncSeconds,
    SyncTempi,
    TrustBench,
    TrustLong,
    TrustRows,
    TrustShort,
    TrustTwins,
)

Quick = Annotated[
    bool, typer.Option("--quick", help="Ring and host only, no model; with --sync or --stems a short run.")
]
Models = Annotated[
    str, typer.Option(help="Measure these models instead: embedded, small, medium, melody, style, large, or all.")
]
Precisions = Annotated[
    str, typer.Option("--precision", help="With --models: precisions, like float32,bfloat16,int8,int4.")
]
Fast = Annotated[bool, typer.Option("--fast", help="With --models: short rounds, nothing compiled.")]
Threads = Annotated[int, typer.Option(min=0, max=256, help="With --models: CPU threads; 0: PyTorch's default.")]
Limit = Annotated[float, typer.Option(min=0, help="With --models: time limit of a process in minutes; 0: by size.")]


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line.  [main]"""
    app.command(short_help="Measure this computer.")(guarded(bench))


def bench(
    out: Annotated[Path | None, typer.Option(help="JSON file with all figures; with --sync a folder.")] = None,
    device: Device = "auto",
    quick: Quick = False,
    models: Models = "",
    precision: Precisions = "",
    fast: Fast = False,
    threads: Threads = 0,
    limit_minutes: Limit = 0.0,
    sync: SyncBench = False,
    minutes: SyncMinutes = 2.0,
    tempi: SyncTempi = "",
    tempo_seconds: SyncSeconds = 300.0,
    only: SyncOnly = "",
    jam: JamBench = False,
    stems: StemsBench = False,
    midi: MidiBench = False,
    trust: TrustBench = False,
    rows: TrustRows = "",
    long: TrustLong = False,
    short: TrustShort = False,
    twins: TrustTwins = False,
) -> None:
    """Measure this computer: the ring, the model's speed, time to first sound.

    --models measures each model's speed (random weights for models that are not here), --sync whether the music is on
    the beat, --jam jams through JACK, --stems stems and rendering from journals, --trust what Segue withstands.

    \b
    segue bench                                   # under two minutes
    segue bench --models small --fast             # one model's speed
    segue bench --sync --quick                    # the beat, about two minutes
    segue bench --jam --minutes 10                # jams; needs JACK
    segue bench --stems --quick                   # stems and journals, about two minutes
    segue bench --trust                           # what it withstands, about six minutes; Linux
    """
    _one_kind(sync + bool(models) + jam + stems + midi + trust, any((precision, fast, threads, limit_minutes)), models)
    if trust or rows or long or short or twins:
        return _bench_trust(trust, out, rows, long, short, twins)
    if jam:
        return _bench_jam(out, minutes, only)
    if stems:
        return _bench_stems(out, minutes, only, quick)
    if midi:
        return _bench_midi(out, device, quick)
    if models:
        return _bench_models(out, models, precision, device, fast, threads, limit_minutes)
    if sync:
        return _bench_sync(out, device, quick, minutes, tempi, tempo_seconds, only)
    return _bench_computer(out, device, quick)


def _bench_computer(out: Path | None, device: str, quick: bool) -> None:
    from plugin_host.bench.bench import run_bench
    from plugin_host.console.screen import Screen

    run_bench(out or Path("segue-bench.json"), device, quick, Screen())


def _one_kind(kinds: int, of_models: bool, models: str) -> None:
    if kinds > 1:
        raise typer.BadParameter(
            "--sync, --models, --jam, --stems, --midi and --trust measure different things: choose one"
        )
    if of_models and not models:
        raise typer.BadParameter("--precision, --fast, --threads and --limit-minutes need --models")


def _bench_sync(
    out: Path | None, device: str, quick: bool, minutes: float, tempi: str, tempo_seconds: float, only: str
) -> None:
    from plugin_host.bench.sync.command import parse_options, run_sync_bench
    from plugin_host.console.screen import Screen

    run_sync_bench(parse_options(out, device, quick, minutes, tempi, tempo_seconds, only), Screen())


def _bench_models(
    out: Path | None, models: str, precision: str, device: str, fast: bool, threads: int, limit_minutes: float
) -> None:
    from plugin_host.bench.models import Table, run_table
    from plugin_host.console.screen import Screen

    screen, path = Screen(), out or Path("segue-bench-models.json")
    run_table(Table(models, precision, device, fast, threads, limit_minutes), path, screen)
    screen.say(f"written to {path}, {path.with_suffix('.txt').name} and {path.with_suffix('.png').name}")


def _bench_midi(out: Path | None, device: str, quick: bool) -> None:
    from plugin_host.bench.midi import run_midi_bench
    from plugin_host.console.screen import Screen

    run_midi_bench(out or Path("segue-midi-bench.json"), device, quick, Screen())


def _bench_jam(out: Path | None, minutes: float, only: str) -> None:
    from plugin_host.bench.jam.command import JamBenchOptions, run_jam_bench
    from plugin_host.console.screen import Screen

    names = tuple(each.strip() for each in only.split(",") if each.strip())
    run_jam_bench(JamBenchOptions(out or Path("segue-jam-bench"), minutes, names), Screen())


def _bench_stems(out: Path | None, minutes: float, only: str, quick: bool) -> None:
    from plugin_host.bench.stems.command import StemsBenchOptions, run_stems_bench
    from plugin_host.console.screen import Screen

    names = tuple(each.strip() for each in only.split(",") if each.strip())
    run_stems_bench(StemsBenchOptions(out or Path("segue-stems-bench"), minutes, names, quick), Screen())


def _bench_trust(trust: bool, out: Path | None, rows: str, long: bool, short: bool, twins: bool) -> None:
    from plugin_host.bench.trust.command import RowsMissed, TrustOptions, WrongRows, parse_rows, run_trust_bench
    from plugin_host.bench.trust.stage import Size
    from plugin_host.console.screen import Screen

    if not trust:
        raise typer.BadParameter("--rows, --long, --short and --twins need --trust")
    if long and short:
        raise typer.BadParameter("--long and --short are two sizes: choose one")
    size, screen = Size.LONG if long else Size.SHORT if short else Size.USUAL, Screen()
    try:
        run_trust_bench(TrustOptions(out or Path("segue-trust"), parse_rows(rows), size, twins), screen)
    except WrongRows as wrong:
        raise typer.BadParameter(str(wrong)) from None
    except RowsMissed as missed:
        screen.say(str(missed))
        raise typer.Exit(1) from None
