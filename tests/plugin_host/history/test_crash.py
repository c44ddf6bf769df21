"""A crash or a fault at any write loses no kept take and leaves no half file under a final name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from plugin_host.plugin.build import SOURCES

MODULE = "plugin_host.bench.trust.file_calls"
ROOT = Path(__file__).parents[3]
COMPILER = shutil.which("cc") or ""
pytestmark = pytest.mark.timeout(900)  # thousands of files, as slow as the disk


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (sys.platform.startswith("linux") and COMPILER):
        pytest.skip("compiles and preloads a library")
    made = tmp_path_factory.mktemp("library") / "failing_calls.so"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", made, SOURCES / "failing_calls.c", "-ldl"], check=True)
    return made


def counted(library: Path, script: list[str], folder: Path, *counts: str) -> dict[str, int]:
    """What a script counted, by name."""
    environment = {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(ROOT)}
    memory = Path("/dev/shm")  # no disk to wait for
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else folder) as base:
        command: list[str | Path] = [sys.executable, *script, library, base, *counts]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return {name: int(text.split()[0]) for name, text in (line.rsplit(": ", 1) for line in done.stdout.splitlines())}


def test_no_fault_of_a_file_call_loses_a_kept_take(library: Path, tmp_path: Path) -> None:
    assert counted(library, ["-m", MODULE], tmp_path, "2", "50")["fails once"] > 50, "the library counted no calls"


def test_no_fault_of_a_file_call_of_stems_loses_one_that_is_kept(library: Path, tmp_path: Path) -> None:
    found = counted(library, [str(Path(__file__).with_name("crash_stems.py"))], tmp_path)
    assert found["calls"] > 100, "the library counted no calls"
    assert found["gone on with"] >= 4
