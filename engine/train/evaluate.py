"""Measures what the embedded model can do, on held-out pieces, against controls: a table, JSON and pictures.

    python -m engine.train.evaluate [--quick] [--processes 2] [--out evaluation/evaluation.json]
    python -m engine.train.evaluate --only codec seam --no-long

Held-out pieces are composed from seeds outside the training set and rendered like it, so the two soundfonts of
`engine.train.render` must be installed; for third-party detectors see docs/evaluation.md. The model's outputs are
stored (`--keep`), so a stopped run continues, and a second evaluation of the same model takes minutes.

All of it [main].
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch

from engine.models.load import load_model
from engine.train.evaluation.asks import GROUPS, EvaluationPlan
from engine.train.evaluation.kept import make_all
from engine.train.evaluation.parts import PART_GROUPS
from engine.train.evaluation.plots import draw
from engine.train.evaluation.rows_codec import codec_rows
from engine.train.evaluation.rows_following import beat_rows, melody_rows
from engine.train.evaluation.rows_form import form_rows
from engine.train.evaluation.rows_nearness import nearness_rows
from engine.train.evaluation.rows_onward import onward_rows
from engine.train.evaluation.rows_parts import part_rows
from engine.train.evaluation.rows_recorded import recorded_rows
from engine.train.evaluation.rows_steady import steady_rows
from engine.train.evaluation.rows_words import style_rows, text_rows
from engine.train.evaluation.study import Study
from engine.train.evaluation.table import write

ROWS: dict[str, tuple[Callable[[Study], None], tuple[str, ...]]] = {
    "codec": (codec_rows, ()),
    "recorded": (recorded_rows, ()),
    "melody": (melody_rows, ("melody",)),
    "beat": (beat_rows, ("melody", "tempo", "genre")),
    "text": (text_rows, ("genre", "instrument")),
    "style": (style_rows, ("style", "onward")),
    "onward": (onward_rows, ("onward",)),
    "nearness": (nearness_rows, ("melody", "genre")),
    "parts": (part_rows, PART_GROUPS),
    "long": (steady_rows, ("long",)),
    "form": (form_rows, ("long",)),
}
QUICK = EvaluationPlan(pieces=12, seconds=8.0, long_pieces=1, long_seconds=60.0)
REAL, QUICK_REAL = 320, 120


def plan_of(args: argparse.Namespace, cfg: float, temperature: float) -> EvaluationPlan:
    """Sizes asked for; ValueError where they cannot be measured with."""
    plan = QUICK if args.quick else EvaluationPlan()
    given = {"pieces": args.pieces, "seconds": args.seconds, "long_pieces": args.long_pieces}
    given |= {"long_seconds": args.long_seconds, "cfg": args.cfg or cfg, "top_k": args.top_k}
    given["temperature"] = temperature if args.temperature is None else args.temperature
    plan = replace(plan, **{name: value for name, value in given.items() if value is not None})
    if plan.pieces < 4 or plan.seconds < 4.0 or plan.long_pieces < 1 or plan.long_seconds < 20.0:
        raise ValueError(f"at least 4 pieces of 4 s and one long one of 20 s are needed, got {plan}")
    return plan


def run(args: argparse.Namespace) -> Study:
    """Make what is missing, measure, write."""
    torch.set_num_threads(1)
    model = load_model(args.model)
    plan = plan_of(args, model.cfg_coef, model.temperature)
    names = [name for name in args.only or ROWS if not (args.no_long and "long" in ROWS[name][1])]
    study = Study(model, plan, args.keep, args.real or (QUICK_REAL if args.quick else REAL))
    groups = tuple(g for g in (*GROUPS, *PART_GROUPS, "long") if any(g in ROWS[name][1] for name in names))
    make_all(args.model, study.kept, args.keep, groups, args.processes)
    for name in names:
        ROWS[name][0](study)
    settings = {**asdict(plan), "model": args.model, "kept": study.kept.folder.name, "real": study.real_count}
    write(study.report, settings, args.out)
    draw(study.report, args.out.parent)
    return study


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--quick", action="store_true", help="12 pieces of 8 s, one minute: minutes, wide intervals")
    parser.add_argument("--pieces", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=None)
    parser.add_argument("--long-pieces", type=int, default=None)
    parser.add_argument("--long-seconds", type=float, default=None)
    parser.add_argument("--no-long", action="store_true", help="leave out the ten-minute streams")
    parser.add_argument("--only", nargs="+", choices=ROWS, default=None)
    parser.add_argument("--real", type=int, default=None, help="real pieces that the judges learn from")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--cfg", type=float, default=None)
    parser.add_argument("--temperature", type=float, default=None)
    parser.add_argument("--top-k", type=int, default=None)
    parser.add_argument("--keep", type=Path, default=Path("evaluation/kept"))
    parser.add_argument("--out", type=Path, default=Path("evaluation/evaluation.json"))
    args = parser.parse_args()
    began = time.time()
    study = run(args)
    print(f"took {time.time() - began:.0f} s; {args.out} and {args.out.with_suffix('.md')}")
    judged = [row.reached for row in study.report.rows if row.reached is not None]
    print(f"{sum(judged)} of {len(judged)} goals reached. Speed is measured by `segue bench`.")


if __name__ == "__main__":
    main()
