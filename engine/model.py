"""A loaded model: language model, codec and conditioner; and the requested conditions of one stream.

    Ask (text, references, grid) --conditioner--> Conditions of one window --lm--> codes --codec--> audio

References and the grid are given on the stream's own time axis (frame 0 = its first frame), so a conditioner
can read them at any window's offset. `engine.checkpoints` and `engine.models.embedded_model` return a `LoadedModel`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from torch import Tensor

from engine.codec.base import Codec
from engine.core.guidance import Guidance
from engine.lm import Conditions, LanguageModel
from engine.lm.executors.base import Executor

TEXT, MELODY, STYLE, TEMPO, CONTINUE = "text", "melody", "style", "tempo", "continue"
HARMONY = "harmony"  # a model that follows the chords of its prompt
INSTRUMENTS, DENSITY, SECTION, KEY, CONTEXT = "instruments", "density", "section", "key", "context"
ARRANGEMENT = frozenset({INSTRUMENTS, DENSITY, SECTION, KEY, CONTEXT})  # what a model that plays parts takes
MIN_EXCERPT_SECONDS = 0.02  # shorter ones yield no features


@dataclass(frozen=True)
class GridSegment:
    """From stream frame `frame` on: beat and tempo there, and the tempo's change per beat (`slope`, bpm).

    A bar begins at `bar_beats`; all beats are counted like `FrameGrid.start_beats`.  [any]
    """

    frame: float
    beats: float
    bpm: float
    slope: float = 0.0
    beats_per_bar: float = 4.0
    bar_beats: float = 0.0


@dataclass(frozen=True)
class FrameGrid:
    """The host's beats under a stream: frame t lies at `start_beats + t / 50 * bpm / 60` quarter notes.

    `beats_per_bar` is in quarter notes (3.5 for 7/8), a bar begins at beat 0. If tempo or bars change along the
    stream, `segments` hold the changes, in the order of their frames; the first also holds before its frame.  [any]
    """

    bpm: float
    start_beats: float = 0.0
    beats_per_bar: float = 4.0
    segments: tuple[GridSegment, ...] = ()


@dataclass(frozen=True)
class OnGrid:
    """The position of a reference on an ask's grid: its first sample on `start_beats`, repeated every `beats`.

    `bpm` is its own tempo.  [any]
    """

    start_beats: float
    beats: float
    bpm: float


@dataclass(frozen=True)
class Reference:
    """Music for conditioning: mono float32 `audio` [1, N] at the model's sample rate, repeated.

    `start_samples` is the sample that belongs to the stream's frame 0; `speed` is reference seconds per
    stream second (host tempo over the reference's own), for conditioners that support it.  `whole`: the
    conditions are computed from all the audio and then repeated, for any window (audiocraft's rule if one window
    is enough).  `on_grid` replaces `start_samples` and `speed` if the ask has a grid, and follows its tempo
    changes. [any]
    """

    audio: Tensor
    start_samples: int = 0
    speed: float = 1.0
    whole: bool = False
    on_grid: OnGrid | None = None


@dataclass(frozen=True)
class StyleExcerpt:
    """The excerpt of a style: `seconds` (trained on 1.5 to 4.5), coded by `eval_q` quantisers.

    `start_samples` are the excerpts' starts, one per window, the last for all later ones, in samples of the window's
    part at the model's rate; None: drawn from the ask's seed.  `ds_factor`: one of how many feature frames is
    kept, None = the model's own.  Windows are counted in steps of `stride_frames`, None = the model's own: a window
    that begins in the same stretch of the stream has the same excerpt, however often it is regenerated.  Raises
    ValueError out of range.  [any]
    """

    seconds: float = 3.0
    eval_q: int = 3
    ds_factor: int | None = None
    start_samples: tuple[int, ...] | None = None
    stride_frames: int | None = None

    def __post_init__(self) -> None:
        if not MIN_EXCERPT_SECONDS <= self.seconds < float("inf"):
            raise ValueError(f"the style excerpt is {self.seconds} s long, must be {MIN_EXCERPT_SECONDS} s or more")
        for name in ("eval_q", "ds_factor", "stride_frames"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}, must be 1 or more")
        if self.start_samples is not None and (not self.start_samples or min(self.start_samples) < 0):
            raise ValueError(f"start_samples is {self.start_samples}, must be one or more numbers from 0")


@dataclass(frozen=True)
class ExcerptRange:
    """The part of a style reference that conditions a window: first sample and count, at the model's rate.

    Counted in the reference itself if it is `whole`, else from the sample of the window's first frame.  [any]
    """

    start_samples: int
    count_samples: int


@dataclass(frozen=True)
class Ask:
    """The conditions that one stream requests; None = not requested (its null condition is used).

    `harmony` is music whose chords are kept if there is no melody: the audio prompt. `seed` draws the random parts
    of the conditions (the starts of style excerpts). `exact`: audiocraft's own rules instead of Segue's, see
    docs/conditions.md. `instruments` (names of `engine.conditions.arrangement.INSTRUMENTS`) are those that play,
    `density` from 0 to 1 is how many notes they play, `section` one of SECTIONS, `key` as "A minor"; `context` is the
    music of the other parts, which the model hears and does not play. `texts` and `styles`, if given, replace `text`
    and `style` by a mixture of several, each with its weight; all styles are excerpts of one length.  [any]
    """

    text: str | None = None
    melody: Reference | None = None
    style: Reference | None = None
    grid: FrameGrid | None = None
    excerpt: StyleExcerpt = StyleExcerpt()
    seed: int = 0
    exact: bool = False
    harmony: Reference | None = None
    instruments: tuple[str, ...] | None = None
    density: float | None = None
    section: str | None = None
    key: str | None = None
    context: Reference | None = None
    texts: tuple[tuple[str, float], ...] = ()
    styles: tuple[tuple[Reference, float], ...] = ()

    def weighted_texts(self) -> tuple[tuple[str, float], ...]:
        """The texts that are not empty, with their weights.  [any]"""
        return self.texts or (((self.text, 1.0),) if self.text else ())

    def weighted_styles(self) -> tuple[tuple[Reference, float], ...]:
        """The styles with their weights.  [any]"""
        return self.styles or (() if self.style is None else ((self.style, 1.0),))

    def wordless(self) -> Ask:
        """The same without text.  [any]"""
        return replace(self, text=None, texts=())


class Conditioner(Protocol):
    """Turns the asks of streams into the conditions of one window."""

    takes: frozenset[str]  # of TEXT, MELODY, STYLE, TEMPO, HARMONY and ARRANGEMENT

    def __call__(
        self, asks: Sequence[Ask], guidance: Guidance, offset_frames: int, window_frames: int
    ) -> list[tuple[Conditions, ...]]:
        """Conditions of each ask's guidance rows for the window that starts at `offset_frames`.

        One `Conditions` of `guidance.rows` rows per ask, or two of one row each (conditional, null) when
        `guidance.two_step`.  Asks given together are padded together, as the reference does.  [generate]
        """
        ...

    def excerpts(self, asks: Sequence[Ask], offset_frames: int) -> list[ExcerptRange | None]:
        """The excerpt of its style for each ask in the window at `offset_frames`; None without a style.

        The same asks and offset give the same result, before and after the conditions are computed.  [any]
        """
        ...

    def prepare(self, ask: Ask) -> None:
        """Do slow work in advance (separating a melody's stems), so that no window waits for it.  [any]"""
        ...


@runtime_checkable
class FollowsGrid(Protocol):
    """A conditioner whose conditions can be changed while a window runs, for the frames that are not drawn yet."""

    def retime(self, conditions: tuple[Conditions, ...], ask: Ask, offset_frames: int, first_row: int) -> None:
        """Write an ask's new grid into a running window's frames, from row `first_row` on.  [generate]"""
        ...


@dataclass(frozen=True)
class LoadedModel:
    """A hot model; windows have `window_frames` and roll by `stride_frames`.

    Its executor, chosen when the model is loaded, takes the language model's steps.  [generate]
    """

    name: str
    executor: Executor
    codec: Codec
    conditioner: Conditioner
    window_frames: int = 1500
    stride_frames: int = 900
    cfg_coef: float = 3.0
    temperature: float = 1.0  # the two defaults that sound best
    trained_rms: float | None = None  # loudness of the training set; None = any
    notes: tuple[str, ...] = ()  # sentences for the user: what is missing, and the remedy

    @property
    def lm(self) -> LanguageModel:
        """The language model.  [any]"""
        return self.executor.lm

    @property
    def codec_runtime(self) -> str:
        """What runs its codec: "torch" or "onnx".  [any]"""
        return str(getattr(getattr(getattr(self.codec, "mono", self.codec), "runtime", None), "name", "torch"))

    @property
    def takes(self) -> frozenset[str]:
        """Names of the references that this model can follow, including CONTINUE.  [any]"""
        return self.conditioner.takes | {CONTINUE}
