"""Per-frame features: chroma has the pitch, tempo features are the host's beats."""

import math

import numpy as np
import pytest
import torch

from engine.conditions.frames import (
    BASIC_FEATURES,
    SUMMARY,
    beats_of_frames,
    chroma_frames,
    melody_features,
    tempo_features,
)
from engine.conditions.words import MAX_WORDS, encode_texts, words_of


@pytest.mark.parametrize(("key", "pitch_class"), [(60, 0), (69, 9), (66, 6), (83, 11)])
def test_chroma_names_the_note(key: int, pitch_class: int) -> None:
    hz = 440.0 * 2 ** ((key - 69) / 12)
    audio = torch.sin(2 * math.pi * hz * torch.arange(32000) / 32000)
    chroma = chroma_frames(audio)
    assert chroma.shape == (50, 12)
    assert (chroma[5:-5].argmax(dim=1) == pitch_class).all()


def test_silent_frames_have_no_chroma() -> None:
    audio = torch.cat([torch.sin(torch.arange(16000) * 0.1), torch.zeros(16000)])
    chroma = chroma_frames(audio)
    assert chroma[:20].amax() == pytest.approx(1.0)
    assert chroma[-10:].abs().max() == 0.0


def test_melody_and_tempo_columns_fill_a_row() -> None:
    melody = melody_features(torch.rand(7, 12))
    tempo = tempo_features(beats_of_frames(0.0, 120.0, 0, 7), 120.0, 4.0)
    assert melody.shape[1] + tempo.shape[1] + 2 * SUMMARY == BASIC_FEATURES


def test_beat_phase_does_not_drift_over_hours() -> None:
    """Ten hours in, the phase is that of the exact beat count."""
    first = 10 * 3600 * 50
    beats = beats_of_frames(0.0, 128.0, first, 3)
    exact = [(first + i + 0.5) / 50 * 128 / 60 for i in range(3)]
    np.testing.assert_allclose(beats.numpy(), exact, atol=1e-6)
    row = tempo_features(beats, 128.0, 4.0)[0]
    assert float(row[0]) == pytest.approx(math.sin(2 * math.pi * (exact[0] % 1)), abs=1e-4)


def test_words_of_odd_prompts() -> None:
    assert words_of("A piece of Lo-Fi, with PIANO!") == ["lo", "fi", "piano"]
    assert words_of("\x00\ud7ff \u2603 ...") == []
    assert len(words_of("drums " * 500)) == MAX_WORDS


def test_texts_encode_the_same_every_time() -> None:
    one, other = encode_texts(["jazz"]), encode_texts(["jazzy"])
    assert (one > 0).any()
    shared = set(one[one > 0].tolist()) & set(other[other > 0].tolist())
    assert shared, "near spellings share parts"
    assert (encode_texts([None, ""]) == 0).all()
