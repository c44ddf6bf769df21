"""Rules of the code, checked in the source: imports, lengths, names, marks, and what may exist only once."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bridge", "engine", "plugin_host", "presets")
FILES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
NATIVE = sorted(path for kind in ("*.cpp", "*.h") for path in (ROOT / "engine").rglob(kind))
MAX_FUNCTION_LINES, MAX_LINE, MAX_NATIVE_LINES = 50, 120, 300
MAX_METHODS, MAX_ATTRIBUTES = 25, 19  # of one class
WIDER = {  # methods and attributes of classes that have more, and why
    "EngineClient": (31, MAX_ATTRIBUTES),  # one method for each message of the protocol
    "CommandScheduler": (32, MAX_ATTRIBUTES),  # commands come, wait, are made, are heard: one list, four moments
    "LaneController": (26, MAX_ATTRIBUTES),  # all requests to a lane
    "ClockTicks": (26, MAX_ATTRIBUTES),  # MIDI clock: start, stop, song position, ticks, and the tempo they give
    "Processor": (MAX_METHODS, 23),  # twin of the C++ one
}
OWNERS = ("engine/serve/", "engine/stream/")  # packages whose objects' attributes are set by their own methods alone
THREADS = ("audio", "main", "control", "generate", "load", "regions", "analysis", "pulse", "feed", "any")
MARK = re.compile(rf"\[({'|'.join(THREADS)})\b[^\]]*\]")
# Folders of a package (and files beside them): each imports those before it.
ORDER = {
    "bridge": ("errors", "system", "time", "control", "ring", "region", "far"),
    "engine": (
        "errors", "system", "audio", "beat", "listen", "ort", "codec", "core", "lm", "model", "conditions", "stream",
        "checkpoints", "models",
        "serve.weak_method", "serve.screen", "serve.options", "serve.lane_settings", "serve.faults", "serve.timeline",
        "serve.far", "serve.journal", "serve.render", "serve.lane", "serve.replay", "serve.state", "serve.models",
        "serve.control",
        "__main__", "api", "bench", "train",
    ),
    "plugin_host": (
        "console", "playback", "client", "relay", "farm", "oscquery", "patches", "host", "plugin", "sync", "run",
        "midi", "jam",
        "doctor", "demo", "history", "render", "takes", "bench", "panel",
        "cli",
    ),
}  # fmt: skip
BESIDE = {  # what packages import beside the standard library and their own kind; docs/index.md says it
    "bridge": {"cryptography", "numpy", "packaging", "soundfile"}, "presets": set[str](),
}  # fmt: skip
TENSORS = (  # files of [control] that import torch, for another thread
    "engine/serve/control/region_analysis.py", "engine/serve/control/region_handlers.py",  # [regions]
    "engine/serve/control/server.py",  # [generate]
)  # fmt: skip
TORCH_FREE = ("bridge", "plugin_host", "presets")
MAY_KNOW_BRIDGE = ("engine/serve/", "engine/__main__.py")
FOR_ALL = ("bridge.system", "bridge.region.sound_file")
PARSER_OF_PYTHON_OSC = ("pythonosc.osc_message", "pythonosc.osc_packet", "pythonosc.osc_bundle", "pythonosc.dispatcher")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree_of(path)))


@pytest.fixture(scope="module", autouse=True)
def _source_is_let_go() -> Iterator[None]:
    yield
    tree_of.cache_clear()
    nodes_of.cache_clear()


def imports(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
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
    if package in BESIDE:
        assert used <= {*sys.stdlib_module_names, package} | BESIDE[package]
    if name_of(path).startswith("engine/serve/control/") and name_of(path) not in TENSORS:
        assert "torch" not in used, "[control] never touches a tensor"
    assert not [name for name in imports(path) if name.startswith(PARSER_OF_PYTHON_OSC)], "network bytes"


def unit(module: str) -> str:
    """The unit that ORDER lists: a folder of a package, or a file outside such folders."""
    parts = module.split(".")
    return ".".join(parts[: 3 if parts[:2] == ["engine", "serve"] else 2])


def module_of(path: Path) -> str:
    return name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


MODULES = {module_of(path): path for path in FILES}


def used_modules(path: Path, also_for_types: bool = True) -> set[str]:
    """The project's modules that a file imports; optionally without those for type checkers only."""
    tree = tree_of(path)
    typed = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    left_out = set() if also_for_types else {id(inside) for node in typed for inside in ast.walk(node)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in MODULES}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inside & MODULES.keys()) or ({node.module} & MODULES.keys())
    return found - {module_of(path)}


