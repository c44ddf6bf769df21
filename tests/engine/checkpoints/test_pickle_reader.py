"""The restricted pickle reader: what it reads, what it refuses; nothing in a file is executed."""

from __future__ import annotations

import collections
import io
import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.checkpoints.convert import convert, describe
from engine.checkpoints.nodes import Node, plain
from engine.checkpoints.pickle_reader import read_pickle
from engine.checkpoints.torch_zip import TorchZip
from engine.errors import CheckpointError

PLAIN = {"a": [1, -5, 2**40, 0.5, None, True, "é", (1, 2, 3, 4)], 7: {}, "c": ()}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_data(protocol):
    value = {**PLAIN, "o": collections.OrderedDict(x=1), "shared": [PLAIN["a"]] * 2}
    assert read_pickle(pickle.dumps(value, protocol)) == value


class Runs:
    """Pickles to a call that leaves a file behind."""

    def __init__(self, marker: Path, how: str) -> None:
        self.marker, self.how = marker, how

    def __reduce__(self):
        import os

        code = f"open({str(self.marker)!r}, 'w').close()"
        return {
            "eval": (eval, (code,)),
            "exec": (exec, (code,)),
            "system": (os.system, (f"touch {self.marker}",)),
        }[self.how]


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("how", ["eval", "exec", "system"])
def test_hidden_code_does_not_run(tmp_path, how, protocol):
    marker = tmp_path / "ran"
    data = pickle.dumps({"best_state": {}, "xp.cfg": Runs(marker, how)}, protocol)
    with pytest.raises(CheckpointError, match="hidden code"):
        read_pickle(data)
    assert not marker.exists()
    pickle.loads(data)  # the attack is real: Python's pickle module runs it
    assert marker.exists()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"cos\nsystem\n(S'ls'\ntR.", "os.system"),
        (b"(S'ls'\nios\nsystem\n.", "not allowed"),  # INST
        (b"(cbuiltins\nlist\no.", "not allowed"),  # OBJ
        (b"\x82\x01.", "not allowed"),  # extension registry
        (b"\x80\x02ctorch\nload\n.", "torch.load"),
        (b"cbuiltins\ndict\n(K\x01K\x02tR.", "arguments that are not allowed"),
        (b"cbuiltins\nint\n)R.", "arguments that are not allowed"),
        (b"}}R.", "calls a dict"),
        (b"cbuiltins\ndict\n)\x81.", "makes an object of dict"),
        (b"](K\x01K\x02u.", "as if it were a dict"),
        (b"}K\x01a.", "as if it were a list"),
        (b"}]K\x01s.", "as a key"),
        (b"]}b.", "sets the state of a list"),
        (b"h\x05.", "never stored"),
        (b"0.", "empty stack"),
        (b"e.", "no mark"),
        (b"K\x01K\x02.", "must be 1"),
        (b"", "cut short"),
        (b"X\xff\xff\xff\x7fabc.", "limit"),
        (b"\x8d" + b"\xff" * 8, "limit"),
        (b"\x8a\xffabc", "limit is 8"),
        (b"\x80\x63.", "protocol 99"),
        (b"X\x02\x00\x00\x00\xff\xfe.", "UTF-8"),
        (b"c" + b"a" * 600, "without an end"),
        (b"N0" * 1_100_000 + b".", "more than 2000000 steps"),
    ],
)
def test_refusals_say_why(data, reason):
    with pytest.raises(CheckpointError, match=reason):
        read_pickle(data)


def tensor_pickle() -> bytes:
    buffer = io.BytesIO()
    torch.save({"best_state": {"a": torch.arange(12.0).view(3, 4).t()}, "version": "1"}, buffer)
    with zipfile.ZipFile(buffer) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))


SEED_PICKLE = tensor_pickle()


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, len(SEED_PICKLE) - 1), piece=st.binary(min_size=0, max_size=6), drop=st.integers(0, 6))
@example(at=0, piece=b"", drop=6)
def test_mutated_pickles_are_read_or_refused(at, piece, drop):
    """No other exception, whatever byte changes."""
    data = SEED_PICKLE[:at] + piece + SEED_PICKLE[at + drop :]
    try:
        value = read_pickle(data)
        describe(value if isinstance(value, dict) else {})
    except CheckpointError:
        pass


