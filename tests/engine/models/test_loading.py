"""Loading: every format, precision, copies, progress, stand-ins."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import TINY

from engine.api.musicgen import MusicGen
from engine.checkpoints import cache
from engine.checkpoints.convert import convert
from engine.checkpoints.make_random import Noise, write_audiocraft, write_t5, write_transformers
from engine.core.config import LMConfig
from engine.errors import CheckpointError, UnsupportedError
from engine.model import LoadedModel
from engine.models.load import load_model

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model in transformers' format, whole, and one in audiocraft's with its text encoder."""
    root = tmp_path_factory.mktemp("made")
    write_transformers(root / "whole", TINY, Noise())
    write_audiocraft(root / "pickled", TINY, Noise())
    write_t5(root / "t5-base", TINY.t5, Noise())
    return root


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Path) -> None:
    monkeypatch.setenv("SEGUE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SEGUE_MODELS", str(made))
    monkeypatch.setattr(cache, "_run_child", lambda source, part, report: convert(source, part))


def weights(model: LoadedModel) -> dict[str, torch.Tensor]:
    return {**model.lm.state_dict(), **{f"codec.{k}": v for k, v in model.codec.state_dict().items()}}


def same(a: LoadedModel, b: LoadedModel) -> bool:
    one, other = weights(a), weights(b)
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def copy_config(source: Path, target: Path) -> Path:
    target.mkdir()
    for path in source.glob("*.json"):
        (target / path.name).write_bytes(path.read_bytes())
    return target


