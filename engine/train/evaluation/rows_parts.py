"""Rows of parts: does a drum loop go on as drums, does one instrument sound when one is asked for, is an instrument
kept, does a bass go with what plays beside it, are few notes played when few are asked for. All of it [main]."""

from collections.abc import Sequence

import numpy as np
import torch

from engine.conditions.scale import tonal_share
from engine.train import metrics
from engine.train.evaluation.classify import Linear
from engine.train.evaluation.parts import HeldPart, asked, held_parts, view_of
from engine.train.evaluation.pieces import OTHERS, shuffled
from engine.train.evaluation.study import Study
from engine.train.metrics import Array

STEADY_SHARE = 0.1  # of the energy of drums may lie in sustained tones
LISTEN_SECONDS = 6.0
MIX = "mix"
PEAK = 0.12  # of the largest rise, above which a hop counts as an attack


def features(audio: Array) -> Array:
    """What the classifier of instruments hears: timbre, and the share of sustained tones."""
    return np.append(metrics.timbre(audio), tonal_share(torch.from_numpy(audio))).astype(np.float32)


def judge(count: int) -> Linear:
    """A classifier of instruments and whole mixes that knows only real stems of other pieces."""
    found, names = [], []
    for part in held_parts("kept", count, LISTEN_SECONDS + 2.0, OTHERS):
        stems = part.made.stems
        for targets in ([stem] for stem in stems):
            sound = HeldPart(part.made, view_of(stems, targets), part.seed).mix(LISTEN_SECONDS)
            found.append(features(sound))
            names.append(targets[0].instrument)
        found.append(features(HeldPart(part.made, view_of(stems, stems), part.seed).mix(LISTEN_SECONDS)))
        names.append(MIX)
    return Linear(np.stack(found), names)


def attacks_per_second(audio: Array) -> float:
    """Peaks of the onset envelope a second."""
    envelope = metrics.onset_envelope(audio)
    inner = envelope[1:-1]
    peaks = (inner > envelope[:-2]) & (inner >= envelope[2:]) & (inner > PEAK * envelope.max(initial=1e-9))
    return float(peaks.sum() / (len(audio) / metrics.SAMPLE_RATE_HZ))


