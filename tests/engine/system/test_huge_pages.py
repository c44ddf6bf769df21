"""Memory moved into huge pages keeps its content; memory that cannot be moved is unchanged."""

import sys

import pytest
import torch

from engine.system import huge_pages


def test_moved_memory_keeps_its_numbers() -> None:
    numbers = torch.arange(3 * huge_pages.PAGE_BYTES // 4, dtype=torch.int32)
    moved = huge_pages.move([(numbers.data_ptr(), numbers.nbytes), (numbers.data_ptr(), 4096)])
    assert torch.equal(numbers, torch.arange(len(numbers), dtype=torch.int32))
    if not moved:
        pytest.skip("this system moves nothing")
    assert moved in (2 * huge_pages.PAGE_BYTES, 3 * huge_pages.PAGE_BYTES), "whole pages inside of it"


def test_other_systems_move_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = torch.zeros(huge_pages.PAGE_BYTES)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert huge_pages.move([(numbers.data_ptr(), numbers.nbytes)]) == 0
