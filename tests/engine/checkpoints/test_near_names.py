"""A misspelt model name, and the name of the embedded model, which needs no download."""

from __future__ import annotations

import pytest

from engine.checkpoints.__main__ import EXIT_ERROR, main
from engine.checkpoints.find import find
from engine.errors import CheckpointError


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("smal", "small"), ("embeded", "embedded"), ("facebook/musicgen-melodie", "melody")],
)
def test_a_misspelt_model_is_answered_with_the_one_meant(wrong, meant, capsys):
    with pytest.raises(CheckpointError, match=rf"did you mean {meant}\? `segue models` shows"):
        find(wrong)
    assert main(["get", wrong]) == EXIT_ERROR
    assert f"did you mean {meant}?" in capsys.readouterr().err


def test_a_name_that_is_near_to_none_gets_no_guess():
    with pytest.raises(CheckpointError) as fault:
        find("quux")
    assert "did you mean" not in str(fault.value)


@pytest.mark.parametrize("command", ["get", "remove"])
def test_the_embedded_model_comes_with_segue(command, capsys):
    assert main([command, "embedded"]) == EXIT_ERROR
    assert "the embedded model comes with Segue" in capsys.readouterr().err
