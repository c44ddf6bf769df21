"""Missing or broken libraries: which one, and what to install. Real packages in a temporary folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.system import dependencies
from bridge.system.dependencies import advice, broken_library, imports_of, requirements

ROOT = Path(__file__).parents[3]
ABI = "/x/_torchaudio.so: undefined symbol: torch_exception_get_what_without_backtrace"


def package(folder: Path, name: str, body: str, distribution: str = "", version: str = "9.9") -> None:
    """An installed package whose import runs `body`."""
    home = folder / "site-packages"
    (home / name).mkdir(parents=True)
    (home / name / "__init__.py").write_text(body)
    info = home / f"{distribution or name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution or name}\nVersion: {version}\n")
    (info / "RECORD").write_text(f"{name}/__init__.py,,\n{info.name}/METADATA,,\n{info.name}/RECORD,,\n")


def fault_of(folder: Path, code: str) -> object:
    """The message of `broken_library` for an error of `code`, in a process that finds those packages first."""
    script = (
        "import json\nfrom bridge.system.dependencies import broken_library\n"
        f"try:\n    {code}\nexcept BaseException as error:\n    print(json.dumps(broken_library(error)))\n"
    )
    paths = os.pathsep.join((str(ROOT), str(folder / "site-packages")))
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout)


def test_a_library_for_another_torch_is_named_with_both_to_install(tmp_path: Path) -> None:
    package(tmp_path, "torchaudio", f"raise OSError({ABI!r})", version="2.11.1")
    text = fault_of(tmp_path, "import torchaudio")
    assert isinstance(text, str)
    assert text.startswith("torchaudio 2.11.1 does not load (OSError: /x/_torchaudio.so: undefined symbol")
    assert "pip install --force-reinstall torch==2.11.0 torchaudio==2.11.0" in text
    assert "\n" not in text


@pytest.mark.parametrize("body", ["import struct\nstruct.nothing", "raise RuntimeError('a\\nb')", "1 / 0"])
def test_whatever_a_library_raises_while_it_is_imported(tmp_path: Path, body: str) -> None:
    package(tmp_path, "weak_library", body)
    text = fault_of(tmp_path, "import weak_library")
    assert isinstance(text, str)
    assert text.startswith("weak_library 9.9 does not load (")
    assert "pip install --force-reinstall weak_library" in text


def test_the_library_that_we_asked_for_is_named_not_one_that_it_needs(tmp_path: Path) -> None:
    package(tmp_path, "outer_library", "import inner_library")
    package(tmp_path, "inner_library", "raise OSError('no libinner.so.1')")
    text = fault_of(tmp_path, "import outer_library")
    assert isinstance(text, str)
    assert text.startswith("outer_library 9.9 does not load (OSError: no libinner.so.1)")


def test_a_library_of_ours_that_another_needs_is_the_one_that_is_broken(tmp_path: Path) -> None:
    package(tmp_path, "torchaudio", "import torch")
    package(tmp_path, "torch", "raise OSError('libcudart.so.13: cannot open shared object file')", version="2.11.0")
    assert str(fault_of(tmp_path, "import torchaudio")).startswith(
        "torch 2.11.0 does not load (OSError: libcudart.so.13"
    )


def test_a_library_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "site-packages").mkdir()
    text = fault_of(tmp_path, "import not_there_at_all")
    assert isinstance(text, str)
    assert text.startswith("not_there_at_all is not installed: pip install not_there_at_all")


@pytest.mark.parametrize("code", ["open('/nowhere')", "1 / 0", "import bridge.nothing", "json.loads('{')"])
def test_other_errors_are_not_ours_to_explain(tmp_path: Path, code: str) -> None:
    (tmp_path / "site-packages").mkdir()
    assert fault_of(tmp_path, code) is None


def test_an_error_in_a_library_that_was_loaded_is_not_an_import(tmp_path: Path) -> None:
    package(tmp_path, "working_library", "def fail():\n    raise OSError('disk')\n")
    assert fault_of(tmp_path, "import working_library; working_library.fail()") is None


def test_advice_is_what_this_version_asks_for() -> None:
    if not requirements():
        pytest.skip("Segue is not installed here: its requirements are not known")
    assert "torch==2.11.0 torchaudio==2.11.0" in advice("torch")
    assert "PyYAML>=6.0" in advice("yaml")
    assert "segue[jack]" in advice("jack")
    assert imports_of("PyYAML") == ["yaml"]
    assert imports_of("torch")[0] == "torch"


def test_a_broken_library_without_a_traceback_is_still_an_import() -> None:
    error = ImportError("libGL.so.1: cannot open shared object file", name="cv2.cv2")
    assert str(broken_library(error)).startswith("cv2 is not installed")
    assert dependencies.PAIRS == (("torch", "torchaudio"),)
