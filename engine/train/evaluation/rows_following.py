"""Rows of melody, beat and tempo: whether output follows its conditions. All of it [main]."""

from collections.abc import Callable, Sequence

import numpy as np

from engine.train import metrics
from engine.train.evaluation import ears
from engine.train.evaluation.asks import other_tempo
from engine.train.evaluation.pieces import shuffled
from engine.train.evaluation.study import Study
from engine.train.metrics import Array

WRONG_TEMPI = (0.83, 0.89, 1.13, 1.21, 1.37)


def melody_rows(study: Study) -> None:
    """Chroma of output with its own and another's melody, and the notes that basic-pitch finds."""
    outs, put = study.sounds("melody"), study.report.mean
    asked = [metrics.chroma_of(h.audio.melody[: len(out)]) for h, out in zip(study.pieces, outs, strict=True)]
    heard = [metrics.chroma_of(out) for out in outs]
    other = shuffled(len(outs))
    matched = [metrics.chroma_cosine(h, c) for h, c in zip(heard, asked, strict=True)]
    crossed = [metrics.chroma_cosine(h, asked[other[i]]) for i, h in enumerate(heard)]
    ceiling = [metrics.chroma_cosine(metrics.chroma_of(a), c) for a, c in zip(study.originals, asked, strict=True)]
    put("melody", "chroma cosine with its own", matched)
    put("melody", "chroma cosine with another's", crossed, note="control")
    put("melody", "chroma cosine of the original mix", ceiling, note="ceiling")
    put("melody", "own minus another's", [a - b for a, b in zip(matched, crossed, strict=True)], ">=", 0.25)
    put("melody", "own above another's", [float(a > b) for a, b in zip(matched, crossed, strict=True)], ">=", 0.95)
    notes = [[note for note in held.piece.notes if note.stem == "melody"] for held in study.pieces]
    bpm = [held.piece.bpm for held in study.pieces]
    own = [ears.note_recall(out, notes[i], bpm[i]) for i, out in enumerate(outs)]
    cross = [ears.note_recall(out, notes[other[i]], bpm[other[i]]) for i, out in enumerate(outs)]
    mix = [ears.note_recall(audio, notes[i], bpm[i]) for i, audio in enumerate(study.originals)]
    put("melody", "notes of its own heard (basic-pitch)", own)
    put("melody", "notes of another's heard (basic-pitch)", cross, note="control")
    put("melody", "notes heard in the original mix (basic-pitch)", mix, note="ceiling")


def beat_rows(study: Study) -> None:
    """Onsets on the asked grid against the originals', against wrong tempi, and by an independent tracker."""
    outs, put = study.sounds("melody"), study.report.mean
    bpm = [held.piece.bpm for held in study.pieces]
    original = [metrics.beat_score(audio, b) for audio, b in zip(study.originals, bpm, strict=True)]
    asked = [metrics.beat_score(out, b) for out, b in zip(outs, bpm, strict=True)]
    wrong = [float(np.mean([metrics.beat_score(out, b * f) for f in WRONG_TEMPI]))
             for out, b in zip(outs, bpm, strict=True)]  # fmt: skip
    put("beat", "score of the originals", original, note="ceiling")
    put("beat", "score at the asked tempo and phase", asked)
    put("beat", "score at a wrong tempo", wrong, "<=", 0.05, note="control")

    def share(some: Sequence[int]) -> float:
        return float(sum(asked[i] for i in some) / (sum(original[i] for i in some) + 1e-9))

    study.report.of("beat", "share of the originals' score", len(bpm), share, ">=", 0.9)
    changed = study.sounds("tempo")
    new = [metrics.beat_score(out, other_tempo(held)) for out, held in zip(changed, study.pieces, strict=True)]
    old = [metrics.beat_score(out, held.piece.bpm) for out, held in zip(changed, study.pieces, strict=True)]
    put("beat", "another tempo asked for: score at it", new)
    put("beat", "another tempo asked for: score at the piece's own", old, note="control")
    _independent(study, study.sounds("genre"))


def _tempo(
    study: Study, outs: list[Array], drums: list[int], name: str, heard_bpm: Callable[[Array], float], sign: str = ""
) -> None:
    """Tempo by one tracker, beside what it can hear of the originals; a goal where there is a sign."""
    put, other = study.report.mean, shuffled(len(drums))
    bpm = [study.pieces[i].piece.bpm for i in drums]
    real = [heard_bpm(study.originals[i]) for i in drums]
    heard = [heard_bpm(outs[i]) for i in drums]

    def right(some: list[float], asked: list[float]) -> list[float]:
        return [float(ears.tempo_is(*pair)) for pair in zip(some, asked, strict=True)]

    put("beat", f"originals with drums within 2 % ({name})", right(real, bpm), note="what this tracker can hear")
    put("beat", f"outputs with drums within 2 % of the asked tempo ({name})", right(heard, bpm), sign, 0.9)
    crossed = right(heard, [bpm[n] for n in other])
    put("beat", f"outputs with drums within 2 % of another's tempo ({name})", crossed, note="control")


def _independent(study: Study, outs: list[Array]) -> None:
    """Tempo by madmom and librosa, and librosa's phase, of outputs with drums; its own lateness is that on the
    originals, taken off."""
    drums = [i for i, held in enumerate(study.pieces) if held.has_drums]
    bpm = [held.piece.bpm for held in study.pieces]
    _tempo(study, outs, drums, "madmom", ears.madmom_bpm, ">=")
    _tempo(study, outs, drums, "librosa", ears.heard_bpm)  # no goal: it is wrong about more originals than that allows
    straight = [i for i in drums if study.pieces[i].piece.genre.swing == 0.0]
    originals = [ears.phase_ms(study.originals[i], bpm[i]) for i in straight]
    late = float(np.median(originals))
    off = [abs(ears.phase_ms(outs[i], bpm[i]) - late) for i in straight]
    own = [abs(one - late) for one in originals]

    def median(values: list[float]) -> object:
        return lambda some: float(np.median([values[n] for n in some]))

    note = f"the tracker's own {late:.0f} ms, heard on the originals, taken off"
    study.report.of("beat", "originals' phase off the grid, ms, median", len(own), median(own), note="ceiling")  # type: ignore[arg-type]
    study.report.of("beat", "phase off the grid, ms, median", len(off), median(off), "<=", 15.0, note)  # type: ignore[arg-type]
    study.report.series["phase_ms"] = {"outputs": off, "originals": own}