@pytest.mark.parametrize("path", [path for path in FILES if module_of(path).count(".")], ids=name_of)
def test_folders_import_those_before_them(path: Path) -> None:
    package, own = module_of(path).split(".")[0], unit(module_of(path))
    order = [f"{package}.{name}" for name in ORDER.get(package, ())]
    if own == "engine.serve" or not order:
        return
    assert own in order, f"{own} has no place in ORDER"
    used = {unit(module) for module in used_modules(path)} - {own, package, f"{package}.serve"}
    later = [name for name in used if name.startswith(f"{package}.") and order.index(name) > order.index(own)]
    assert not later


def listed(head: str) -> list[str]:
    """The first column of the table below a bold line of docs/index.md, without folders inside folders."""
    table = (ROOT / "docs" / "index.md").read_text().split(f"**`{head}/`**", 1)[1].split("\n\n")[1]
    names = [name for row in table.splitlines() for name in re.findall(r"`([\w./]+)`", row.split("|")[1])]
    return [name.rstrip("/").removesuffix(".py") for name in names if "/" not in name.rstrip("/")]


def test_the_map_has_the_folders_in_their_order() -> None:
    assert listed("bridge") == list(ORDER["bridge"])
    assert listed("plugin_host") == [*ORDER["plugin_host"], "scripts"]
    engine = [name for name in ORDER["engine"] if "." not in name and not name.startswith("__")]
    assert [name for name in listed("engine") if name != "serve"] == engine
    serve = [name.removeprefix("serve.") for name in ORDER["engine"] if name.startswith("serve.")]
    assert listed("engine/serve") == [name for name in serve if (ROOT / "engine" / "serve" / name).is_dir()]


def test_tests_stand_beside_what_they_test() -> None:
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    strangers = [str(folder) for folder in folders if not (ROOT / folder).is_dir()]
    assert strangers == ["integration"]


def test_threads_are_those_of_the_page() -> None:
    rows = re.findall(r"^\| `\[(\w+)\]` \|", (ROOT / "docs" / "realtime.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(THREADS)


def test_modules_import_each_other_in_no_circle() -> None:
    """Imports inside functions count; those for type checkers do not."""
    waiting = {module: used_modules(path, also_for_types=False) for module, path in MODULES.items()}
    while ready := [module for module, used in waiting.items() if not used & waiting.keys()]:
        for module in ready:
            del waiting[module]
    assert not waiting


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_functions_stay_small(path: Path) -> None:
    tree = tree_of(path)
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.end_lineno and node.end_lineno - node.lineno >= MAX_FUNCTION_LINES
    }
    assert not long


def test_a_class_does_one_thing() -> None:
    """Who needs more no longer goes off the list, and its numbers go down with it."""
    wide = {}
    for node in (each for path in FILES for each in nodes_of(path)):
        if isinstance(node, ast.ClassDef):
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
            inner = [each for method in methods for each in ast.walk(method)]
            stored = {each.attr for each in inner if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store)
                      and ast.unparse(each.value) == "self"}  # fmt: skip
            if len(methods) > MAX_METHODS or len(stored) > MAX_ATTRIBUTES:
                wide[node.name] = (max(len(methods), MAX_METHODS), max(len(stored), MAX_ATTRIBUTES))
    assert wide == WIDER


