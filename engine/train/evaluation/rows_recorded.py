"""Rows of recorded music: the codec on loops beside renders, and whether a continuation keeps a loop's timbre.

All of it [main].
"""

from collections.abc import Sequence

import numpy as np
import torch

from engine.api.offline import run_together
from engine.conditions.frames import SAMPLE_RATE_HZ
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.errors import UnsupportedError
from engine.model import Ask
from engine.stream import StreamSettings, WindowSize
from engine.train import metrics
from engine.train.evaluation import sound
from engine.train.evaluation.asks import PROMPT_SECONDS
from engine.train.evaluation.kept import following
from engine.train.evaluation.recorded import Loop, recorded_loops
from engine.train.evaluation.study import Study
from engine.train.evaluation.table import EvaluationRow
from engine.train.metrics import Array

GROUP = "recorded"
SEED = 7000
ONWARD_SECONDS = 8.0
FRAMES_PER_SECOND = 50
Pairs = Sequence[tuple[Array, Array]]


def recorded_rows(study: Study) -> None:
    """All rows; one that says why where the loops are not installed."""
    try:
        loops = recorded_loops(study.plan.seconds)
    except UnsupportedError as fault:
        nan = float("nan")
        study.report.put(EvaluationRow(GROUP, "skipped", nan, nan, nan, 0, note=str(fault)))
        return
    of_loops = [(loop.audio, study.through_codec(loop.audio)) for loop in loops]
    of_renders = list(zip(study.originals, study.coded, strict=True))
    mel = [_codec_rows(study, *each) for each in ((of_loops, "loops"), (of_renders, "renders"))]
    ratio = np.array(mel[0]) / np.mean(mel[1])
    study.report.mean(GROUP, "mel distance of loops over that of renders", ratio.tolist(), "<=", 1.1)
    _timbre_rows(study, loops, [heard for _, heard in of_loops])


def _codec_rows(study: Study, pairs: Pairs, kind: str) -> list[float]:
    """Rows of the codec alone on some music, with goals for loops; the mel distances."""
    put, limit = study.report.mean, "<=" if kind == "loops" else ""
    mel = [sound.mel_distance_db(*pair) for pair in pairs]
    put(GROUP, f"{kind} through the codec: mel distance, dB", mel, limit, 2.7)
    cosine = [metrics.chroma_cosine(metrics.chroma_of(a), metrics.chroma_of(b)) for a, b in pairs]
    put(GROUP, f"{kind} through the codec: chroma cosine", cosine)
    onsets = [float(np.corrcoef(metrics.onset_envelope(a), metrics.onset_envelope(b))[0, 1]) for a, b in pairs]
    put(GROUP, f"{kind} through the codec: correlation of the onsets' envelopes", onsets)
    put(GROUP, f"{kind}: steepest rise at attacks, dB in 2.5 ms", [sound.attacks_db(a, a) for a, _ in pairs])
    put(GROUP, f"{kind} through the codec: the same", [sound.attacks_db(a, b) for a, b in pairs])
    thirds = np.array([sound.thirds_db(*pair) for pair in pairs])
    for name, levels in zip(("bass", "middle", "treble"), thirds.T, strict=True):
        put(GROUP, f"{kind} through the codec: level of the {name}, dB", levels.tolist())
    worst = np.abs(thirds).max(axis=1)
    put(GROUP, f"{kind} through the codec: the third furthest from its level, dB", worst.tolist(), limit, 1.5)
    high = [sound.level_difference_db(a, b, 8000.0, 16000.0) for a, b in pairs]
    put(GROUP, f"{kind} through the codec: level above 8 kHz, dB", high)
    bass = [sound.tonal_bass_share(b) - sound.tonal_bass_share(a) for a, b in pairs]
    put(GROUP, f"{kind} through the codec: tonal share of the bass, more than before", bass)
    flicker = [sound.chroma_flicker(b) / (sound.chroma_flicker(a) + 1e-9) for a, b in pairs]
    put(GROUP, f"{kind} through the codec: chroma flicker over the original's", flicker, limit, 1.3)
    return mel


def _timbre_rows(study: Study, loops: list[Loop], coded: list[Array]) -> None:
    """Of which loop does a continuation sound? By the distance of mean MFCC, standardised over the loops."""
    put, chance = study.report.mean, 1.0 / len(loops)
    regions = [loop.audio[: int(PROMPT_SECONDS * SAMPLE_RATE_HZ)] for loop in loops]
    for what, sounds, note in (("the codec alone", coded, "ceiling"), ("continuations", _onward(study, regions), "")):
        nearest, nearer = timbre_kept(regions, sounds)
        goals = (("", 0.0), ("", 0.0)) if note else ((">=", 0.5), (">=", 0.95))
        name = f"{what}: own loop is the nearest of all by timbre (chance {chance:.2f})"
        put(GROUP, name, nearest, *goals[0], note=note)
        put(GROUP, f"{what}: own loop is nearer than the others' mean", nearer, *goals[1], note=note)


def timbre_kept(regions: Sequence[Array], sounds: Sequence[Array]) -> tuple[list[float], list[float]]:
    """For each sound whether its own region is the nearest by timbre, and nearer than the others' mean; 1 or 0."""
    known = np.stack([sound.mean_mfcc(region) for region in regions])
    spread = known.std(axis=0) + 1e-9
    heard = np.stack([sound.mean_mfcc(one) for one in sounds])
    distance = np.linalg.norm((heard[:, None] - known[None]) / spread, axis=2)
    own = distance.diagonal()
    others = (distance.sum(axis=1) - own) / (len(regions) - 1)
    nearest = distance.argmin(axis=1) == np.arange(len(regions))
    return nearest.astype(float).tolist(), (own < others).astype(float).tolist()


def _onward(study: Study, regions: Sequence[Array]) -> list[Array]:
    """Eight seconds after each region, told nothing else."""
    model, plan = study.model, study.plan
    audio = torch.from_numpy(np.stack(regions))[:, None]
    prompt = model.codec.encode(audio)
    frames = prompt.shape[-1] + int(ONWARD_SECONDS * FRAMES_PER_SECOND)
    settings = StreamSettings(
        Sampling(True, plan.temperature, plan.top_k, 0.0), Guidance(plan.cfg),
        WindowSize(model.window_frames, model.stride_frames), frames,
    )  # fmt: skip
    codes = run_together(model, [Ask() for _ in regions], prompt, settings, SEED)
    rows = zip(audio.split(1), codes, strict=True)
    return [following(model, one, row[None], prompt.shape[-1]).float().cpu().numpy() for one, row in rows]