def part_rows(study: Study) -> None:
    """All rows of parts."""
    drum_rows(study)
    classifier = judge(max(24, study.real_count // 4))
    purity_rows(study, classifier)
    kept_rows(study, classifier)
    beside_rows(study)
    density_rows(study)


def drum_rows(study: Study) -> None:
    """Sustained tones in what follows drums alone."""
    put, parts, outs = study.report.mean, study.parts("drums"), study.sounds("drums")
    real = [tonal_share(torch.from_numpy(part.mix(study.plan.seconds, 4.0))) for part in parts]
    played = [tonal_share(torch.from_numpy(out)) for out in outs]
    put("parts", "drums alone: share of sustained tones, originals going on", real, note="ceiling")
    put("parts", "drums alone: share of sustained tones, continuations", played, "<=", STEADY_SHARE)
    put("parts", "drums alone: continuations under a tenth", [float(share < STEADY_SHARE) for share in played])


def purity_rows(study: Study, classifier: Linear) -> None:
    """Is one instrument heard when one is asked for?"""
    put, outs = study.report.mean, study.sounds("one")
    names = [asked(index) for index in range(len(outs))]
    real, wanted = [], []
    for part in study.parts("one"):
        for stem in part.made.stems:
            one = HeldPart(part.made, view_of(part.made.stems, [stem]), part.seed)
            real.append(features(one.mix(LISTEN_SECONDS)))
            wanted.append(stem.instrument)
    right = _right(classifier, real, wanted)
    heard = [features(out[: int(LISTEN_SECONDS * metrics.SAMPLE_RATE_HZ)]) for out in outs]
    played = _right(classifier, heard, names)
    whole = classifier.named(np.stack(heard))
    put("parts", "one instrument: true stems named right", right, note="ceiling")
    put("parts", "one instrument: output named as asked (chance 0.111)", played)
    put("parts", "one instrument: output named as another asked", _right(classifier, heard, [
        names[index] for index in shuffled(len(names))]), note="control")  # fmt: skip
    put("parts", "one instrument: output taken for a whole mix", [float(name == MIX) for name in whole])
    share = float(np.mean(played)) / max(1e-9, float(np.mean(right)))
    put("parts", "one instrument: share of what true stems score", [share], ">=", 0.8)
    for name in sorted(set(names)):
        some = [score for score, of in zip(played, names, strict=True) if of == name]
        put("parts", f"one instrument: {name}", some)


def _right(classifier: Linear, found: Sequence[Array], names: Sequence[str]) -> list[float]:
    return [float(got == name) for got, name in zip(classifier.named(np.stack(found)), names, strict=True)]


def kept_rows(study: Study, classifier: Linear) -> None:
    """Does a continuation sound like its prompt?"""
    put, parts, outs = study.report.mean, study.parts("kept"), study.sounds("kept")
    prompts = np.stack([features(part.mix(4.0)) for part in parts])
    scale = prompts.std(axis=0) + 1e-6
    goes_on = np.stack([features(part.mix(study.plan.seconds, 4.0)) for part in parts])
    for what, found in (("originals going on", goes_on), ("continuations", np.stack([features(out) for out in outs]))):
        away = np.abs((found[:, None] - prompts[None]) / scale).mean(axis=2)
        own = np.diag(away)
        others = (away.sum(axis=1) - own) / (len(own) - 1)
        note = "ceiling" if what.startswith("orig") else ""
        nearest = (away.argmin(axis=1) == np.arange(len(own))).astype(float).tolist()
        put("parts", f"instruments kept: own prompt nearest of all by timbre, {what}", nearest, note=note)
        put("parts", f"instruments kept: own nearer than the others' mean, {what}", (own < others).tolist(), note=note)
    mixed = classifier.named(np.stack([features(out) for out in outs]))
    put(
        "parts", "instruments kept: continuations of one or two taken for a whole mix", [float(n == MIX) for n in mixed]
    )


def beside_rows(study: Study) -> None:
    """Do the tones of a bass go with what plays beside it?"""
    put, parts, outs = study.report.mean, study.parts("beside"), study.sounds("beside")
    heard, seconds = [metrics.chroma_of(out) for out in outs], study.plan.seconds
    beside = [metrics.chroma_of(part.beside[: int(seconds * metrics.SAMPLE_RATE_HZ)]) for part in parts]
    real = [metrics.chroma_of(part.mix(seconds)) for part in parts]
    other = shuffled(len(outs))
    own = [metrics.chroma_cosine(a, b) for a, b in zip(heard, beside, strict=True)]
    shuffle = [metrics.chroma_cosine(a, beside[index]) for a, index in zip(heard, other, strict=True)]
    ceiling = [metrics.chroma_cosine(a, b) for a, b in zip(real, beside, strict=True)]
    put("parts", "bass beside a piece: chroma cosine of the true bass", ceiling, note="ceiling")
    put("parts", "bass beside a piece: chroma cosine with it", own)
    put("parts", "bass beside a piece: chroma cosine with another", shuffle, note="control")
    put("parts", "bass beside a piece: own above another", [float(a > b) for a, b in zip(own, shuffle, strict=True)])


def density_rows(study: Study) -> None:
    """Are there fewer attacks when fewer are asked for?"""
    put = study.report.mean
    few, many = ([attacks_per_second(out) for out in study.sounds(group)] for group in ("sparse", "dense"))
    put("parts", "attacks a second, sparse asked for", few)
    put("parts", "attacks a second, dense asked for", many)
    put("parts", "more attacks where more were asked for", [float(a < b) for a, b in zip(few, many, strict=True)])
