"""A process for each contest: it frees its memory at the end, and a crash or a time limit affects that contest only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.bench.contest import ContestSpec

Records = list[dict[str, Any]]


def run_child(spec: ContestSpec, limit_seconds: float) -> tuple[Records, str]:
    """A contest's output, and the reason of an abnormal end, or empty.  [main]"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.jsonl"
        path.touch()
        command = [sys.executable, "-m", "engine.bench", "--contest", json.dumps(asdict(spec)), "--records", str(path)]
        reason = ""
        try:
            done = subprocess.run(  # noqa: S603 - our own module
                command, env=_environment(spec.threads), timeout=limit_seconds, stdout=subprocess.DEVNULL, check=False
            )
            if done.returncode:
                reason = f"its process ended with code {done.returncode}"
        except subprocess.TimeoutExpired:
            reason = f"time limit of {limit_seconds / 60:.0f} minutes"
        except OSError as fault:
            reason = f"no process could be started: {fault}"
        records = _read(path)
    faults = [one["reason"] for one in records if one["kind"] == "fault"]
    return records, faults[-1] if faults else reason


def _environment(threads: int) -> dict[str, str]:
    """The same threads for all libraries, and no downloads."""
    own = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    return {**own, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)} if threads else own


def _read(path: Path) -> Records:
    records: Records = []
    for line in path.read_text("utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            continue  # an incomplete line of a killed process
    return records
