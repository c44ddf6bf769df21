"""The composer: the same seed writes the same piece, on the grid, in every style."""

import random

import pytest

from engine.train.captions import caption
from engine.train.compose import compose
from engine.train.genres import GENRES, PROGRAM_NAMES, Genre
from engine.train.render_set import facts


@pytest.mark.parametrize("genre", GENRES, ids=lambda genre: genre.name)
def test_every_genre_composes(genre: Genre) -> None:
    piece = compose(7, genre, seconds=20.0)
    assert piece.seconds >= 20.0
    end = piece.n_bars * piece.beats_per_bar
    assert all(0 <= note.start_beats < end + 0.5 and 24 <= note.key <= 103 for note in piece.notes)
    assert {"chords", "melody"} <= {note.stem for note in piece.notes}


def test_seed_decides_everything() -> None:
    assert compose(11) == compose(11)
    assert compose(11).notes != compose(12).notes


def test_notes_lie_near_the_grid() -> None:
    piece = compose(3, seconds=30.0)
    swing = piece.genre.swing * 0.5
    off = [min(abs((n.start_beats * 4) - round(n.start_beats * 4)) / 4, abs(n.start_beats % 1 - 0.5 - swing))
           for n in piece.notes]  # fmt: skip
    assert sum(off) / len(off) < 0.02


def test_captions_name_what_is_there() -> None:
    piece = compose(21, seconds=20.0)
    known = {"genre": piece.genre.name, **facts(piece, 21)}
    texts = {caption(known, random.Random(i)) for i in range(200)}
    assert len(texts) > 50
    assert any(piece.genre.name in text for text in texts)
    assert any(PROGRAM_NAMES[piece.programs["melody"]] in text for text in texts)