def assigned_from_outside(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Owner and attribute of assignments to attributes of other objects than `self`, `cls` or a copy made in that
    function."""
    scopes = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for scope in [tree, *scopes]:
        copies = {
            target.id for node in ast.walk(scope) if scope is not tree and isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) in ("copy.copy", "replace")
            for target in node.targets if isinstance(target, ast.Name)
        }  # fmt: skip
        for node in within(scope):
            if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
                owner = ast.unparse(node.value)
                if owner not in {"self", "cls"} | copies:
                    yield owner, node.attr


def within(scope: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a scope, without inner functions."""
    for node in ast.iter_child_nodes(scope):
        if not isinstance(node, ast.FunctionDef):
            yield node
            yield from within(node)


def test_objects_are_changed_by_their_own_methods() -> None:
    """An object can only guarantee state that it alone sets."""
    assert not [
        f"{name_of(path)}: {owner}.{attribute}"
        for path in FILES
        if name_of(path).startswith(OWNERS)
        for owner, attribute in assigned_from_outside(tree_of(path))
    ]


@pytest.mark.parametrize("line", ["it.kept = 1", "it.kept += 1", "del it.kept", "self.it.kept, b = 1, 2"])
def test_an_assignment_from_outside_is_found(line: str) -> None:
    body = f"def f(self, it):\n    self.own = copy.copy(it)\n    it2 = copy.copy(it)\n    it2.kept = 3\n    {line}"
    assert [attribute for _, attribute in assigned_from_outside(ast.parse(body))] == ["kept"]


def marks_missing(body: list[ast.stmt], marked: bool) -> Iterator[str]:
    """Public functions and methods without a thread mark in their docstring, their class's or their module's."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from marks_missing(node.body, marked or bool(MARK.search(ast.get_docstring(node) or "")))
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not marked:
            setter = any(ast.unparse(each).endswith(".setter") for each in node.decorator_list)
            if not setter and not MARK.search(ast.get_docstring(node) or ""):
                yield node.name


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_public_functions_say_their_thread(path: Path) -> None:
    tree = tree_of(path)
    assert not list(marks_missing(tree.body, bool(MARK.search(ast.get_docstring(tree) or ""))))


ARRAYS = {
    *(f"np.{name}" for name in ("zeros", "ones", "empty", "full", "array", "stack", "concatenate", "zeros_like")),
    "copy", "tolist",
}  # fmt: skip
WAITS = {"sleep", "wait", "open", "print", "put", "info", "warning", "exception"}
BETWEEN_BLOCKS = {
    "plugin_host/host/clock.py:wait",
    "plugin_host/bench/sync/patient_clock.py:wait",
}  # as a card's callback


def audio_functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """All of `plugin_host/playback` but what is made at the start or marked [main], and what is marked [audio]."""
    for path in FILES:
        ours = name_of(path).startswith("plugin_host/playback/")
        for node in nodes_of(path):
            if isinstance(node, ast.FunctionDef) and node.name != "__init__":
                marks = {found.group(1) for found in MARK.finditer(ast.get_docstring(node) or "")}
                if "audio" in marks or (ours and "main" not in marks):
                    yield f"{name_of(path)}:{node.name}", node


def called(node: ast.AST) -> set[str]:
    names = {ast.unparse(each.func) for each in ast.walk(node) if isinstance(each, ast.Call)}
    return names | {name.rpartition(".")[2] for name in names}


def test_the_audio_thread_makes_no_arrays_and_waits_for_nothing() -> None:
    found = dict(audio_functions())
    assert {"plugin_host/playback/processor.py:process", "bridge/ring/reader.py:take"} <= found.keys()
    must_not = {name: bad for name, node in found.items() if (bad := called(node) & (ARRAYS | WAITS))}
    assert must_not.keys() == BETWEEN_BLOCKS, must_not


@pytest.mark.parametrize("line", ["np.zeros(3)", "audio.copy()", "time.sleep(0)", "_log.info('x')", "print(1)"])
def test_what_the_audio_thread_must_not_do_is_found(line: str) -> None:
    assert called(ast.parse(line)) & (ARRAYS | WAITS)


@pytest.mark.parametrize("path", NATIVE, ids=name_of)
def test_native_files_stay_small_and_say_what_they_are(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= MAX_NATIVE_LINES
    assert max(map(len, lines)) <= MAX_LINE
    assert lines[0].startswith("// "), "a file begins with what it is"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_modules_say_what_they_are(path: Path) -> None:
    assert ast.get_docstring(tree_of(path)), "a module begins with its docstring"


def test_addresses_stand_in_the_table_alone() -> None:
    elsewhere = [
        f"{name_of(path)}:{node.lineno}"
        for path in FILES
        if name_of(path) != "bridge/control/messages.py"
        for node in nodes_of(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("/segue/")
    ]
    assert not elsewhere


PROSE = {"error", "fault", "exc", "reason", "doubt", "note", "why", "complaint", "status_text"}
PROSE_OF = {"text", "reason", "doubt", "note", "why", "who", "stderr", "strerror", "args"}
ASKED = {"startswith", "endswith", "find", "rfind", "index", "count", "match", "search", "fullmatch", "findall"}
BY_TEXT = {  # the exceptions: files where the text is all there is
    "bridge/control/status_text.py": "a status has no column for a load beside what plays",
    "bridge/region/sound_file.py": "libsndfile's MP3 decoder prints its complaints and raises nothing",
    "engine/system/out_of_memory.py": "PyTorch's allocators for processors and ONNX Runtime have no class for it",
}


def is_prose(node: ast.expr) -> bool:
    """Whether an expression uses the text of an error, a status or a message for people."""
    if isinstance(node, ast.Name):
        return node.id in PROSE
    if isinstance(node, ast.Attribute):
        return node.attr in PROSE_OF or (not isinstance(node.value, ast.Name) and is_prose(node.value))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_prose(node.func.value):
        return True  # a method of the text: lower(), splitlines()
    return any(map(is_prose, (each for each in ast.iter_child_nodes(node) if isinstance(each, (ast.expr)))))


def is_words(node: ast.expr) -> bool:
    words = node.elts if isinstance(node, (ast.Tuple, ast.List, ast.Set)) else [node]
    return all(isinstance(each, ast.JoinedStr) or (isinstance(each, ast.Constant) and each.value and
               isinstance(each.value, str)) for each in words)  # fmt: skip


def decides_by_text(node: ast.AST) -> bool:
    """`"cut" in str(error)`, `status.text.startswith(...)`, `reason == "gone"`, `re.search(..., fault.text)`."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        if isinstance(node.ops[0], (ast.In, ast.NotIn)):
            return is_prose(sides[1]) or (is_prose(sides[0]) and is_words(sides[1]))
        return any(map(is_prose, sides)) and any(map(is_words, sides))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ASKED:
        return any(map(is_prose, [node.func.value, *node.args]))
    return False


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('"cut" in str(error)', True),
        ('any(word in f"{fault}" for word in WORDS)', True),
        ('"gone" not in lost.text', True),
        ("status.text.startswith(LOADING)", True),
        ('re.search("memory", str(fault))', True),
        ('found.reason == "time limit"', True),
        ('reason in ("gone", "cut")', True),
        ("error.code in CODES", False),
        ('state == "failed"', False),
        ("isinstance(error, NotInstalled)", False),
        ("reason or doubt", False),
        ('note.stem == "drums"', False),
        ('error.code.startswith("region")', False),
        ('"memory" in str(error).lower()', True),
        ('note.lower().endswith("cut")', True),
    ],
)
def test_what_decides_by_a_text_is_known(code: str, found: bool) -> None:
    assert any(map(decides_by_text, ast.walk(ast.parse(code)))) == found


