"""The model's outputs are made once, the same alone or together, and continued after a stop."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.model import LoadedModel
from engine.models import embedded_model
from engine.train import evaluate, examples
from engine.train.compose import compose
from engine.train.evaluation import kept as kept_module
from engine.train.evaluation.asks import GROUPS, EvaluationPlan, ask_of
from engine.train.evaluation.kept import AnswerCache, batches, make, tasks
from engine.train.evaluation.pieces import HeldOut
from engine.train.render import Rendered

PLAN = EvaluationPlan(pieces=2, seconds=0.4, long_pieces=1, long_seconds=0.6)


def stand_in(seed: int) -> HeldOut:
    """A held-out piece of plain tones, without a soundfont."""
    at = np.arange(int(32000 * PLAN.render_seconds)) / 32000
    audio = (0.2 * np.sin(2 * np.pi * (220.0 + 30 * seed) * at)).astype(np.float32)
    return HeldOut(compose(seed), Rendered(audio, audio, audio), "calm piano")


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return embedded_model.load()


def test_answers_are_made_once_and_the_same_alone(tmp_path: Path, model: LoadedModel) -> None:
    pieces = [stand_in(0), stand_in(1)]
    kept = AnswerCache(tmp_path, model, PLAN)
    for group, batch in tasks(kept, ("melody", "onward", "long")):
        make(kept, group, batch, lambda _: pieces)
    assert not tasks(kept, ("melody", "onward", "long"))
    together = kept.read("melody")[1]
    assert together.audio.shape == (int(0.4 * 32000),)
    prompt_frames = int(4.0 * 50)
    onward = kept.read("onward")[0]
    assert onward.codes.shape == (4, prompt_frames + 20)
    assert len(onward.audio) == 20 * 640, "only what follows the prompt"
    assert kept.read("long")[0].codes.shape == (4, 30)
    kept.path("melody", 1).unlink()
    assert tasks(kept, ("melody", "long")) == [("melody", [1])]
    make(kept, "melody", [1], lambda _: pieces)
    assert torch.equal(kept.read("melody")[1].codes, together.codes), "alone what it was beside the other"


def test_other_settings_have_another_folder(tmp_path: Path, model: LoadedModel) -> None:
    folders = {
        AnswerCache(tmp_path, model, plan).folder
        for plan in (PLAN, EvaluationPlan(seconds=0.4, cfg=3.0), EvaluationPlan(seconds=0.8))
    }
    assert len(folders) == 3
    assert AnswerCache(tmp_path, model, EvaluationPlan(pieces=9, seconds=0.4)).folder in folders, (
        "more pieces go on in the same"
    )


def test_batches_are_neighbours() -> None:
    assert list(batches([0, 1, 2, 3, 4, 7, 8], 4)) == [[0, 1, 2, 3], [4], [7, 8]]
    assert list(batches([3, 4], 1)) == [[3], [4]]


def test_every_group_asks_for_what_it_says() -> None:
    held = stand_in(0)
    asks = {group: ask_of(group, 0, held) for group in GROUPS}
    assert asks["melody"].melody is not None
    assert asks["style"].style is not None
    assert held.genre in str(asks["genre"].text)
    assert asks["tempo"].grid != asks["genre"].grid
    assert asks["onward"].text is None
    with pytest.raises(ValueError, match="no group 'louder'"):
        ask_of("louder", 0, held)


def test_half_written_answers_do_not_count(tmp_path: Path, model: LoadedModel) -> None:
    kept = AnswerCache(tmp_path, model, PLAN)
    path = kept.path("melody", 0)
    path.parent.mkdir(parents=True)
    path.with_suffix(".part").write_bytes(b"half")
    assert 0 in kept.missing("melody")
    assert kept_module.TOGETHER == 4, "batches of the answers that are kept; another number makes the same ones"


@pytest.mark.parametrize("given", [{"pieces": 2}, {"seconds": 1.0}, {"long_seconds": 5.0}])
def test_too_little_to_measure_with_is_refused(given: dict[str, float]) -> None:
    names = ("pieces", "seconds", "long_pieces", "long_seconds", "cfg", "temperature", "top_k")
    args = argparse.Namespace(quick=True, **{name: given.get(name) for name in names})
    with pytest.raises(ValueError, match="at least 4 pieces"):
        evaluate.plan_of(args, 2.5, 0.9)
    args = argparse.Namespace(quick=False, **dict.fromkeys(names))
    assert evaluate.plan_of(args, 2.5, 0.9).pieces >= 50


def test_examples_page_keeps_what_was_said_by_hand(tmp_path: Path) -> None:
    audio = np.zeros(32000, np.float32)
    groups = {
        "words": [examples.Example("one", "the first", audio)],
        "onward": [examples.Example("two", "next", audio)],
    }
    page = tmp_path / "index.md"
    page.write_text(examples.page(groups, {"words": "Looked at: even."}))
    assert examples.notes_of(page) == {"words": "Looked at: even.", "onward": ""}
    assert examples.page(groups, examples.notes_of(page)) == page.read_text()
    examples.picture(groups["words"], tmp_path / "words.png", "words")
    examples.write(groups["words"], tmp_path)
    assert (tmp_path / "one.ogg").read_bytes().startswith(b"OggS")
    assert (tmp_path / "words.png").stat().st_size < 100_000
