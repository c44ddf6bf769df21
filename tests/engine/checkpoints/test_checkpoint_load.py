"""Checkpoints from folder to model: both formats, the cache, and every way a folder can be wrong."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.checkpoints import cache, find
from engine.checkpoints.convert import convert
from engine.checkpoints.load import load_model
from engine.codec.encodec import Encodec
from engine.errors import CheckpointError, UnsupportedError

SAME_WEIGHTS = [
    ("audiocraft/text", "transformers/musicgen_mono"),
    ("audiocraft/text", "transformers/musicgen_mono_legacy"),
    ("audiocraft/melody", "transformers/musicgen_melody"),
]


@pytest.mark.parametrize(("one", "other"), SAME_WEIGHTS)
def test_both_formats_give_one_model(golden_models, one, other):
    a, b = golden_models[one], golden_models[other]
    assert a.lm.config == b.lm.config
    assert a.codec.config == b.codec.config
    assert a.takes == b.takes
    parts = [(a.lm, b.lm), (a.codec, b.codec), (a.conditioner.text.encode.encoder, b.conditioner.text.encode.encoder)]
    parts.append((a.conditioner.text.projection, b.conditioner.text.projection))
    if a.conditioner.melody:
        parts.append((a.conditioner.melody.projection, b.conditioner.melody.projection))
    for ours, theirs in parts:
        left, right = ours.state_dict(), theirs.state_dict()
        assert left.keys() == right.keys()
        assert len(left) > 0
        for name, tensor in left.items():
            assert tensor.dtype == torch.float32
            assert not tensor.is_meta
            torch.testing.assert_close(tensor, right[name], atol=1e-6, rtol=1e-6)


def test_windows_come_from_the_checkpoint(golden_models):
    text, melody = golden_models["audiocraft/text"], golden_models["audiocraft/melody"]
    assert (text.window_frames, melody.window_frames) == (150, 200)  # 3 s and 4 s
    assert melody.conditioner.melody.n_frames == 32
    assert text.cfg_coef == 3.0
    assert golden_models["transformers/musicgen_mono"].window_frames == 1500


@pytest.fixture
def folder(golden, tmp_path) -> Path:
    """A copy of the audiocraft text checkpoint to spoil."""
    shutil.copytree(golden / "audiocraft" / "text" / "ckpt", tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


def load(golden: Path, folder: Path, cache_dir: Path):
    return load_model(folder, t5=golden / "t5_tiny", cache_dir=cache_dir)


@pytest.fixture
def in_process(monkeypatch) -> None:
    """Convert without the child process, for many small cases (the child has tests of its own)."""
    monkeypatch.setattr(cache, "_run_child", lambda source, part, report: convert(source, part))


def edit_bin(path: Path, edit) -> None:
    value = torch.load(path, weights_only=True)  # the test's own file
    edit(value)
    torch.save(value, path)


CODEC = "compression_state_dict.bin"
LAYER = "transformer.layers.1.linear1.weight"


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda v: v["best_state"].pop(LAYER), rf"1 missing: {LAYER}"),
        (lambda v: v["best_state"].update({"spy.weight": torch.ones(2)}), "1 left over: spy.weight"),
        (
            lambda v: v["best_state"].update({LAYER: torch.zeros(256, 63)}),
            r"another shape: .*\[256, 63\] \(must be \[256",
        ),
        (lambda v: v["best_state"].update({LAYER: v["best_state"][LAYER].t()}), "another shape"),
        (
            lambda v: v["best_state"].update({LAYER: v["best_state"][LAYER].long()}),
            "not numbers with a point",
        ),
        (lambda v: v["best_state"].update({LAYER: "x"}), "must be a tensor"),
        (lambda v: v["best_state"].update({"emb.4.weight": torch.zeros(129, 64)}), "left over: emb.4.weight"),
        (lambda v: v.pop("best_state"), "is it a checkpoint"),
        (lambda v: v.pop("xp.cfg"), "no 'xp.cfg'"),
        (lambda v: v.update({"xp.cfg": "a: [1, 2"}), "not YAML"),
        (lambda v: v.update({"xp.cfg": "just text"}), "no 'xp.cfg'"),
        (lambda v: v.update({"xp.cfg": v["xp.cfg"].replace("num_layers: 2", "num_layers: 3")}), "12 missing"),
        (lambda v: v.update({"xp.cfg": v["xp.cfg"].replace("num_layers: 2", "num_layers: -1")}), "from 1 to"),
        (
            lambda v: v.update({"xp.cfg": v["xp.cfg"].replace("dim: 64", "dim: ${transformer_lm.dim}")}),
            "circle",
        ),
        (lambda v: v.update({"xp.cfg": v["xp.cfg"].replace("dim: 64", "dim: 65")}), "must be even"),
        (
            lambda v: v.update({"xp.cfg": v["xp.cfg"].replace("card: 128", "card: many")}),
            "'transformer_lm.card'",
        ),
    ],
)
@pytest.mark.usefixtures("in_process")
def test_spoiled_language_models_are_refused(golden, folder, shared_cache, edit, reason):
    edit_bin(folder / "state_dict.bin", edit)
    with pytest.raises(CheckpointError, match=reason):
        load(golden, folder, shared_cache)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("modeling: delay", "modeling: parallel", "codebooks_pattern.modeling"),
        ("activation: gelu", "activation: relu", "transformer_lm.activation"),
        ("positional_embedding: sin", "positional_embedding: rope", "positional_embedding"),
        ("interleave_stereo_codebooks:\n  use: false", "interleave_stereo_codebooks:\n  use: true", "'channels' is 1"),
    ],
)
@pytest.mark.usefixtures("in_process")
def test_models_of_another_kind_are_named(golden, folder, shared_cache, old, new, what):
    edit_bin(folder / "state_dict.bin", lambda v: v.update({"xp.cfg": v["xp.cfg"].replace(old, new)}))
    with pytest.raises(UnsupportedError, match=what):
        load(golden, folder, shared_cache)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (
            lambda v: v["best_state"].pop("decoder.model.3.convtr.convtr.weight_g"),
            r"decoder\.layers\.3\.weight",
        ),
        (lambda v: v["best_state"].pop("quantizer.vq.layers.1._codebook.embed"), "codec.quantizer.tables"),
        (
            lambda v: v["best_state"].update({"encoder.model.0.conv.conv.weight_g": torch.ones(3, 1, 1)}),
            "do not fit",
        ),
        (
            lambda v: v.update({"xp.cfg": v["xp.cfg"].replace("bins: 128", "bins: 64")}),
            "codebooks of 128, the codec 4 of 64",
        ),
        (
            lambda v: v.update({"xp.cfg": v["xp.cfg"].replace("pad_mode: reflect", "pad_mode: odd")}),
            "pad_mode is 'odd'",
        ),
        (lambda v: (v.clear(), v.update(pretrained="somebody/else")), "somebody/else"),
    ],
)
@pytest.mark.usefixtures("in_process")
def test_spoiled_codecs_are_refused(golden, folder, shared_cache, edit, reason):
    edit_bin(folder / "compression_state_dict.bin", edit)
    with pytest.raises(CheckpointError, match=reason):
        load(golden, folder, shared_cache)


def test_hidden_code_in_a_checkpoint_does_not_run(golden, folder, shared_cache, tmp_path):
    marker = tmp_path / "ran"

    class Spy:
        def __reduce__(self):
            return eval, (f"open({str(marker)!r}, 'w').close()",)

    value = torch.load(folder / "state_dict.bin", weights_only=True)
    torch.save(value | {"extra": Spy()}, folder / "state_dict.bin")
    with pytest.raises(CheckpointError, match=r"builtin(s|__)\.eval.*hidden code"):
        load(golden, folder, shared_cache)
    assert not marker.exists()
    torch.load(folder / "state_dict.bin", weights_only=False)
    assert marker.exists()


@pytest.mark.parametrize("name", ["state_dict.bin", "compression_state_dict.bin"])
@pytest.mark.parametrize("length", [0, 1, 1000, 0.5, -1])
def test_cut_files_are_refused(golden, folder, shared_cache, name, length):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(len(data) * length) if isinstance(length, float) else length])
    with pytest.raises(CheckpointError, match=name):
        load(golden, folder, shared_cache)


@pytest.mark.parametrize("content", [b"not a zip", b"\x80\x02]q\x00.", None])
def test_other_files_are_refused(golden, folder, shared_cache, content):
    path = folder / "state_dict.bin"
    path.unlink()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"state_dict\.bin"):
        load(golden, folder, shared_cache)


def test_converted_once(golden, folder, tmp_path, monkeypatch):
    load(golden, folder, tmp_path / "cache")
    notes = [json.loads(path.read_text()) for path in (tmp_path / "cache").glob("*.json")]
    assert {note["source"] for note in notes} == {"state_dict.bin", "compression_state_dict.bin"}
    assert not list((tmp_path / "cache").glob("part-*"))
    calls = []
    run = cache._run_child
    monkeypatch.setattr(cache, "_run_child", lambda *args: (calls.append(args[0].name), run(*args))[1])
    load(golden, folder, tmp_path / "cache")
    assert calls == []
    edit_bin(folder / "state_dict.bin", lambda v: v["best_state"]["emb.0.weight"].add_(1))
    load(golden, folder, tmp_path / "cache")
    assert calls == ["state_dict.bin"]
    for path in (tmp_path / "cache").glob("*.safetensors"):
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    load(golden, folder, tmp_path / "cache")
    assert sorted(calls[1:]) == ["compression_state_dict.bin", "state_dict.bin"]


def test_a_reading_that_takes_too_long_is_ended(golden, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "BASE_SECONDS", 0.001)
    with pytest.raises(CheckpointError, match="took longer"):
        load(golden, folder, tmp_path)
    assert not list(tmp_path.glob("part-*"))


def test_the_child_cannot_take_all_memory(folder, tmp_path, monkeypatch):
    """With a limit of 64 MB the child cannot start its work; the parent reports it and continues."""
    source = (
        "import sys; from engine.checkpoints import convert; convert.MEMORY_BYTES = 64 << 20; "
        "sys.exit(convert.main(sys.argv[1:]))"
    )
    start = cache.subprocess.Popen
    monkeypatch.setattr(
        cache.subprocess, "Popen", lambda command, **rest: start([command[0], "-c", source, *command[3:]], **rest)
    )
    with pytest.raises(CheckpointError, match=r"MemoryError|limits on memory"):
        cache.converted(folder / "state_dict.bin", tmp_path / "cache")


@pytest.fixture
def sharded(golden, tmp_path) -> Path:
    shutil.copytree(golden / "transformers" / "musicgen_mono" / "ckpt_legacy_sharded", tmp_path / "model")
    return tmp_path / "model"


def edit_index(folder: Path, edit) -> None:
    path = folder / "model.safetensors.index.json"
    value = json.loads(path.read_text())
    edit(value["weight_map"])
    path.write_text(json.dumps(value))


SHARD = "model-00001-of-00002.safetensors"


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda m: m.update({"more": SHARD}), "1 missing: more"),
        (lambda m: m.pop(next(iter(m))), "1 left over"),
        (lambda m: m.update({next(iter(m)): "../" + SHARD}), "must be a .safetensors file beside it"),
        (lambda m: m.update({next(iter(m)): "/etc/passwd"}), "must be a .safetensors file beside it"),
        (lambda m: m.update({next(iter(m)): 5}), "weight_map"),
        (lambda m: m.update({next(iter(m)): "model-0.safetensors"}), r"cannot read .*model-0\.safetensors"),
    ],
)
def test_shards_and_index_must_agree(golden, sharded, tmp_path, edit, reason):
    edit_index(sharded, edit)
    with pytest.raises(CheckpointError, match=reason):
        load(golden, sharded, tmp_path / "cache")


def edit_safetensors(path: Path, edit) -> None:
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path)


HF_QUERY = "decoder.model.decoder.layers.0.self_attn.q_proj.weight"


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda t: t.pop(HF_QUERY), r"in_proj_weight' has parts that do not fit: \['k', 'v'\]"),
        (lambda t: t.update({HF_QUERY: torch.zeros(63, 64)}), "do not fit"),
        (
            lambda t: t.update({"decoder.model.decoder.hidden": torch.zeros(1)}),
            "left over: decoder.model.decoder.hidden",
        ),
        (lambda t: t.pop("enc_to_dec_proj.bias"), "1 missing: bias"),
        (
            lambda t: t.update(
                {
                    "text_encoder.encoder.embed_tokens.weight": torch.zeros(160, 32),
                    "text_encoder.shared.weight": torch.ones(160, 32),
                }
            ),
            "differ",
        ),
        (
            lambda t: t.update({"audio_enc_to_dec_proj.weight": torch.zeros(64, 12)}),
            "does not have: project.melody.weight",
        ),
    ],
)
def test_spoiled_transformers_files_are_refused(golden, tmp_path, edit, reason):
    folder = tmp_path / "model"
    shutil.copytree(golden / "transformers" / "musicgen_mono" / "ckpt", folder)
    edit_safetensors(folder / "model.safetensors", edit)
    with pytest.raises(CheckpointError, match=reason):
        load(golden, folder, tmp_path / "cache")


def bloated_header() -> bytes:
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    text = json.dumps({f"t{index}": entry for index in range(100_000)}).encode()
    return len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "in a file of 0"),
        (b"\xff" * 8, "in a file of 8"),
        ((1 << 40).to_bytes(8, "little") + b"{}", "header of"),
        ((3).to_bytes(8, "little") + b"[1]", "header is a list"),
        ((4).to_bytes(8, "little") + b"nope", "not JSON"),
        ((2000).to_bytes(8, "little") + b"[" * 2000, "not JSON"),
        (bloated_header(), "the limit is 4194304"),
    ],
)
def test_bad_safetensors_are_refused(golden, tmp_path, data, reason):
    folder = tmp_path / "model"
    shutil.copytree(golden / "transformers" / "musicgen_mono" / "ckpt", folder)
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(CheckpointError, match=reason):
        load(golden, folder, tmp_path / "cache")


def test_cut_safetensors_are_refused(golden, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(golden / "transformers" / "musicgen_mono" / "ckpt", folder)
    whole = (folder / "model.safetensors").read_bytes()
    for share in (0.01, 0.5, 0.999):
        (folder / "model.safetensors").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(CheckpointError, match=r"model\.safetensors"):
            load(golden, folder, tmp_path / "cache")


@pytest.mark.usefixtures("in_process")
def test_a_codec_by_pointer(golden, golden_models, folder, tmp_path, monkeypatch):
    """Some published folders only name the codec's repository; it is found in the Hugging Face cache."""
    torch.save({"pretrained": "facebook/encodec_32khz", "exported": True, "version": "1"}, folder / CODEC)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with pytest.raises(CheckpointError, match="facebook/encodec_32khz"):
        load(golden, folder, tmp_path / "cache")
    snapshot = tmp_path / "hf" / "hub" / "models--facebook--encodec_32khz" / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    source = golden / "transformers" / "musicgen_mono" / "ckpt"
    config = json.loads((source / "config.json").read_text())["audio_encoder"]
    (snapshot / "config.json").write_text(json.dumps(config))
    prefix = "audio_encoder."
    tensors = load_file(source / "model.safetensors")
    codec = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    save_file(codec, snapshot / "model.safetensors")
    loaded = load(golden, folder, tmp_path / "cache").codec
    assert isinstance(loaded, Encodec)
    codes = torch.arange(40).view(1, 4, 10)
    torch.testing.assert_close(loaded.decode(codes), golden_models["audiocraft/text"].codec.decode(codes))


