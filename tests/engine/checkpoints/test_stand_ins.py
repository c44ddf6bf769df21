"""A caller's own functions in place of parts of a model: what they return is checked."""

from __future__ import annotations

import pytest
import torch

from engine.conditions.melody import without_drums_and_bass
from engine.conditions.text_t5 import StandInTexts

AUDIO = torch.zeros(2, 44_100)


@pytest.mark.parametrize(
    ("stems", "said"),
    [
        (lambda mix: mix, r"returned \[2, 2, 44100\], must be \[2, 4, 2, 44100\]: .*drums, bass, other, vocals"),
        (lambda mix: mix.new_zeros(2, 2, 2, 44_100), r"returned \[2, 2, 2, 44100\], must be \[2, 4, 2, 44100\]"),
        (lambda mix: mix.new_zeros(2, 4, 2, 100), r"returned \[2, 4, 2, 100\], must be"),
        (lambda mix: None, r"returned a NoneType, must be a torch tensor \[2, 4, 2, 44100\]"),
        (lambda mix: mix.numpy(), "returned a ndarray, must be a torch tensor"),
    ],
)
def test_a_separator_that_returns_no_stems_is_reported_what_is_needed(stems, said):
    with pytest.raises(ValueError, match=f"the given separator {said}"):
        without_drums_and_bass(AUDIO, 44_100, stems)


@pytest.mark.parametrize("wrong", [None, "text", [[0.0] * 8]])
def test_a_t5_that_returns_no_tensor_is_reported_what_is_needed(wrong):
    said = rf"the given t5 returned a {type(wrong).__name__}, must be a torch tensor \[1, tokens, 8\]"
    with pytest.raises(ValueError, match=said):
        StandInTexts(lambda texts: wrong, 8)("jazz", torch.device("cpu"))
