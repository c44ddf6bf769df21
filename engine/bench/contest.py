"""One model's contest, in its own process: all sides alternate, round by round, so that each has the same noise.

    round:  bandwidth | start: Segue float32, transformers float32, Segue int8, ... | half: ... | nearly full: ...

A line of JSON is written after each round, with all results so far, so that a time limit loses no finished round.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import torch

from engine.bench import bandwidth, check
from engine.bench.beside import measure_beside
from engine.bench.device_side import DeviceSide
from engine.bench.floor import all_weights, step_bytes
from engine.bench.reference import ReferenceSide
from engine.bench.results import FAILED, FILLS, NOT_MEASURED, SEGUE, BenchRow, Extras, Fill, fill_of, row_json, spread
from engine.bench.segue_side import ROWS, SPARE_FRAMES, VISIT_STEPS, SegueSide, conditions_of
from engine.bench.shapes import EMBEDDED, Shape, shape_of
from engine.bench.weights import BITS, held_bytes, in_precision, random_model
from engine.checkpoints.find import find_here
from engine.errors import EngineError, NotInstalled, UnsupportedError
from engine.lm import LanguageModel
from engine.lm.executors.base import Executor
from engine.lm.executors.fidelity import STEPS, compare, teacher_run
from engine.models.load import load_model
from engine.stream.tokens import CONTEXT_AT_LEAST

LEAST_STEPS = 3
EXIT_ALONE = 3
MANY_WEIGHTS, FEW_STEPS = 10**9, 8
Say = Callable[[str], None]
Emit = Callable[[dict[str, Any]], None]


class Side(Protocol):
    """A participant of a contest."""

    name: str

    @property
    def precision(self) -> str:
        """Of the weights.  [main]"""
        ...

    def visit(self, fill_frames: int, n_steps: int = VISIT_STEPS) -> list[float]:
        """Measure steps from a fill on; returns the seconds of each.  [main]"""
        ...


@dataclass(frozen=True)
class ContestSpec:
    """What one process measures; `seconds` is for one side, fill and round.  [any]"""

    model: str
    precisions: list[str]
    device: str = "cpu"
    threads: int = 0
    rounds: int = 3
    seconds: float = 1.5
    reference: bool = True
    compiled: bool = True
    beside: bool = True
    base: str = "float32"


@dataclass
class Entry:
    """A side and its steps so far: rounds of seconds for each fill."""

    side: Side
    row: BenchRow
    took: dict[str, list[list[float]]] = field(default_factory=lambda: {name: [] for name in FILLS})


def fill_frames(shape: Shape) -> dict[str, int]:
    """Frames in the cache at each fill: a second, half a window, all but a visit's steps.  [any]"""
    nearly = shape.window_frames - SPARE_FRAMES
    return dict(zip(FILLS, (CONTEXT_AT_LEAST, min(nearly, shape.window_frames // 2), nearly), strict=True))


class Contest:
    """Builds the sides, measures them in turn, reports.  All methods [generate]."""

    def __init__(self, spec: ContestSpec, emit: Emit, say: Say) -> None:
        self.spec, self.emit, self.say = spec, emit, say
        self.shape = shape_of(spec.model)
        self.frames = fill_frames(self.shape)
        self.entries: list[Entry] = []
        self.executors: dict[str, Executor] = {}
        self.read_bandwidth: list[float] = []
        self.codec: Any = None
        self.weights = "random"

    def run(self) -> None:
        """Run the contest; a side that is not available is reported as a row."""
        self.say("making weights")
        self._make_models()
        self._enter()
        self.say("how far each precision is from float32")
        self._compare()
        for number in range(self.spec.rounds):
            self.say(f"round {number + 1} of {self.spec.rounds}")
            self._round()
            self._report_rows()
        if self.spec.beside:
            precision = self._first_int()
            self.say(f"first sound, change, codec, lanes in {precision}")
            self._beside(precision, self.executors[precision])

    def _first_int(self) -> str:
        """The precision for lanes and first sound: the engine's default, if it is measured."""
        return next((one for one in self.executors if one in BITS), next(iter(self.executors)))

    def _make_models(self) -> None:
        base = self._base(getattr(torch, self.spec.base))
        for precision in self.spec.precisions:
            try:
                self.executors[precision] = in_precision(base, precision)
            except (EngineError, RuntimeError) as fault:
                self._lost(SEGUE, precision, fault, str(fault))
        if not self.executors:
            raise UnsupportedError(f"{self.spec.model} runs in none of {', '.join(self.spec.precisions)} here")

    def _base(self, dtype: torch.dtype) -> LanguageModel:
        """The model's weights on this machine, else random ones of its sizes."""
        if self.spec.model == EMBEDDED or find_here(self.spec.model) is not None:
            try:
                own = None if self.spec.model == EMBEDDED else dtype  # otherwise its codec is not in 8 bits
                loaded = load_model(self.spec.model, self.spec.device, dtype=own)
                if loaded.lm.config == self.shape.lm:
                    self.codec, self.weights = loaded.codec, "real"
                    return loaded.lm
            except EngineError as fault:
                self.say(f"what is here of {self.spec.model} cannot be loaded, weights are random: {fault}")
        return random_model(self.shape.lm, dtype).to(self.spec.device)

    def _enter(self) -> None:
        for precision, executor in self.executors.items():
            kind = SegueSide if self.spec.device == "cpu" else DeviceSide
            side: Any = kind(self.shape, executor)
            row = self._row(SEGUE, precision)
            row.held_mb = (held_bytes(executor) + side.held_cache_bytes) / 1e6
            self.entries.append(Entry(side, row))
            if not self.spec.reference or precision in BITS:
                continue
            for compiled in (False, True) if self.spec.compiled else (False,):
                self._enter_reference(executor, precision, compiled)

    def _enter_reference(self, executor: Executor, precision: str, compiled: bool) -> None:
        name = "transformers, compiled" if compiled else "transformers"
        row = self._row(name, precision)
        try:
            side = ReferenceSide(self.shape, executor.lm, getattr(torch, precision), compiled)
            if compiled:
                self.say(f"{name} in {precision}: compiling")
                side.visit(self.frames["start"], LEAST_STEPS)
            else:
                row.logits_off = check.difference(self.shape, executor, side)
                if not row.logits_off <= check.ALLOWED[precision]:
                    allowed = check.ALLOWED[precision]
                    raise UnsupportedError(f"logits differ by {row.logits_off:.1e} of their spread, allowed {allowed}")
            self.entries.append(Entry(side, row))
        except Exception as fault:  # transformers may raise anything: the rest is still measured
            self._lost(name, precision, fault, f"{type(fault).__name__}: {str(fault).splitlines()[0][:160]}")

    def _compare(self) -> None:
        """Compare the logits of each precision with float32's, if that is measured; fewer steps for a large model."""
        if "float32" not in self.executors or len(self.executors) == 1:
            return
        steps = STEPS if all_weights(self.shape.lm) < MANY_WEIGHTS else FEW_STEPS
        conditions = conditions_of(self.shape, self.spec.device)
        exact = teacher_run(self.executors["float32"], conditions, steps)
        for entry in self.entries:
            if entry.row.side == SEGUE and entry.row.precision != "float32":
                near = teacher_run(self.executors[entry.row.precision], conditions, steps, tokens=exact.tokens)
                found = compare(exact, near)
                entry.row.error_std, entry.row.drawn_otherwise = found.error_std, found.total_variation

    def _row(self, side: str, precision: str) -> BenchRow:
        return BenchRow(self.spec.model, self.weights, side, precision, self.spec.device, rows=ROWS)

    def _lost(self, side: str, precision: str, fault: Exception, reason: str) -> None:
        row = self._row(side, precision)
        row.status, row.reason = (NOT_MEASURED if isinstance(fault, NotInstalled) else FAILED), reason
        self.emit({"kind": "row", **row_json(row)})

    def _round(self) -> None:
        found = bandwidth.measure(self.spec.device)
        self.read_bandwidth.append(found.best)
        self.emit({"kind": "bandwidth", "model": self.spec.model, "read": found.read, "copy": found.copy})
        for name, frames in self.frames.items():
            for entry in self.entries:
                entry.took[name].append(self._visits(entry.side, frames))

    def _visits(self, side: Side, frames: int) -> list[float]:
        """Steps for about `seconds`, at least three."""
        took = side.visit(frames, LEAST_STEPS)
        while sum(took) < self.spec.seconds:
            left = self.spec.seconds - sum(took)
            wanted = int(left / statistics.median(took)) + 1
            took += side.visit(frames, max(LEAST_STEPS, min(VISIT_STEPS, wanted)))
        return took

    def _report_rows(self) -> None:
        best = max(self.read_bandwidth)
        for entry in self.entries:
            row = entry.row
            row.fills = {name: self._fill(entry, name, best) for name in FILLS}
            row.times_as_fast = None if row.side != SEGUE else self._against(entry)
            self.emit({"kind": "row", **row_json(row)})

    def _fill(self, entry: Entry, name: str, best: float) -> Fill:
        positions = self.shape.prefix + self.frames[name] + 1
        precision = entry.side.precision
        item = getattr(entry.side, "cache_item_bytes", 4 if precision == "float32" else 2)
        read = step_bytes(self.shape.lm, precision, ROWS, positions, self.shape.memory, item)
        return fill_of(self.frames[name], positions, entry.took[name], read.total, best)

    def _against(self, entry: Entry) -> Any:
        """Times as fast as transformers at half fill: its best at this precision, for 8 and 4 bits its best of all."""
        theirs = [
            one
            for one in self.entries
            if one.row.side != SEGUE and (entry.row.precision in BITS or one.row.precision == entry.row.precision)
        ]
        if not theirs:
            return None
        rounds = range(len(entry.took["half"]))
        best = [min(statistics.median(one.took["half"][n]) for one in theirs) for n in rounds]
        return spread([best[n] / statistics.median(entry.took["half"][n]) for n in rounds])

    def _beside(self, precision: str, executor: Executor) -> None:
        entry = next(one for one in self.entries if one.row.side == SEGUE and one.row.precision == precision)
        step_ms = entry.row.fills["half"].step_ms.median
        extras = Extras(self.spec.model, precision, self.spec.device, notes=list(getattr(entry.side, "notes", [])))
        for _ in measure_beside(extras, self.shape, executor, self.codec, step_ms, self.spec):
            self.emit({"kind": "extras", **asdict(extras)})


def _end_with_parent() -> None:
    """End of the parent process has ended, killed or not: nobody reads the results any more."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(EXIT_ALONE)

    threading.Thread(target=watch, name="watch", daemon=True).start()


def main(text: str, path: str) -> int:
    """Run a spec given in JSON; appends lines of JSON to the file, prints progress on standard error.  [main]"""
    spec = ContestSpec(**json.loads(text))
    _end_with_parent()
    if spec.threads:
        torch.set_num_threads(spec.threads)
    with open(path, "a", encoding="utf-8") as file:

        def emit(record: dict[str, Any]) -> None:
            file.write(json.dumps(record) + "\n")
            file.flush()

        emit({"kind": "threads", "threads": torch.get_num_threads()})
        try:
            Contest(spec, emit, lambda line: print(f"    {line}", file=sys.stderr, flush=True)).run()
        except (EngineError, MemoryError, RuntimeError, ValueError) as fault:
            emit({"kind": "fault", "reason": f"{type(fault).__name__}: {str(fault).splitlines()[0][:200]}"})
            return 1
    return 0
