"""The tempo of a region: one set of rules for every command, folder, order, script and message.

    given                 by --region-bpm, or a message's bpm
    what the file says    acid, iXML, bext, tags, Apple loops: see `file_tempo`
    what its name says    128bpm, BPM128, 92,5bpm, Drums_128_Am
    the song's tempo      if the region is whole bars at it, with a tail or padding of up to a beat, or whole beats
    the detected tempo    with the song's tempo as a hint: `with_detected` weighs it
    a guess               the song's tempo; without one, a power of two bars at 80 to 160 bpm

The engine detects the tempo. If detection is needed, `OwnTempo.open` is set, and `bpm` holds if nothing is
detected. Detection alone never stretches by a simple ratio: half, double, 3:4 and similar ones are easily confused, by
programs and people.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from bridge.region.file_tempo import Said, said_in
from bridge.region.tail import length_in
from bridge.region.tempo_text import bare_tempo, tagged_tempo
from bridge.time.units import beats_to_seconds, fitting_tempo, seconds_to_beats

PADDING_SECONDS = 0.06  # after whole bars: an encoder's, or an inexact cut
SAME = 0.006  # share of a tempo: two this near are the same
TIDY_SECONDS = 0.003  # over a whole file: less than the error of a cut to samples
DETECTED_NEAR = 0.001  # share of a tempo: the error of detection
SIMPLE = (2, 1 / 2, 3, 1 / 3, 4, 1 / 4, 3 / 2, 2 / 3, 4 / 3, 3 / 4)
SIMPLE_NEAR = 0.015
DETECTED_SURE = 0.5  # from here on, and with whole bars, detection outweighs a length with a tail
GIVEN, FILE, NAME, NUMBER, BARS, BEATS, TAIL, DOUBTED, GUESS = 1.0, 0.95, 0.95, 0.8, 0.9, 0.7, 0.6, 0.5, 0.2


@dataclass(frozen=True)
class OwnTempo:
    """A region's tempo in bpm, its source, its certainty (0 to 1) and contradictions; `open`: detection decides.

    `clash`: the tempos that contradict each other.
    """

    bpm: float
    how: str
    sure: float
    doubt: str = ""
    open: bool = False
    clash: tuple[float, ...] = ()

    @property
    def words(self) -> str:
        """For people: `96 bpm (by its name, sure 0.95)`, and what contradicts it.  [any]"""
        words = f"{self.bpm:g} bpm ({self.how}, sure {self.sure:.2g})"
        return f"{words}; but {self.doubt}" if self.doubt else words


def own_tempo(
    path: str, seconds: float, beats_per_bar: float, song_bpm: float = 0.0, given_bpm: float = 0.0
) -> OwnTempo:
    """The tempo of a file by all rules but detection; `path` "" for music without a file, `song_bpm` 0 if unknown.

    Opens `path` to read its metadata.  [any]
    """
    said = said_in(path) if path else ()
    found = by_words(PurePath(path).stem if path else "", said, seconds, beats_per_bar, song_bpm)
    if given_bpm:
        apart = found and not _same(counted_bpm(found.bpm, given_bpm), given_bpm)
        return OwnTempo(given_bpm, "as given", GIVEN, f"{found.how} it is {found.bpm:g}" if found and apart else "")
    return found or by_length(seconds, beats_per_bar, song_bpm)


def by_words(
    name: str, said: Sequence[Said], seconds: float, beats_per_bar: float, song_bpm: float = 0.0
) -> OwnTempo | None:
    """The tempo that a file and its name state, and their contradictions; None if they state none.  [any]"""
    number, _ = bare_tempo(name, lambda bpm: _bars(seconds, bpm, beats_per_bar) == BARS)
    named, name_sure = (tagged, NAME) if (tagged := tagged_tempo(name)) else (number, NUMBER)
    by_name = OwnTempo(named, "by its name", name_sure) if named else None
    witnesses = [bpm for bpm in (named, song_bpm) if bpm]
    in_file = (_of_file(one, seconds, beats_per_bar, witnesses) for one in said)
    found = next(filter(None, in_file), by_name)
    if found is None:
        return None
    doubts = [found.doubt]
    if by_name and not _same(named, found.bpm) and f"{named:g}" not in map("{:g}".format, found.clash):
        doubts.append(f"its name says {named:g}")
    fits = _bars(seconds, song_bpm, beats_per_bar) == BARS if song_bpm else False
    if fits and not _bars(seconds, found.bpm, beats_per_bar):
        doubts.append(f"its length is whole bars at the song's {song_bpm:g}, and not at that")
    doubt = "; ".join(filter(None, doubts))
    return replace(found, doubt=doubt, sure=DOUBTED if doubt else found.sure)


def _of_file(said: Said, seconds: float, beats_per_bar: float, witnesses: Sequence[float]) -> OwnTempo | None:
    """One statement of a file: its tempo, checked against the beats that it counts."""
    counted = [_tidy(float(fitting_tempo(beats, seconds)), seconds) for beats in said.beats]
    if not said.bpm:
        return OwnTempo(counted[0], f"by the {said.beats[0]:g} beats of {said.who}", FILE) if counted else None
    if not counted or any(_holds(beats, seconds, said.bpm) for beats in said.beats):
        return None if said.weak and not counted else OwnTempo(said.bpm, f"by {said.who}", FILE)
    if said.weak:
        return None
    beats, other = said.beats[-1], counted[-1]  # quarter notes, if both are possible: the signature's are fewer
    clash = f"{said.who} says {said.bpm:g} bpm, and {beats:g} beats, which in {seconds:.3g} s are {other:g} bpm"
    votes = [sum(_same(bpm, each) for each in witnesses) for bpm in (said.bpm, other)]
    whole = [_bars(seconds, bpm, beats_per_bar) for bpm in (said.bpm, other)]
    ahead = (votes[1], whole[1]) > (votes[0], whole[0])
    bpm = other if ahead else said.bpm
    return OwnTempo(bpm, f"by {said.who}", DOUBTED, clash, clash=(said.bpm, other))


def _holds(beats: float, seconds: float, bpm: float) -> bool:
    """Whether a file of this length holds these beats at that tempo, and after them a tail of up to a beat."""
    held = float(seconds_to_beats(seconds, bpm))
    return beats - 0.1 <= held <= beats + 1.02


def by_length(seconds: float, beats_per_bar: float, song_bpm: float = 0.0) -> OwnTempo:
    """The song's tempo if the length supports it; else a tempo that is open to detection.  [any]"""
    if not song_bpm:
        one_bar_bpm = float(fitting_tempo(beats_per_bar, seconds))
        bars = 2.0 ** math.ceil(math.log2(80 / one_bar_bpm))
        return OwnTempo(_tidy(one_bar_bpm * bars, seconds), f"a guess by its length, {bars:g} bars", GUESS, open=True)
    sure = _bars(seconds, song_bpm, beats_per_bar)
    if not sure:
        return OwnTempo(song_bpm, "a guess: the song's", GUESS, open=True)
    length = length_in(seconds_to_beats(seconds, song_bpm), song_bpm, beats_per_bar, beat_is_tail=True)
    bars = float(length.beats) / beats_per_bar
    held = f"{bars:g} bar{'s' * (bars != 1)}" if bars == int(bars) else f"{float(length.beats):g} beats"
    tail = " and a tail" if sure == TAIL else ""
    return OwnTempo(song_bpm, f"the song's: it is {held}{tail} of it", sure, open=sure != BARS)


