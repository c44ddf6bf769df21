"""Handlers of what mixes prompts and styles, [control]: slots, weights, presets and scenes."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import platformdirs

from bridge.control import messages
from bridge.control.morph_rows import STYLES
from bridge.control.presets import Preset, preset_names, shares
from bridge.control.requests import Answer, Handler, Request
from bridge.control.rows import PROMPTS_MAX, STYLES_MAX
from bridge.control.user_presets import UserPresets
from bridge.errors import OutOfRange
from engine.serve.control.command_handlers import CommandHandlers
from engine.serve.lane.lane import Lane
from engine.serve.lane_settings import LaneSettings, Morph

FOLDER = "SEGUE_PRESETS"  # environment variable: the user's presets
LIST_BYTES = 850  # of an answer


def user_folder() -> Path:
    """The folder of the user's presets.  [any]"""
    chosen = os.environ.get(FOLDER)
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_config_dir("segue")) / "presets"


class MorphHandlers:
    """The handlers; `must_take` raises Unsupported for a role that the model cannot follow."""

    def __init__(
        self, commands: CommandHandlers, lane_of: Callable[[int], Lane], must_take: Callable[[str], None]
    ) -> None:
        self._commands, self._lane_of, self._must_take = commands, lane_of, must_take
        self.presets = UserPresets(user_folder())
        self._keys = count(1)  # of glides
        self._writer = ThreadPoolExecutor(1, "segue-presets")

    def handlers(self) -> dict[str, Handler]:
        """The handlers by address.  [main]"""
        m = messages
        rows = {
            m.LANE_SLOT: self.slot, m.LANE_MORPH: self.morph, m.LANE_SURFACE: self.surface,
            m.LANE_PRESET: self.preset, m.LANE_RECALL: self.recall,
            m.PRESET_SAVE: self.save, m.PRESET_LIST: self.list,
        }  # fmt: skip
        return {row.address: handler for row, handler in rows.items()}

    def slot(self, request: Request) -> Answer:
        """lane/slot.  [control]"""
        number, text = request.whole("slot"), request.text("text")
        if text:
            self._must_take("text")
        after = self._lane_of(request.whole("lane")).wanted.with_prompt_at(number, text)
        about = f"prompt {number}"
        return self._commands.change(
            request, about, lambda settings: settings.with_prompt_at(number, text), len(after.every_prompt)
        )

    def morph(self, request: Request) -> Answer:
        """lane/morph.  [control]"""
        weights = [request.number(f"w{number}") for number in range(1, PROMPTS_MAX + 1)]
        return self._weigh(request, shares(weights))

    def surface(self, request: Request) -> Answer:
        """lane/surface.  [control]"""
        return self._weigh(request, corner_weights(request.number("x"), request.number("y")))

    def _weigh(self, request: Request, weights: tuple[float, ...]) -> Answer:
        styles = request.text("what") == STYLES
        self._must_take("style" if styles else "text")
        if styles and len(weights) > STYLES_MAX:
            raise OutOfRange(f"w{len(weights)} is above 0; a lane has up to {STYLES_MAX} styles")
        morph = self._glide(weights, request.number("beats"))
        about = f"weights of {request.text('what')}"
        return self._commands.change(
            request, about, lambda settings: settings.with_morph(morph, styles), weights_text(weights)
        )

    def _glide(self, weights: tuple[float, ...], beats: float) -> Morph:
        return Morph(weights, beats, next(self._keys) if beats else 0)

    # -- presets and scenes -------------------------------------------------------------------------------

    def preset(self, request: Request) -> Answer:
        """lane/preset.  [control]"""
        return self._load(request, 0.0)

    def recall(self, request: Request) -> Answer:
        """lane/recall.  [control]"""
        return self._load(request, request.number("beats"))

    def _load(self, request: Request, beats: float) -> Answer:
        lane, preset = self._lane_of(request.whole("lane")), self.presets.load(request.text("preset"))
        if any(preset.prompts):
            self._must_take("text")
        for name, value in preset.parameters.items():
            self._commands.check_card(name, value)
        morph = self._glide(preset.weights or (1.0,), beats)
        styles = self._glide(preset.style_weights, beats) if preset.style_weights else None

        def update(settings: LaneSettings) -> LaneSettings:
            for name, value in preset.parameters.items():
                settings = settings.with_value(name, value)
            if preset.prompts:
                settings = settings.gliding_to(preset.prompts, morph)
            return settings if styles is None else settings.with_morph(styles, styles=True)

        return self._commands.change(
            request, "", update, lane.wanted.prompt if preset.prompt is None else preset.prompt
        )

    def save(self, request: Request) -> Answer:
        """preset/save.  [control]"""
        preset = preset_of(
            request.text("preset"), request.text("description"), self._lane_of(request.whole("lane")).wanted
        )
        return request.responder.answer_from(self._writer, lambda: (str(self.presets.save(preset)),))

    def list(self, request: Request) -> Answer:
        """preset/list.  [control]"""
        names = [*self.presets.names(), *preset_names()]
        lines, room = list[str](), LIST_BYTES
        for name in names[request.whole("first") :]:
            line = self._line(name)
            room -= len(line.encode()) + 1
            if room < 0:
                break
            lines.append(line)
        return len(names), "\n".join(lines)

    def _line(self, name: str) -> str:
        try:
            return f"{name}: {' '.join(self.presets.load(name).description.split())[:200]}"
        except Exception as fault:
            return f"{name}: {' '.join(str(fault).split())[:200]}"


def corner_weights(x: float, y: float) -> tuple[float, ...]:
    """The weights of the corners below left, below right, above left, above right at a point of the square.  [any]"""
    return shares([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y])


def weights_text(weights: tuple[float, ...]) -> str:
    """Weights for people and clients: '0.25 0.75'.  [any]"""
    return " ".join(f"{weight:.4g}" for weight in weights)


def preset_of(name: str, description: str, settings: LaneSettings) -> Preset:
    """A lane's prompts, weights, and the parameters that clients have set, as a preset.  [any]"""
    mixed = len(settings.every_prompt) > 1
    style = settings.style_morph.weights if len(settings.styles) > 1 else ()
    return Preset(
        name, description, settings.chosen_values, settings.every_prompt, settings.morph.weights if mixed else (), style
    )
