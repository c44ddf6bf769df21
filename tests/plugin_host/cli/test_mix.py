"""`--mix` and `--morph`: what they mean, and what is refused."""

from __future__ import annotations

import pytest
import typer

from plugin_host.cli.options import mix_of


def test_a_text_may_hold_an_equals_sign() -> None:
    assert mix_of(["soft pads=0.3", "a=b =2"], "", 8.0) == (("soft pads", 0.3), ("a=b", 2.0))
    assert mix_of(None, "dub", 0.0) == ()


@pytest.mark.parametrize(
    ("pairs", "prompt", "beats", "says"),
    [
        (["pads"], "", 0.0, "needed"),
        (["pads=much"], "", 0.0, "needed"),
        (["=1"], "", 0.0, "needed"),
        (["pads=nan"], "", 0.0, "from 0"),
        (["pads=-1"], "", 0.0, "from 0"),
        (["pads=0", "dub=0"], "", 0.0, "above 0"),
        (["pads=1"] * 9, "", 0.0, "up to 8"),
        (["pads=1"], "dub", 0.0, "choose one"),
        (["pads=1"], "", 8.0, "two prompts"),
    ],
)
def test_mixes_that_are_refused(pairs: list[str], prompt: str, beats: float, says: str) -> None:
    with pytest.raises(typer.BadParameter, match=says):
        mix_of(pairs, prompt, beats)
