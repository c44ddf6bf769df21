"""Text conditions against the reference's T5: tokens, vectors, and what is zero."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from engine.conditions.text_t5 import T5Texts, TextConditioner, load_tokenizer
from engine.errors import CheckpointError, UnsupportedError


@pytest.fixture(scope="module")
def data(golden):
    with np.load(golden / "misc" / "t5.npz") as stored:
        return {name: stored[name] for name in stored.files}


@pytest.fixture(scope="module")
def conditioner(golden, golden_models, data) -> TextConditioner:
    projection = nn.Linear(32, 16)
    with torch.no_grad():
        projection.weight.copy_(torch.from_numpy(data["proj_w"]))
        projection.bias.copy_(torch.from_numpy(data["proj_b"]))
    encoder = golden_models["audiocraft/text"].conditioner.text.encode.encoder
    return TextConditioner(T5Texts(encoder, load_tokenizer(golden / "t5_tiny")), projection)


def texts_of(data) -> list[str | None]:
    return [None if text == "<None>" else text for text in data["texts"].tolist()]


def test_the_vectors_hold_hard_texts(data):
    texts = texts_of(data)
    assert "" in texts
    assert None in texts
    assert any("  " in text for text in texts if text)


@pytest.mark.parametrize("source", ["tokenizer.json", "spiece.model"])
def test_tokens(golden, tmp_path, data, source):
    (tmp_path / source).write_bytes((golden / "t5_tiny" / source).read_bytes())
    tokenize = load_tokenizer(tmp_path)
    for text, ids, mask in zip(texts_of(data), data["input_ids"], data["mask"], strict=True):
        got = tokenize(text or "")
        assert got == ids[: len(got)].tolist(), text
        assert not ids[len(got) :].any()
        assert mask.sum() == (len(got) if text else 0)


def test_vectors(conditioner, data):
    got = conditioner(texts_of(data))
    np.testing.assert_allclose(got.numpy(), data["embeds"], atol=2e-5)


def test_empty_and_none_are_zero_vectors(conditioner):
    got = conditioner(["", None, "sad jazz"])
    assert not got[:2].any()
    assert got[2].any()
    assert conditioner([None, ""]).shape == (2, 1, 16)
    assert conditioner(["  "]).any()


def test_a_text_met_before_gives_the_same(conditioner):
    first = conditioner(["warm pads"]).clone()
    assert torch.equal(conditioner(["warm pads"]), first)


def test_a_text_too_long_is_refused(conditioner):
    with pytest.raises(UnsupportedError, match="limit is 1024"):
        conditioner(["drum and bass " * 1000])


@pytest.mark.parametrize("text", ["\x00\x01", "\ud83c\udfb5 musique", "a" * 500, "\u202e\ufeff", "\n\t"])
def test_odd_texts_give_numbers(conditioner, text):
    assert torch.isfinite(conditioner([text.encode("utf-16", "surrogatepass").decode("utf-16")])).all()


def test_no_tokenizer_is_said(tmp_path):
    with pytest.raises(CheckpointError, match=r"neither tokenizer\.json nor spiece\.model"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("name", ["tokenizer.json", "spiece.model"])
def test_a_broken_tokenizer_is_said(golden, tmp_path, name):
    whole = (golden / "t5_tiny" / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=name):
        load_tokenizer(tmp_path)
