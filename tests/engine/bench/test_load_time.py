"""`python -m engine.bench.load_time`: its output, and its exit code when the bound is exceeded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny import TINY

from engine.bench import load_time as measure
from engine.checkpoints.make_random import Noise, write_transformers


def test_a_model_is_measured_in_a_process_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A model of a megabyte takes more than that to load: the bound is exceeded, and the exit code reports it."""
    write_transformers(tmp_path, TINY, Noise())
    assert measure.main([str(tmp_path), "--frames", "5", "--json"]) == 1
    figures = json.loads(capsys.readouterr().out)
    assert 0 < figures["weights_bytes"] < 2e6
    assert figures["loaded_peak_bytes"] > figures["before_bytes"] > 50e6
    assert figures["audio_seconds"] == 0.1
    assert figures["finite"]
    measure._print_figures(figures)
    assert "bound 1.3" in capsys.readouterr().out


def test_the_bound_is_on_what_loading_adds() -> None:
    figures = {"weights_bytes": 100, "before_bytes": 50, "loaded_peak_bytes": 180}
    assert measure.grown(figures) == 1.3


def test_half_precision_is_compared_with_float32(tmp_path: Path) -> None:
    write_transformers(tmp_path, TINY, Noise())
    figures = measure.compare_here(str(tmp_path), "cpu", "bfloat16")
    assert 0 < figures["error_std"] < 0.02
    assert figures["error_std"] < figures["error_max"] < 0.1
    assert figures["logits_std"] > 0.1
    with pytest.raises(SystemExit):
        measure.main(["small", "--against-float32"])
