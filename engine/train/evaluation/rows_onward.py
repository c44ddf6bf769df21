"""Rows of continuation: whether the join is detectable, whether tempo and key stay. All of it [main]."""

from collections.abc import Sequence

import numpy as np
import torch

from engine.beat.key import NAMES, find_key, pitch_classes
from engine.conditions.frames import SAMPLE_RATE_HZ
from engine.train import metrics
from engine.train.compose import Piece
from engine.train.evaluation import ears, seam
from engine.train.evaluation.asks import PROMPT_SECONDS
from engine.train.evaluation.classify import area_under_curve
from engine.train.evaluation.kept import following
from engine.train.evaluation.pieces import shuffled
from engine.train.evaluation.study import Study
from engine.train.genres import SCALES
from engine.train.metrics import Array

AT = int(PROMPT_SECONDS * SAMPLE_RATE_HZ)


def keys_of(piece: Piece) -> set[str]:
    """The piece's key and the keys related to it: its relative, and those that share all its tones."""
    minor = piece.mode in ("minor", "dorian")
    tonic, relative = piece.tonic, (piece.tonic + (3 if minor else -3)) % 12
    names = {f"{NAMES[tonic]} {'minor' if minor else 'major'}", f"{NAMES[relative]} {'major' if minor else 'minor'}"}
    tones = {(tonic + step) % 12 for step in SCALES[piece.mode]}
    major = next(root for root in range(12) if {(root + step) % 12 for step in SCALES["major"]} == tones)
    return names | {f"{NAMES[major]} major", f"{NAMES[(major - 3) % 12]} minor"}


def onward_rows(study: Study) -> None:
    """Key, tempo and seam of continuations."""
    outs, put = study.sounds("onward"), study.report.mean
    goes_on = [held.mix(study.plan.seconds, PROMPT_SECONDS) for held in study.pieces]
    key_rows(study, outs, goes_on)
    drums = [i for i, held in enumerate(study.pieces) if held.has_drums]
    bpm = [held.piece.bpm for held in study.pieces]
    kept = [float(ears.tempo_is(ears.heard_bpm(outs[i]), bpm[i])) for i in drums]
    put("onward", "tempo kept within 2 %, with drums (librosa)", kept)
    starts = [PROMPT_SECONDS * b / 60.0 for b in bpm]
    scores = [metrics.beat_score(out, bpm[i], starts[i]) for i, out in enumerate(outs)]
    originals = [metrics.beat_score(out, bpm[i], starts[i]) for i, out in enumerate(goes_on)]
    put("onward", "beat score, the prompt's grid going on", scores)
    put("onward", "beat score of the originals going on", originals, note="ceiling")
    seam_rows(study, outs)


def key_rows(study: Study, outs: list[Array], goes_on: list[Array]) -> None:
    """Do continuations keep to the piece's key? Beside the originals going on, and these through the codec."""
    put, coded = study.report.mean, [study.through_codec(audio) for audio in goes_on]
    keys = [keys_of(held.piece) for held in study.pieces]
    heard, real, through = (
        [find_key(pitch_classes(audio.astype(np.float64)))[0] for audio in some] for some in (outs, goes_on, coded)
    )
    other = shuffled(len(outs))
    put("key", "originals in the asked or a related key", _in(real, keys), note="ceiling")
    put("key", "the same through the codec", _in(through, keys), note="the codec's share")
    put("key", "continuations in the asked or a related key", _in(heard, keys), ">=", 0.8)
    put("key", "continuations in another's key", _in(heard, [keys[i] for i in other]), note="control")
    for what, some, note in (
        ("originals in the asked or a related key (madmom)", goes_on, "what this listener can hear"),
        ("the same through the codec (madmom)", coded, "the codec's share"),
        ("continuations in the asked or a related key (madmom)", outs, ""),
    ):
        put("key", what, _in([ears.madmom_key(audio) for audio in some], keys), note=note)
    scales = [{(held.piece.tonic + step) % 12 for step in SCALES[held.piece.mode]} for held in study.pieces]
    put("key", "sound on the scale's tones, originals", _on(goes_on, scales), note="ceiling")
    put("key", "sound on the scale's tones, through the codec", _on(coded, scales), note="the codec's share")
    put("key", "sound on the scale's tones, continuations (chance 0.583)", _on(outs, scales))
    put("key", "sound on another's scale's tones, continuations", _on(outs, [scales[i] for i in other]), note="control")


def _in(found: list[str], keys: list[set[str]]) -> list[float]:
    return [float(name in some) for name, some in zip(found, keys, strict=True)]


def _on(sounds: list[Array], scales: list[set[int]]) -> list[float]:
    """Share of the tonal sound that falls on a scale's seven tones."""
    heard = [pitch_classes(audio.astype(np.float64)).sum(axis=0) for audio in sounds]
    return [float(one[sorted(some)].sum() / (one.sum() + 1e-9)) for one, some in zip(heard, scales, strict=True)]


def seam_rows(study: Study, outs: list[Array]) -> None:
    """How well a detector that knows real cuts tells continuations from music that just goes on."""
    detector = seam.Detector(study.real.seams, study.real.is_seam)
    reach = int(seam.AROUND_SECONDS * SAMPLE_RATE_HZ)
    before = [held.mix(PROMPT_SECONDS) for held in study.pieces]
    after = [held.mix(study.plan.seconds, PROMPT_SECONDS) for held in study.pieces]
    other = shuffled(len(outs))
    coded = [_coded_on(study, i) for i in range(len(outs))]

    def scores(follows: Sequence[Array]) -> list[float]:
        pairs = zip(before, follows, strict=True)
        return detector.scores(
            np.stack([seam.features(np.concatenate([a[-reach:], b[:reach]]), reach) for a, b in pairs])
        )

    uncut = scores(after)
    for what, follows, sign, note in (
        ("detector tells another piece from the same (AUC)", [after[i] for i in other], "", "control, must be high"),
        ("detector tells the codec from the same (AUC)", coded, "", "the codec's share"),
        (
            "detector tells continuations from the same (AUC, chance 0.5)",
            outs,
            "<=",
            "goal: 0.5 in the interval",
        ),
    ):
        found = scores(follows)

        def area(some: Sequence[int], found: list[float] = found) -> float:
            return area_under_curve([found[i] for i in some], [uncut[i] for i in some])

        row = study.report.of("seam", what, len(found), area, note=note)
        if sign:
            study.report.rows[-1] = type(row)(**{**vars(row), "goal": "chance", "reached": row.low <= 0.5})
    heard, through = scores(outs), scores(coded)

    def beyond(some: Sequence[int]) -> float:
        return area_under_curve([heard[i] for i in some], [through[i] for i in some])

    what = "detector tells continuations from the codec going on (AUC)"
    study.report.of("seam", what, len(outs), beyond, note="the language model's share, chance 0.5")
    study.report.series["seam"] = {"continuations": scores(outs), "uncut": uncut}


def _coded_on(study: Study, index: int) -> Array:
    """The original going on, but through the codec from the seam on: what any continuation must sound like."""
    held, codec = study.pieces[index], study.model.codec
    whole = torch.from_numpy(held.mix(PROMPT_SECONDS + seam.AROUND_SECONDS + 0.5))[None, None]
    prompt = whole[..., :AT]
    codes = codec.encode(whole)
    return following(study.model, prompt, codes, AT // codec.frame_samples).float().cpu().numpy()