def test_tensors_of_every_type_and_layout(tmp_path):
    base = torch.arange(24).view(2, 3, 4)
    types = [
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
        torch.int64,
        torch.int32,
        torch.int16,
    ]
    types += [torch.int8, torch.uint8, torch.bool]
    state = {str(kind): base.to(kind) for kind in types}
    state |= {
        "turned": base.float().permute(2, 0, 1),
        "part": base.float()[:, 1:, ::2],
        "none": torch.zeros(0, 5),
    }
    state |= {
        "number": torch.tensor(3.5),
        "tied": state["torch.float32"],
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    torch.save({"best_state": state, "version": "x"}, tmp_path / "a.bin")
    convert(tmp_path / "a.bin", tmp_path / "a.safetensors")
    from safetensors.torch import load_file

    got = load_file(tmp_path / "a.safetensors")
    assert set(got) == set(state)
    for name, tensor in state.items():
        assert got[name].dtype == tensor.dtype, name
        assert torch.equal(got[name], tensor.detach()), name


def edited(source: Path, target: Path, edit) -> Path:
    """A copy of a zip archive whose entries went through `edit(name, data) -> data or None`."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = edit(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return target


def read_whole(path: Path) -> None:
    with path.open("rb") as file:
        archive = TorchZip(file)
        tensors, _ = describe(archive.value())
        for tensor in tensors.values():
            archive.raw(tensor)


@pytest.fixture
def saved(tmp_path) -> Path:
    torch.save({"best_state": {"a": torch.arange(1000.0), "b": torch.ones(3, 3)}}, tmp_path / "whole.bin")
    read_whole(tmp_path / "whole.bin")
    return tmp_path / "whole.bin"


def test_a_file_cut_anywhere_is_refused(saved, tmp_path):
    whole = saved.read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 97)):
        (tmp_path / "cut.bin").write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            read_whole(tmp_path / "cut.bin")


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda name, data: None if name.endswith("/data/0") else data, "has no"),
        (lambda name, data: data[:-4] if name.endswith("/data/0") else data, "must have 4000"),
        (lambda name, data: data + b"1234" if name.endswith("/data/0") else data, "must have 4000"),
        (lambda name, data: None if name.endswith("data.pkl") else data, "0 data.pkl"),
        (lambda name, data: b"big" if name.endswith("byteorder") else data, "big-endian"),
        (lambda name, data: data[:-9] if name.endswith("data.pkl") else data, "cut short"),
    ],
)
def test_damaged_archives(saved, tmp_path, edit, reason):
    with pytest.raises(CheckpointError, match=reason):
        read_whole(edited(saved, tmp_path / "bad.bin", edit))


def test_a_changed_byte_is_noticed(saved, tmp_path):
    data = bytearray(saved.read_bytes())
    at = data.index(torch.arange(1000.0).numpy().tobytes())
    data[at + 1500] ^= 0x40
    (tmp_path / "bad.bin").write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged"):
        read_whole(tmp_path / "bad.bin")


def test_compressed_entries_are_refused(saved, tmp_path):
    """A few kilobytes could otherwise unpack to gigabytes."""
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(tmp_path / "z.bin", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(CheckpointError, match="compressed"):
        read_whole(tmp_path / "z.bin")


def test_a_tensor_may_not_leave_its_storage(tmp_path):
    torch.save({"best_state": {"a": torch.zeros(200)}}, tmp_path / "a.bin")
    bad = edited(
        tmp_path / "a.bin",
        tmp_path / "bad.bin",
        # the view's length 200 (BININT1) is followed by its tuple; the storage keeps its own count
        lambda name, data: data.replace(b"K\xc8\x85", b"K\xc9\x85") if name.endswith("data.pkl") else data,
    )
    with pytest.raises(CheckpointError, match="beyond the end of storage"):
        read_whole(bad)


def test_100k_tensors_are_refused(tmp_path):
    tensor = torch.zeros(1)
    torch.save({"best_state": {f"t{index}": tensor for index in range(100_000)}}, tmp_path / "many.bin")
    with pytest.raises(CheckpointError, match="100000 tensors, the limit"):
        read_whole(tmp_path / "many.bin")


def test_endless_configurations_are_refused():
    loop: list = []
    loop += [loop, loop]
    with pytest.raises(CheckpointError, match="deeper than 64 levels"):
        plain(loop)
    doubled: list = [0]
    for _ in range(40):
        doubled = [doubled, doubled]
    with pytest.raises(CheckpointError, match="more than"):
        plain(doubled)


def test_omegaconf_objects_become_data(golden, tmp_path):
    """A real configuration object of 2,000 nodes, `${...}` references left as text."""
    source = golden / "audiocraft" / "style" / "ckpt" / "compression_state_dict.bin"
    with source.open("rb") as file:
        value = TorchZip(file).value()
    assert isinstance(value["xp.cfg"], Node)
    _, other = describe(value)
    config = other["xp.cfg"]
    assert config["seanet"]["ratios"] == [8, 5, 4, 4]
    assert config["seanet"]["pad_mode"] == "constant"
    assert config["encodec"]["channels"] == "${channels}"
    assert config["channels"] == 1
    assert json.loads(json.dumps(config)) == config


def test_the_child_needs_no_torch():
    code = "import sys, engine.checkpoints.convert; print('torch' in sys.modules)"
    root = Path(__file__).parents[3]
    child = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "False"
