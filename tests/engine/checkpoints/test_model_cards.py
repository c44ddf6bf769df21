"""The example of the published model cards runs with only its imports changed; here on tiny checkpoints."""

from __future__ import annotations

import ast
import json
import re
import shutil
from pathlib import Path

import pytest
import soundfile
import torch
from safetensors.torch import save_file

from engine import audio_write

THEIRS = """import torchaudio
from audiocraft.models import MusicGen
from audiocraft.data.audio import audio_write
"""
OURS = """from engine import MusicGen, audio_write
from engine import audio_file as torchaudio
"""
CARD = (
    THEIRS
    + """
model = MusicGen.get_pretrained('melody')
model.set_generation_params(duration=8)  # generate 8 seconds.

descriptions = ['happy rock', 'energetic EDM', 'sad jazz']

melody, sr = torchaudio.load('./assets/bach.mp3')
# generates using the melody from the given audio and the provided descriptions.
wav = model.generate_with_chroma(descriptions, melody[None].expand(3, -1, -1), sr)

for idx, one_wav in enumerate(wav):
    # Will save under {idx}.wav, with loudness normalization at -14 db LUFS.
    audio_write(f'{idx}', one_wav.cpu(), model.sample_rate, strategy="loudness")
"""
)
STYLE_CARD = CARD.replace("'melody'", "'style'")
TWO_COEFFICIENTS = """
model.set_generation_params(
    duration=1,
    use_sampling=True,
    top_k=250,
    cfg_coef=3., # Classifier Free Guidance coefficient
    cfg_coef_beta=5., # double CFG
)
model.set_style_conditioner_params(eval_q=1, excerpt_length=3.)
texts = ["8-bit old video game music", "Chill lofi remix", "80s New wave with synthesizer"]
wav = model.generate_with_chroma(texts, melody[None].expand(3, -1, -1), sr)
"""


def write_tiny_mert(folder: Path) -> None:
    """The feature model's architecture with MERT's width, otherwise tiny; random weights."""
    pytest.importorskip("transformers")
    from engine.conditions.features import hubert

    sizes = {"hidden_size": 768, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    convolutions = {"conv_dim": [8] * 7, "conv_kernel": [10, 3, 3, 3, 3, 2, 2], "conv_stride": [5, 2, 2, 2, 2, 2, 2]}
    positions = {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 16}
    kind = {"conv_bias": False, "feat_extract_norm": "group", "feat_proj_layer_norm": True, "layer_norm_eps": 1e-5}
    kind |= {"hidden_act": "gelu", "feat_extract_activation": "gelu", "do_stable_layer_norm": False}
    settings = sizes | convolutions | positions | kind
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(settings))
    torch.manual_seed(1)
    save_file(hubert(settings).state_dict(), str(folder / "model.safetensors"))


@pytest.fixture
def desk(golden: Path, golden_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the card's asset; tiny models under the published names."""
    models = tmp_path / "models"
    for name in ("melody", "style"):
        shutil.copytree(golden / "audiocraft" / name / "ckpt", models / f"musicgen-{name}")
    shutil.copytree(golden / "t5_tiny", models / "t5-base")
    monkeypatch.setenv("SEGUE_MODELS", str(models))
    monkeypatch.setenv("SEGUE_CACHE", str(golden_cache))
    desk = tmp_path / "desk"
    desk.mkdir()
    monkeypatch.chdir(desk)
    at = torch.arange(5 * 44_100) / 44_100
    tune = 0.3 * torch.sin(2 * torch.pi * (196 * at + 20 * at**2))
    audio_write("assets/bach", tune.expand(2, -1), 44_100, "mp3")
    return desk


def run(card: str) -> dict:
    assert card.count(THEIRS) == 1
    names: dict = {"__name__": "card"}
    exec(compile(card.replace(THEIRS, OURS), "card", "exec"), names)
    return names


def check(desk: Path, wav: torch.Tensor) -> None:
    assert wav.shape == (3, 1, 8 * 32_000)
    for index in range(3):
        info = soundfile.info(desk / f"{index}.wav")
        assert (info.samplerate, info.channels, info.frames) == (32_000, 1, 8 * 32_000)


pytestmark = pytest.mark.filterwarnings("ignore:.*of the samples are cut", "ignore:.*stem separat")


def meaning(code: str) -> list[str]:
    """Statements of a script, without its imports and the model's name."""
    script = ast.parse(code.replace("facebook/musicgen-melody", "melody")).body
    return [ast.dump(part) for part in script if not isinstance(part, ast.Import | ast.ImportFrom)]


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_documentation_shows_this_very_example(page):
    text = (Path(__file__).parents[3] / page).read_text()
    [shown] = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "with_chroma" in block]
    assert meaning(shown) == meaning(CARD)
    imports = [line.split("#")[0].strip() for line in shown.splitlines() if "import" in line and line[0] != "#"]
    assert [line for line in imports if line] == OURS.splitlines()


def test_melody(desk):
    check(desk, run(CARD)["wav"])


def test_style_and_its_two_coefficients(desk):
    write_tiny_mert(desk.parent / "models" / "MERT-v1-95M")
    names = run(STYLE_CARD)
    check(desk, names["wav"])
    exec(compile(TWO_COEFFICIENTS, "card", "exec"), names)
    assert names["wav"].shape == (3, 1, 32_000)