def test_a_pickle_is_read_where_there_is_nothing_else(made: Path, tmp_path: Path) -> None:
    """pytorch_model.bin, whole and in shards, older names of weight norm, the position table stored."""
    tensors = load_file(made / "whole" / "model.safetensors")
    tensors = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for name, tensor in tensors.items()
    }
    tensors["decoder.model.decoder.embed_positions.weights"] = torch.zeros(2048, TINY.lm.dim)
    del tensors["text_encoder.encoder.embed_tokens.weight"]
    exact = load_model(made / "whole")
    one = copy_config(made / "whole", tmp_path / "one")
    torch.save(tensors, one / "pytorch_model.bin")
    assert same(load_model(one), exact)
    two = copy_config(made / "whole", tmp_path / "two")
    where = {name: f"pytorch_model-0000{1 + index % 2}-of-00002.bin" for index, name in enumerate(tensors)}
    for file in set(where.values()):
        torch.save({name: tensor for name, tensor in tensors.items() if where[name] == file}, two / file)
    (two / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": where}))
    assert same(load_model(two), exact)
    where[next(iter(where))] = "../one/pytorch_model.bin"
    (two / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": where}))
    with pytest.raises(CheckpointError, match=r"names the file '\.\./one/pytorch_model\.bin'"):
        load_model(two)


def test_safetensors_are_preferred(made: Path, tmp_path: Path) -> None:
    both = copy_config(made / "whole", tmp_path / "both")
    (both / "model.safetensors").write_bytes((made / "whole" / "model.safetensors").read_bytes())
    (both / "pytorch_model.bin").write_bytes(b"never looked at")
    (both / "state_dict.bin").write_bytes(b"never looked at")
    assert same(load_model(both), load_model(made / "whole"))


def test_half_files_in_transformers_layout(made: Path, tmp_path: Path) -> None:
    half = copy_config(made / "whole", tmp_path / "half")
    tensors = load_file(made / "whole" / "model.safetensors")
    save_file({name: tensor.bfloat16() for name, tensor in tensors.items()}, half / "model.safetensors")
    model = load_model(half)
    assert {tensor.dtype for tensor in weights(model).values()} == {torch.float32}


@pytest.mark.parametrize("name", ["whole", "pickled"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_precision_is_the_callers(made: Path, name: str, dtype: torch.dtype) -> None:
    model = load_model(name, dtype=dtype)
    assert f"torch.{model.executor.precision}" == str(dtype)
    halved = {key for key, tensor in model.lm.state_dict().items() if tensor.dtype == dtype}
    assert {key.rpartition(".")[0].rpartition(".")[2] for key in halved} >= {"linear1", "linear2", "out_proj"}
    assert not [key for key in halved if "norm" in key or key.startswith("emb")]
    assert {tensor.dtype for tensor in model.codec.state_dict().values()} == {torch.float32}
    player = MusicGen(model)
    player.set_generation_params(duration=0.2, top_k=8)
    assert player.generate(["bass"], seed=1).isfinite().all()
    assert MusicGen(load_model(name)).model.lm.out_norm.weight.dtype == torch.float32


def test_other_precisions_are_refused(made: Path) -> None:
    for name in ("whole", "embedded"):
        with pytest.raises(UnsupportedError, match="float64"):
            load_model(name, dtype=torch.float64)


def test_progress_is_reported_in_bytes(made: Path) -> None:
    reports: list[tuple[str, float, float]] = []
    model = load_model("pickled", on_progress=lambda *what: reports.append(what))
    reading = [(done, total) for stage, done, total in reports if stage == "reading"]
    assert [done for done, _ in reading] == sorted(done for done, _ in reading)
    assert reading[-1][0] == reading[-1][1] > sum(tensor.nbytes for tensor in weights(model).values())


def test_a_function_stands_in_for_t5(made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No text encoder is needed on this machine; the function's result must have the trained width."""
    monkeypatch.setenv("SEGUE_MODELS", str(tmp_path))
    asked: list[list[str]] = []

    def stand_in(texts: list[str]) -> torch.Tensor:
        asked.append(texts)
        return torch.ones(1, 3, TINY.t5.dim)

    for name in ("whole", "pickled"):
        model = load_model(made / name, t5=stand_in)
        vectors = model.conditioner.text(["bass", None, "bass"])
        assert vectors.shape == (3, 3, TINY.lm.dim)
        assert torch.equal(vectors[0], vectors[2])
        assert not vectors[1].any()
    assert asked == [["bass"], ["bass"]]
    with pytest.raises(ValueError, match=r"the given t5 returned \[1, 2, 5\], must be \[1, tokens, 32\]"):
        load_model(made / "whole", t5=lambda texts: torch.ones(1, 2, 5)).conditioner.text(["x"])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_near_the_weights(made: Path, tmp_path: Path) -> None:
    """The memory peak of loading 130 MB of float32 weights is under 1.3 times the weights.

    First weights converted from float16 (which need new memory), then mapped ones.
    """
    sizes = replace(TINY, lm=LMConfig(dim=512, n_heads=8, n_layers=8, card=32))
    write_audiocraft(tmp_path / "pickled", sizes, Noise())
    write_transformers(tmp_path / "whole", sizes, Noise())
    code = (
        "import sys, torch; from engine.models.load import load_model\n"
        "from engine.bench.load_time import peak_bytes\n"
        "load_model(sys.argv[1])\n"
        "for path in sys.argv[2:]:\n"
        "    before = peak_bytes()\n"
        "    model = load_model(path)\n"
        "    weights = [tensor for tensor in model.lm.state_dict().values()]\n"
        "    total = sum(float(tensor.sum()) for tensor in weights)\n"
        "    print(sum(tensor.nbytes for tensor in weights), peak_bytes() - before)\n"
        "    del model, weights"
    )
    command = [sys.executable, "-c", code, str(made / "pickled"), str(tmp_path / "pickled"), str(tmp_path / "whole")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    for line in ended.stdout.splitlines():
        size, grown = map(int, line.split())
        assert size > 130e6
        assert grown < 1.3 * size


def test_equal_types_are_not_copied(made: Path) -> None:
    """float32 files on a CPU: the weights are the mapped file, except for joined matrices."""
    lines = Path("/proc/self/maps")
    if not lines.exists():
        pytest.skip("reads /proc")
    model = load_model(made / "whole")
    spans = [line.split()[0].split("-") for line in lines.read_text().splitlines() if "model.safetensors" in line]
    inside = [
        name
        for name, tensor in model.lm.state_dict().items()
        if any(int(low, 16) <= tensor.data_ptr() < int(high, 16) for low, high in spans)
    ]
    copied = {name for name in model.lm.state_dict() if name not in inside}
    assert copied == {name for name in model.lm.state_dict() if name.endswith("in_proj_weight")}
