"""A crash or a fault at any write loses no kept take and leaves no half file under a final name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
COMPILER = shutil.which("cc") or ""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (sys.platform.startswith("linux") and COMPILER):
        pytest.skip("compiles and preloads a library")
    made = tmp_path_factory.mktemp("library") / "failing_calls.so"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", made, HERE / "failing_calls.c", "-ldl"], check=True)
    return made


def counted(library: Path, script: str, folder: Path) -> dict[str, int]:
    """What a script counted, by name."""
    environment = {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(HERE.parents[2])}
    memory = Path("/dev/shm")  # no disk to wait for
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else folder) as base:
        command: list[str | Path] = [sys.executable, HERE / script, library, base]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return {name: int(text.split()[0]) for name, text in (line.rsplit(": ", 1) for line in done.stdout.splitlines())}


def test_no_fault_of_a_file_call_loses_a_kept_take(library: Path, tmp_path: Path) -> None:
    assert counted(library, "crash_script.py", tmp_path)["fails once"] > 50, "the library counted no calls"


def test_no_fault_of_a_file_call_of_stems_loses_one_that_is_kept(library: Path, tmp_path: Path) -> None:
    found = counted(library, "crash_stems.py", tmp_path)
    assert found["calls"] > 100, "the library counted no calls"
    assert found["gone on with"] >= 4
