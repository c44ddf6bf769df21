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


@pytest.mark.skipif(not (sys.platform.startswith("linux") and COMPILER), reason="compiles and preloads a library")
def test_no_fault_of_a_file_call_loses_a_kept_take(tmp_path: Path) -> None:
    library = tmp_path / "failing_calls.so"
    subprocess.run(
        [COMPILER, "-shared", "-fPIC", "-O1", "-o", library, SOURCES / "failing_calls.c", "-ldl"], check=True
    )
    environment = {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(ROOT)}
    memory = Path("/dev/shm")  # no disk to wait for
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "plugin_host.bench.trust.file_calls",
            library,
            folder,
            "2",
            "50",
        ]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    counted = dict(line.rsplit(": ", 1) for line in done.stdout.splitlines())
    assert int(counted["fails once"].split()[0]) > 50, "the library counted no calls"
