"""Rows of ten minutes: level, silence, flicker of tones, and loops. All of it [main]."""

from engine.train import metrics
from engine.train.evaluation import sound
from engine.train.evaluation.study import Study

LEVEL_DB, SILENCE_SECONDS, FLICKER, REPEATS = 6.0, 2.0, 1.5, 4


def steady_rows(study: Study) -> None:
    """One figure a stream; a goal is reached when every stream reaches it."""
    answers, put = study.answers("long"), study.report.mean
    minutes = study.plan.long_seconds / 60.0
    courses = [sound.level_course_db(answer.audio) for answer in answers]
    worst = [float(abs(course).max(initial=0.0)) for course in courses]
    group = f"{minutes:g} minutes"
    put(group, "largest level of 10 s against the first minute, dB", worst)
    put(group, "streams within 6 dB throughout", [float(one <= LEVEL_DB) for one in worst], ">=", 1.0)
    silent = [metrics.longest_silence_seconds(answer.audio) for answer in answers]
    put(group, "longest silence, seconds", silent)
    put(group, "streams without 2 s of silence", [float(one < SILENCE_SECONDS) for one in silent], ">=", 1.0)
    real = [one for one in map(sound.chroma_flicker, study.originals) if one == one]
    steady = sum(real) / max(len(real), 1)
    flicker = [sound.chroma_flicker(answer.audio) / (steady + 1e-9) for answer in answers]
    coded = [sound.chroma_flicker(audio) / (steady + 1e-9) for audio in study.coded]
    put(group, "chroma flicker over real music's", flicker, "<=", FLICKER)
    put(group, "chroma flicker of the codec alone over real music's", coded, note="the codec's share")
    repeats = [float(sound.most_repeats(answer.codes)[0]) for answer in answers]
    put(group, "most exact repeats of a stretch", repeats)
    put(group, "streams without more than 4", [float(one <= REPEATS) for one in repeats], ">=", 1.0)
    study.report.series["levels_db"] = [course.tolist() for course in courses]
