"""The command line of the models' bench.

    python -m engine.bench [--seconds 6] [--rounds 3] [--threads 2] [--json FILE]    the embedded model alone
    python -m engine.bench --models small,melody --precision float32,int8 [--fast]   the table over model shapes
    python -m engine.bench --models all

`segue bench` runs both. Figures, table and picture go beside the JSON file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import torch

from bridge.system.whole_file import put
from engine.bench.plan import BenchPlan, BenchRequest, make_plan
from engine.bench.results import BenchReport, report_json
from engine.bench.shapes import NAMES, PRECISIONS, names_of, precisions_of
from engine.errors import EngineError

CPU_PRECISIONS, GPU_PRECISIONS = "float32,bfloat16,int8,int4", "float16,bfloat16"
ROUNDS, FAST_SECONDS, SECONDS = 3, 0.3, 1.5
EXIT_FAULT, EXIT_OPTION = 1, 2


def main(arguments: list[str]) -> int:
    """The command; 0 done, 1 nothing could be measured, 2 wrong option.  [main]"""
    given = _parser().parse_args(arguments)
    if given.contest:
        from engine.bench.contest import main as contest

        return contest(given.contest, given.records)
    if not given.models:
        return _alone(given)
    try:
        request = request_of(given)
    except EngineError as fault:
        print(fault, file=sys.stderr)
        return EXIT_OPTION
    return _table(request, given.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine.bench", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--models", default="", help=f"the table over these shapes: all, or of {', '.join(NAMES)}")
    add("--precision", default="", help=f"with --models: of {', '.join(PRECISIONS)}")
    add("--fast", action="store_true", help="with --models: short rounds, nothing compiled")
    add("--device", default="auto", help="cpu or cuda")
    add("--no-reference", action="store_true", help="with --models: without transformers")
    add("--no-compile", action="store_true", help="with --models: transformers eager only")
    add("--limit-minutes", type=float, default=0.0, help="with --models: most time for one contest; 0: by its guess")
    add("--model", default="embedded", help="without --models: this one alone, loaded as the engine does")
    add("--seconds", type=float, default=6.0, help="without --models: so much music")
    add("--rounds", type=int, default=0, help="rounds in which the sides take turns; 0: three")
    add("--threads", type=int, default=0, help="CPU threads; 0: as many as PyTorch takes")
    add("--json", type=Path, default=None, help="file for all figures; table and picture beside it")
    add("--contest", default="", help=argparse.SUPPRESS)
    add("--records", default="", help=argparse.SUPPRESS)
    return parser


def request_of(given: argparse.Namespace) -> BenchRequest:
    """The checked options.  Raises EngineError for an unknown model, precision or device.  [main]"""
    from engine.models.device import pick_device

    device = pick_device(given.device)
    usual = CPU_PRECISIONS if device == "cpu" else GPU_PRECISIONS
    if given.rounds < 0 or given.threads < 0 or not 0.0 <= given.limit_minutes < float("inf"):
        raise EngineError("--rounds, --threads and --limit-minutes must be 0 or more")
    return BenchRequest(
        names_of(given.models), precisions_of(given.precision or usual), device, given.threads,
        given.rounds or ROUNDS, FAST_SECONDS if given.fast else SECONDS,
        not given.no_reference, not (given.no_compile or given.fast), given.limit_minutes,
    )  # fmt: skip


def _alone(given: argparse.Namespace) -> int:
    from engine.bench.alone import measure
    from engine.models.load import load_model

    if given.threads:
        torch.set_num_threads(given.threads)
    figures = measure(load_model(given.model, given.device), given.seconds, given.rounds or ROUNDS)
    for name, value in figures.items():
        print(f"{name:<52} {value:8.2f}")
    if given.json:
        report = {"threads": torch.get_num_threads(), "figures": figures}
        put(given.json, (json.dumps(report, indent=2) + "\n").encode())
    return 0


def _table(request: BenchRequest, path: Path | None) -> int:
    from engine.bench.table import headline, lines_of

    plan = make_plan(request, torch.cuda.is_available())
    print(
        f"about {max(1.0, plan.minutes):.0f} minutes on an idle machine: {', '.join(request.models)}", file=sys.stderr
    )
    report = BenchReport(_machine(request), rows=list(plan.rows))
    run_plan(plan, request, report, path)
    text = "\n".join(lines_of(report))
    print(text)
    print("\n" + "\n".join(headline(report)))
    return 0 if any(row.fills for row in report.rows) else EXIT_FAULT


def run_plan(plan: BenchPlan, request: BenchRequest, report: BenchReport, path: Path | None) -> None:
    """Run the contests one after another into the report, which is saved after each.  [main]"""
    from engine.bench.children import run_child
    from engine.bench.gather import gather

    for number, (spec, guess) in enumerate(zip(plan.specs, plan.guesses, strict=True)):
        what = f"{spec.model} in {', '.join(spec.precisions)} on {spec.device}"
        print(
            f"  {number + 1} of {len(plan.specs)}: {what}, about {guess / 60:.1f} minutes", file=sys.stderr, flush=True
        )
        limit = request.limit_minutes * 60.0 or max(600.0, 6.0 * guess)
        records, reason = run_child(spec, limit)
        gather(report, spec, records, reason)
        if path is not None:
            save(report, path)


def save(report: BenchReport, path: Path) -> None:
    """JSON, and beside it the table as text and the picture.  Raises OSError.  [main]"""
    from engine.bench.picture import save as save_picture
    from engine.bench.table import lines_of

    put(path, (json.dumps(report_json(report), indent=1) + "\n").encode())
    put(path.with_suffix(".txt"), ("\n".join(lines_of(report)) + "\n").encode())
    save_picture(path.with_suffix(".png"), report)


def _machine(request: BenchRequest) -> dict[str, Any]:
    cuda = request.device.startswith("cuda")
    return {
        "device": torch.cuda.get_device_name(torch.device(request.device)) if cuda else _processor(),
        "platform": platform.platform(),
        "torch": torch.__version__,
        "cores": os.cpu_count(),
        "threads": request.threads or torch.get_num_threads(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