def _bars(seconds: float, bpm: float, beats_per_bar: float) -> float:
    """The certainty that a file has a tempo: whole bars, whole beats, bars and a tail; 0 for none."""
    beats = seconds_to_beats(seconds, bpm)
    length = length_in(beats, bpm, beats_per_bar, beat_is_tail=True)
    bars = float(length.beats) / beats_per_bar
    exact_cut = float(beats_to_seconds(length.tail, bpm)) <= PADDING_SECONDS
    if length.beats < 1:
        return 0.0
    if bars >= 1 and bars == int(bars):
        if length.tail >= 0.94:  # a whole beat extra: music or a tail
            return BEATS
        return BARS if exact_cut else TAIL
    return BEATS if exact_cut else 0.0


def with_detected(
    before: OwnTempo,
    detected_bpm: float,
    detected_sure: float,
    seconds: float,
    beats_per_bar: float,
    song_bpm: float = 0.0,
) -> OwnTempo:
    """The tempo after detection: `detected_bpm` is the detected one, 0 for none.  [any]"""
    if not detected_bpm:
        what = before.how if before.sure > GUESS or not song_bpm else f"{before.how}, no beat was detected in it"
        return replace(before, how=what, open=False)
    sure = min(detected_sure, NAME)
    whole = _bars(seconds, detected_bpm, beats_per_bar) == BARS
    found = OwnTempo(_tidy(detected_bpm, seconds, DETECTED_NEAR), "detected", sure)
    if not song_bpm:
        return found
    if _same(detected_bpm, song_bpm):
        return OwnTempo(song_bpm, f"{before.how}, and detected" if before.sure > GUESS else "detected: the song's",
                        max(sure, before.sure))  # fmt: skip
    fits = before.sure > GUESS
    if simple_ratio(detected_bpm, song_bpm):
        if fits or not whole:
            return replace(before, how=f"the song's; detected as {detected_bpm:.4g}, a simple ratio of it", open=False,
                           sure=max(before.sure, DOUBTED))  # fmt: skip
    elif fits and not (whole and detected_sure >= DETECTED_SURE):
        return replace(before, doubt=f"it was detected as {detected_bpm:.4g}", sure=DOUBTED, open=False)
    return found


def simple_ratio(bpm: float, song_bpm: float) -> bool:
    """Whether two tempos are half, double, 3:4 and so on of each other.  [any]"""
    return any(abs(bpm / song_bpm / ratio - 1.0) < SIMPLE_NEAR for ratio in SIMPLE)


def speed_to(own_bpm: float, song_bpm: float) -> float:
    """The factor that brings music to the nearest of a song's tempo, half and double of it.  [any]"""
    speed = song_bpm / own_bpm
    while speed > 2**0.5:
        speed /= 2.0
    while speed < 0.5**0.5:
        speed *= 2.0
    return speed


def counted_bpm(own_bpm: float, song_bpm: float) -> float:
    """A region's tempo with its beats counted like the song's: 87 with a song at 174 is 174.  [any]"""
    speed = speed_to(own_bpm, song_bpm)
    return own_bpm if speed == song_bpm / own_bpm else song_bpm / speed


def _tidy(bpm: float, seconds: float, near: float = 0.0) -> float:
    """A tempo to three decimals, or the whole number within `near` that fits a file of this length as well."""
    whole = round(bpm)
    as_good = seconds * abs(bpm / whole - 1.0) <= TIDY_SECONDS or abs(bpm / whole - 1.0) <= near
    return float(whole) if as_good else round(bpm, 3)


def _same(bpm: float, other: float) -> bool:
    return abs(bpm / other - 1.0) < SAME
