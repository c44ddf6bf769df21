"""What a stream is asked to play reaches the frames of a model that takes it; one that does not is as before."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.api.musicgen import MusicGen
from engine.conditions.arrangement import (
    INSTRUMENTS,
    SECTIONS,
    WIDTH,
    density_features,
    density_of,
    instruments_asked,
    key_asked,
    parse_key,
    section_asked,
    section_features,
)
from engine.conditions.frames import (
    BASIC_FEATURES,
    CONTEXT_COLUMNS,
    CONTEXT_GIVEN,
    DENSITY_COLUMNS,
    INSTRUMENT_COLUMNS,
    KEY_COLUMNS,
    MELODY_COLUMNS,
    N_FEATURES,
    SECTION_COLUMNS,
)
from engine.conditions.scale import has_tones, tonal_share
from engine.core.guidance import Guidance
from engine.errors import UnsupportedError
from engine.model import ARRANGEMENT, Ask, FrameGrid, LoadedModel, OnGrid, Reference
from engine.models import embedded_model

GUIDANCE = Guidance(2.0)


def at_features(folder: Path, out: Path, n_features: int) -> Path:
    """The shipped model with so many frame features: more have zero weights, fewer are cut."""
    shutil.copytree(folder, out)
    config = json.loads((out / "config.json").read_text())
    config["lm"]["frame_features"] = n_features
    (out / "config.json").write_text(json.dumps(config))
    for shard in out.glob("*.safetensors"):
        tensors = load_file(shard)
        if "lm.frame_proj.weight" in tensors:
            kept = tensors["lm.frame_proj.weight"][:, :BASIC_FEATURES]
            tensors["lm.frame_proj.weight"] = kept.contiguous()
            save_file(embedded_model.widened(tensors, n_features), shard)
    return out


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """The shipped weights as a model of the first three versions has them."""
    out = tmp_path_factory.mktemp("old") / "model"
    return embedded_model.load(folder=at_features(embedded_model.FOLDER, out, BASIC_FEATURES), bits=None)


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """The same with all frame features, those that are new with zero weights."""
    out = tmp_path_factory.mktemp("new") / "model"
    return embedded_model.load(folder=at_features(embedded_model.FOLDER, out, N_FEATURES), bits=None)


def frames_of(model: LoadedModel, ask: Ask, offset: int = 0, count: int = 40) -> Tensor:
    frames = model.conditioner([ask], GUIDANCE, offset, count)[0][0].frames
    assert frames is not None
    return frames


def tone(hz: float, seconds: float = 4.0) -> Tensor:
    return 0.3 * torch.sin(2 * torch.pi * hz * torch.arange(int(32000 * seconds)) / 32000)[None]


def drum_beat(seconds: float = 4.0) -> Tensor:
    """Bursts of noise every quarter of a second."""
    generator = torch.Generator().manual_seed(0)
    at = torch.arange(int(32000 * seconds))
    return (torch.randn(len(at), generator=generator) * torch.exp(-(at % 8000) / 900.0) * 0.3)[None]


def test_columns_fill_a_row() -> None:
    slices = (INSTRUMENT_COLUMNS, DENSITY_COLUMNS, SECTION_COLUMNS, KEY_COLUMNS)
    assert sum(part.stop - part.start for part in slices) == WIDTH
    assert slices[0].start == BASIC_FEATURES
    assert N_FEATURES == CONTEXT_GIVEN + 1 == BASIC_FEATURES + WIDTH + 97


def test_instruments_asked_for_are_ones_beside_a_flag() -> None:
    columns = instruments_asked(("bass", "drums"), 3)
    assert columns.shape == (3, 9)
    assert columns[0].tolist() == [1, 1, 0, 0, 0, 0, 0, 0, 1]
    with pytest.raises(ValueError, match=r"instruments are \['kazoo'\], must be one or more of drums, bass"):
        instruments_asked(("kazoo",), 3)
    with pytest.raises(ValueError, match="one or more"):
        instruments_asked((), 3)


@pytest.mark.parametrize(
    ("name", "tonic", "mode"),
    [("A minor", 9, "minor"), ("Eb major", 3, "major"), ("F#m", 6, "minor"), ("C", 0, "major"), ("Cb", 11, "major"),
     ("B# major", 0, "major"), ("b♭ min", 10, "minor")],
)  # fmt: skip
def test_names_of_keys_are_read(name: str, tonic: int, mode: str) -> None:
    assert parse_key(name) == (tonic, mode)
    columns = key_asked(name)
    assert columns[:12].sum() == 7
    assert columns[12:].argmax() == tonic


@pytest.mark.parametrize("name", ["", "H minor", "A dorian", "minor", "A  #"])
def test_other_names_are_no_keys(name: str) -> None:
    with pytest.raises(ValueError, match="must be a tone and a mode"):
        key_asked(name)


def test_density_and_section_say_where_they_are_not_known() -> None:
    assert density_features(torch.tensor([0.5, torch.nan])).tolist() == [[0.5, 1.0], [0.0, 0.0]]
    assert section_features(torch.tensor([-1, 2])).sum(dim=1).tolist() == [0.0, 1.0]
    assert section_asked("break", 2)[0].argmax() == SECTIONS.index("break")
    assert density_of(torch.tensor([0.0, 32.0, 1000.0])).tolist() == [0.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="section is 'bridge', must be one of intro, verse"):
        section_asked("bridge", 2)


def test_what_is_asked_reaches_the_conditional_row_alone_and_what_is_heard_all(new: LoadedModel) -> None:
    assert new.takes >= ARRANGEMENT
    ask = Ask(instruments=("drums",), density=0.5, section="build", key="A minor", context=Reference(tone(220.0)))
    frames = frames_of(new, ask)
    assert frames.shape == (2, 40, N_FEATURES)
    assert frames[0, 0, INSTRUMENT_COLUMNS].tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert frames[0, 0, DENSITY_COLUMNS].tolist() == [0.5, 1.0]
    assert frames[0, 0, SECTION_COLUMNS].argmax() == SECTIONS.index("build")
    assert frames[0, 0, KEY_COLUMNS].sum() == 8
    assert frames[0, :, CONTEXT_GIVEN].min() == 1
    assert frames[0, :, CONTEXT_COLUMNS].abs().max() > 0
    heard = slice(CONTEXT_COLUMNS.start, CONTEXT_GIVEN + 1)
    assert torch.equal(frames[1, :, heard], frames[0, :, heard]), "guidance towards the context would play it"
    assert frames[1, :, : heard.start].abs().sum() == 0, "the null row is asked nothing"


def test_context_is_read_where_the_window_lies_on_the_grid(new: LoadedModel) -> None:
    halves = torch.cat([tone(220.0, 2.0), drum_beat(2.0)], dim=1)
    context = Reference(halves, on_grid=OnGrid(0.0, 8.0, 120.0))
    ask = Ask(context=context, grid=FrameGrid(120.0))
    whole = frames_of(new, ask, 0, 200)[0, :, CONTEXT_COLUMNS]
    later = frames_of(new, ask, 150, 100)[0, :, CONTEXT_COLUMNS]
    torch.testing.assert_close(later[:50], whole[150:])
    torch.testing.assert_close(later[50:], whole[:50])  # it is repeated
    assert (whole[20] - whole[180]).abs().max() > 0.5


def test_a_model_without_the_new_features_takes_none_of_them(old: LoadedModel) -> None:
    assert not old.takes & ARRANGEMENT
    assert frames_of(old, Ask(grid=FrameGrid(100.0))).shape == (2, 40, BASIC_FEATURES)


def test_withheld_conditions_leave_the_same_bits(old: LoadedModel, new: LoadedModel) -> None:
    """A model whose new features have zero weights, and is asked none of them, is the old model."""
    ask = Ask("calm piano", Reference(tone(440.0)), None, FrameGrid(100.0))
    tokens = torch.randint(0, 1024, (2, 4, 41), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = [model.lm(tokens, model.conditioner([ask], GUIDANCE, 0, 40)[0][0]) for model in (old, new)]
    torch.testing.assert_close(logits[0], logits[1], atol=2e-5, rtol=1e-5)  # products of other widths


def test_drums_have_no_chords_to_keep(new: LoadedModel) -> None:
    beat, chord = drum_beat(), tone(220.0) + tone(277.0) + tone(330.0)
    assert not has_tones(beat[0])
    assert has_tones(chord[0])
    assert tonal_share(beat[0]) < 0.05 < 0.5 < tonal_share(chord[0])
    assert tonal_share(torch.zeros(32000)) == 0.0
    assert frames_of(new, Ask(harmony=Reference(beat)))[:, :, MELODY_COLUMNS].abs().sum() == 0
    assert frames_of(new, Ask(harmony=Reference(chord)))[0, :, MELODY_COLUMNS].abs().sum() > 0
    drums = dataclasses.replace(Ask(harmony=Reference(chord)), instruments=("drums",))
    assert frames_of(new, drums)[:, :, MELODY_COLUMNS].abs().sum() == 0


def test_retiming_moves_the_context_too(new: LoadedModel) -> None:
    context = Reference(torch.cat([tone(220.0, 2.0), drum_beat(2.0)], dim=1), on_grid=OnGrid(0.0, 8.0, 120.0))
    ask = Ask(context=context, grid=FrameGrid(120.0), instruments=INSTRUMENTS[:1])
    conditions = new.conditioner([ask], GUIDANCE, 0, 200)[0]
    frames = conditions[0].frames
    assert frames is not None
    before = frames.clone()
    new.conditioner.retime(conditions, dataclasses.replace(ask, grid=FrameGrid(90.0)), 0, 50)  # type: ignore[attr-defined]
    assert torch.equal(frames[0, :50], before[0, :50])
    wanted = frames_of(new, dataclasses.replace(ask, grid=FrameGrid(90.0)), 0, 200)
    torch.testing.assert_close(frames[:, 50:], wanted[:, 50:])


def test_the_python_interface_asks_for_parts(new: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Ask] = []
    heard = type(new.conditioner).__call__
    monkeypatch.setattr(
        type(new.conditioner), "__call__", lambda self, asks, *rest: asked.extend(asks) or heard(self, asks, *rest)
    )
    model = MusicGen(new, "embedded")
    model.set_generation_params(
        duration=0.2, bpm=120.0, instruments=["bass"], density=0.25, section="break", key="A minor"
    )
    audio = model.generate_with_references(["deep"], context_wavs=[tone(220.0)], seed=0)
    assert isinstance(audio, Tensor)
    assert audio.isfinite().all()
    one = asked[0]
    assert (one.instruments, one.density, one.section, one.key) == (("bass",), 0.25, "break", "A minor")
    assert one.context is not None
    assert one.context.on_grid == OnGrid(0.0, 8.0, 120.0)


@pytest.mark.parametrize(
    ("wrong", "kind", "said"),
    [({"instruments": "bass"}, TypeError, "instruments is 'bass', must be a list of names of instruments"),
     ({"instruments": ["kazoo"]}, ValueError, "must be one or more of drums"),
     ({"instruments": [None]}, ValueError, "must be one or more of drums"),
     ({"density": 2}, ValueError, "density is 2, must be from 0"), ({"density": "much"}, TypeError, "must be a number"),
     ({"section": "bridge"}, ValueError, "must be one of intro"), ({"section": 3}, TypeError, "must be a text"),
     ({"key": "H"}, ValueError, "must be a tone and a mode"), ({"key": 5}, TypeError, "must be a text")],
)  # fmt: skip
def test_other_values_are_refused(
    new: LoadedModel, old: LoadedModel, wrong: dict[str, object], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        MusicGen(new, "embedded").set_generation_params(**wrong)  # type: ignore[arg-type]


def test_a_model_that_plays_no_parts_says_so(old: LoadedModel) -> None:
    for asked in ({"instruments": ["bass"]}, {"density": 0.5}, {"section": "break"}, {"key": "C"}):
        with pytest.raises(UnsupportedError, match=r"cannot follow .*; it can follow: continue, harmony, melody"):
            MusicGen(old, "embedded").set_generation_params(**asked)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match="cannot follow context"):
        MusicGen(old, "embedded").generate_with_references([None], context_wavs=[tone(220.0)])
