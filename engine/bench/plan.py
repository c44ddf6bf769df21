"""The plan of a run: its contests, the skipped ones with reasons, and the estimated time, shown first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.bench.contest import LEAST_STEPS, ContestSpec
from engine.bench.floor import WEIGHT_BITS, all_weights
from engine.bench.memory import Group, available_bytes, groups_that_fit
from engine.bench.results import FILLS, NOT_MEASURED, SEGUE, SKIPPED, BenchRow
from engine.bench.shapes import EMBEDDED, shape_of
from engine.bench.weights import BITS

READ_CPU, READ_GPU = 8e9, 2e12  # bytes a second, assumed before anything is measured
COMPILE_SECONDS_A_LAYER = 4.0
EMBEDDED_PRECISIONS = ("float32", "int8", "int4")


@dataclass(frozen=True)
class BenchRequest:
    """The options of the command line.  [any]"""

    models: list[str]
    precisions: list[str]
    device: str = "cpu"
    threads: int = 0
    rounds: int = 3
    seconds: float = 1.5
    reference: bool = True
    compiled: bool = True
    limit_minutes: float = 0.0


@dataclass
class BenchPlan:
    """Contests in order, each with its estimated seconds; rows for skipped ones.  [any]"""

    specs: list[ContestSpec] = field(default_factory=list)
    guesses: list[float] = field(default_factory=list)
    rows: list[BenchRow] = field(default_factory=list)

    @property
    def minutes(self) -> float:
        """The estimated time of the run.  [any]"""
        return sum(self.guesses) / 60.0


def make_plan(
    request: BenchRequest, gpu: bool, free_bytes: Callable[[str], float | None] = available_bytes
) -> BenchPlan:
    """The plan for a request; `gpu`: whether there is one.  [any]"""
    plan = BenchPlan()
    for model in request.models:
        shape = shape_of(model)
        precisions = []
        for precision in request.precisions:
            reason = _cannot(model, precision, request.device)
            if reason:
                plan.rows.append(_skipped(model, precision, request.device, reason))
            else:
                precisions.append(precision)
        free = free_bytes(request.device)
        groups, skipped = groups_that_fit(shape, precisions, request.reference, free, request.compiled)
        plan.rows += [_skipped(model, one, request.device, reason) for one, reason in skipped.items()]
        first_quantised = next((n for n, group in enumerate(groups) if set(group.precisions) & set(BITS)), 0)
        for number, group in enumerate(groups):
            plan.specs.append(_spec(request, model, group, beside=number == first_quantised))
            plan.guesses.append(guess_seconds(plan.specs[-1]))
            if request.reference and not group.reference and not set(group.precisions) <= set(BITS):
                reason = "no room in memory beside Segue"
                plan.rows.append(
                    BenchRow(model, "", "transformers", group.precisions[0], request.device, SKIPPED, reason)
                )
        if not request.device.startswith("cuda"):
            reason = "--device cuda was not asked for" if gpu else "no GPU here"
            row = BenchRow(model, "", SEGUE, "float16", "cuda", NOT_MEASURED, reason)
            plan.rows.append(row)
    return plan


def _spec(request: BenchRequest, model: str, group: Group, beside: bool) -> ContestSpec:
    return ContestSpec(
        model, group.precisions, request.device, request.threads, request.rounds, request.seconds, group.reference,
        group.compiled, beside, group.base,
    )  # fmt: skip


def _cannot(model: str, precision: str, device: str) -> str:
    if model == EMBEDDED and precision not in EMBEDDED_PRECISIONS and device == "cpu":
        return "the embedded model runs in float32 or quantised"
    if precision == "float16" and device == "cpu":
        return "float16 is for GPUs"
    if precision in BITS and device != "cpu":
        return "quantised weights are for the CPU"
    return ""


def _skipped(model: str, precision: str, device: str, reason: str) -> BenchRow:
    return BenchRow(model, "", SEGUE, precision, device, SKIPPED, reason)


def guess_seconds(spec: ContestSpec) -> float:
    """An estimate from bytes alone: for an idle machine of two cores, or a large GPU.  [any]"""
    shape = shape_of(spec.model)
    count, rate = all_weights(shape.lm), READ_CPU if spec.device == "cpu" else READ_GPU
    total = 12.0 + count * 4.0 / 0.4e9 + sum(count / 20e6 for one in spec.precisions if one in BITS)
    for precision in spec.precisions:
        own = 1.5 * count * WEIGHT_BITS[precision] / 8.0 / rate
        theirs = 0.0 if precision in BITS or not spec.reference else 2.0 * own
        visits = spec.rounds * len(FILLS)
        total += visits * max(spec.seconds, (LEAST_STEPS + 1) * own)
        if theirs:
            total += (2 if spec.compiled else 1) * visits * max(spec.seconds, (LEAST_STEPS + 1) * theirs)
            total += COMPILE_SECONDS_A_LAYER * shape.lm.n_layers if spec.compiled else 0.0
    if spec.beside:
        prefills = 2 * (spec.rounds + 1) * count * 2 * 2 * shape.keep_frames / (1e11 if spec.device == "cpu" else 1e14)
        total += prefills + spec.rounds * 15 * 4 * 1.5 * count / rate + 10.0
    return total