def test_nothing_is_decided_by_the_text_of_an_error() -> None:
    """Decisions use a class, a code or a field; the text is for people and may change."""
    found = {
        f"{name_of(path)}:{node.lineno} {ast.unparse(node)}": name_of(path)
        for path in FILES
        for node in nodes_of(path)
        if isinstance(node, (ast.Compare, ast.Call)) and decides_by_text(node)
    }
    assert [where for where, name in found.items() if name not in BY_TEXT] == []
    assert set(found.values()) == set(BY_TEXT), "who needs it no longer goes off the list"


def test_a_lanes_values_are_read_through_their_rows() -> None:
    """Only through `settings.get(ROW)`: defaults and types are in the table of parameters."""
    elsewhere = [
        f"{name_of(path)}:{node.lineno}"
        for path in FILES
        if name_of(path).startswith("engine/") and name_of(path) != "engine/serve/lane_settings.py"
        for node in nodes_of(path)
        if isinstance(node, ast.Attribute) and node.attr == "values" and ast.unparse(node.value).endswith("settings")
    ]
    assert not elsewhere


def test_the_host_prints_through_its_screen() -> None:
    """Names and texts from outside reach a terminal only through `bridge.system.plain_text`."""
    for path in FILES:
        if not name_of(path).startswith("plugin_host/") or name_of(path) == "plugin_host/doctor/probes.py":
            continue
        calls = [ast.unparse(n.func) for n in nodes_of(path) if isinstance(n, ast.Call)]
        assert not {"print", "typer.echo", "sys.stdout.write"} & set(calls), name_of(path)


def test_nothing_unpickles() -> None:
    """Outside the training scripts' own files, no pickle and no torch.load."""
    for path in FILES:
        if name_of(path).startswith("engine/train/"):
            continue
        assert "pickle" not in roots(path), name_of(path)
        calls = [ast.unparse(n.func) for n in nodes_of(path) if isinstance(n, ast.Call)]
        assert "torch.load" not in calls, name_of(path)


def test_project_stands_alone() -> None:
    """No file names a path that only one machine has."""
    forbidden = ("/" + "work/", "../" + "shared")
    for path in [*FILES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]:
        assert not [word for word in forbidden if word in path.read_text()], name_of(path)