@pytest.mark.usefixtures("in_process")
def test_a_text_encoder_must_be_given_or_found(golden, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("SEGUE_MODELS", str(tmp_path / "models"))
    with pytest.raises(CheckpointError, match="'t5-base' is not on this machine, and HF_HUB_OFFLINE"):
        load_model(folder, cache_dir=tmp_path / "cache")
    shutil.copytree(golden / "t5_tiny", tmp_path / "models" / "t5-base")
    assert load_model(folder, cache_dir=tmp_path / "cache").takes == {"text", "continue"}


def test_names_are_looked_up(golden, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGUE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in ("small", "facebook/musicgen-small", "../model", "a" * 500, "x\x00y", ""):
        with pytest.raises(CheckpointError, match=r"on this machine|neither"):
            load_model(name)
    assert find.full_name("musicgen-small") == find.full_name("small") == "facebook/musicgen-small"
    shutil.copytree(folder, tmp_path / "models" / "musicgen-small")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small").mkdir()  # an unrelated folder of that name
    assert find.find("small") == tmp_path / "models" / "musicgen-small"
    shutil.copytree(folder, tmp_path / "small", dirs_exist_ok=True)
    assert find.find("small") == Path("small")


@pytest.mark.usefixtures("in_process")
def test_the_other_families_are_named(golden, folder, shared_cache):
    edit_bin(
        folder / "state_dict.bin",
        lambda v: v.update({"xp.cfg": v["xp.cfg"].replace("model: t5", "model: clap")}),
    )
    with pytest.raises(UnsupportedError, match=r"conditioners\.description\.model"):
        load(golden, folder, shared_cache)


@pytest.mark.usefixtures("in_process")
def test_saved_bytes_do_not_matter(golden, folder, shared_cache):
    """The same weights saved in another layout (views of one storage) load to the same model."""
    path = folder / "state_dict.bin"
    value = torch.load(path, weights_only=True)
    before = load(golden, folder, shared_cache).lm.state_dict()
    joined = torch.cat([value["best_state"][f"emb.{k}.weight"] for k in range(4)])
    for k, piece in enumerate(joined.chunk(4)):
        value["best_state"][f"emb.{k}.weight"] = piece
    buffer = io.BytesIO()
    torch.save(value, buffer)
    path.write_bytes(buffer.getvalue())
    after = load(golden, folder, shared_cache).lm.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
