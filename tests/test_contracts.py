"""Rules of the code itself, read from the source: who may import whom, how long things may be, what stands once."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bridge", "engine", "plugin_host", "presets")
FILES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
NATIVE = sorted(path for kind in ("*.cpp", "*.h") for path in (ROOT / "engine").rglob(kind))
MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_LINE = 300, 50, 120
TORCH_FREE = ("bridge", "plugin_host", "presets")
MAY_KNOW_BRIDGE = ("engine/serve/", "engine/__main__.py")
FOR_ALL = ("bridge.system", "bridge.region.sound_file")
PARSER_OF_PYTHON_OSC = ("pythonosc.osc_message", "pythonosc.osc_packet", "pythonosc.osc_bundle", "pythonosc.dispatcher")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_only_go_down(path: Path) -> None:
    package, used = name_of(path).split("/")[0], roots(path)
    if package == "bridge":
        assert not used & {"engine", "plugin_host"}
    if package == "plugin_host":
        assert "engine" not in used
    if package == "engine":
        assert "plugin_host" not in used
        contract = [name for name in imports(path) if name.startswith("bridge.") and not name.startswith(FOR_ALL)]
        assert not contract or name_of(path).startswith(MAY_KNOW_BRIDGE), "only engine/serve knows the contract"
    if package in TORCH_FREE:
        assert not used & {"torch", "torchaudio", "transformers"}
    assert not [name for name in imports(path) if name.startswith(PARSER_OF_PYTHON_OSC)], "network bytes"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE_LINES
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.end_lineno and node.end_lineno - node.lineno >= MAX_FUNCTION_LINES
    }
    assert not long


@pytest.mark.parametrize("path", NATIVE, ids=name_of)
def test_native_files_stay_small_and_say_what_they_are(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= MAX_FILE_LINES
    assert max(map(len, lines)) <= MAX_LINE
    assert lines[0].startswith("// "), "a file begins with what it is"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_modules_say_what_they_are(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), "a module begins with its docstring"


def test_addresses_stand_in_the_table_alone() -> None:
    elsewhere = [
        f"{name_of(path)}:{node.lineno}"
        for path in FILES
        if name_of(path) != "bridge/control/messages.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("/segue/")
    ]
    assert not elsewhere


def test_the_host_prints_through_its_screen() -> None:
    """Names and texts of strangers reach a terminal by `bridge.system.plain_text` alone."""
    for path in FILES:
        if not name_of(path).startswith("plugin_host/") or name_of(path) == "plugin_host/doctor/probes.py":
            continue
        calls = [ast.unparse(n.func) for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        assert not {"print", "typer.echo", "sys.stdout.write"} & set(calls), name_of(path)


def test_nothing_unpickles() -> None:
    """Outside the training scripts' own files, no pickle and no torch.load."""
    for path in FILES:
        if name_of(path).startswith("engine/train/"):
            continue
        assert "pickle" not in roots(path), name_of(path)
        calls = [ast.unparse(n.func) for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        assert "torch.load" not in calls, name_of(path)


def test_project_stands_alone() -> None:
    """No file names a place that only one machine has."""
    forbidden = ("/" + "work/", "../" + "shared")
    for path in [*FILES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]:
        assert not [word for word in forbidden if word in path.read_text()], name_of(path)
