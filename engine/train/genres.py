"""The composer's styles: tempo, harmony, rhythm and instruments of each, as one table.

Drum patterns are bars of sixteen steps (twelve in 3/4): K kick, S snare, H closed hat, O open hat, R ride, C clap,
T rim, `.` nothing; lines sound together. Progressions are scale degrees, one chord a bar. Programs are General MIDI
numbers. Everything here is ours, from common practice; no corpus.

All of it [main].
"""

from dataclasses import dataclass, field

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}

POP = ((0, 4, 5, 3), (0, 5, 3, 4), (5, 3, 0, 4), (0, 3, 4, 3), (0, 3, 0, 4))
DARK = ((0, 5, 2, 6), (0, 6, 5, 6), (0, 3, 5, 4), (0, 0, 5, 6))
JAZZ = ((1, 4, 0, 5), (0, 5, 1, 4), (2, 5, 1, 4), (0, 3, 2, 5))
VAMP = ((0, 3, 0, 3), (0, 6, 0, 6), (0, 0, 3, 3))


@dataclass(frozen=True)
class Genre:
    """One style. Tempo in bpm; `swing` delays every second eighth by that share of an eighth."""

    name: str
    tempo_bpm: tuple[int, int]
    modes: tuple[str, ...]
    progressions: tuple[tuple[int, ...], ...]
    drums: tuple[tuple[str, ...], ...]
    bass: tuple[str, ...]
    chords: tuple[str, ...]
    melody_programs: tuple[int, ...]
    chord_programs: tuple[int, ...]
    bass_programs: tuple[int, ...]
    pad_programs: tuple[int, ...] = ()
    drum_kit: int = 0
    swing: float = 0.0
    sevenths: bool = False
    beats_per_bar: int = 4
    melody_density: float = 0.6
    words: tuple[str, ...] = field(default=())


GENRES: tuple[Genre, ...] = (
    Genre("house", (116, 130), ("minor", "dorian"), DARK + VAMP,
          (("K...K...K...K...", "....C.......C...", "..O...O...O...O."),
           ("K...K...K...K...", "....S.......S...", "..H.H.H.H.H.H.H.")),
          ("offbeat", "octave"), ("stab", "offbeat"), (80, 81, 87, 4), (4, 16, 90, 5), (38, 39), (89, 95), 25,
          words=("house", "club", "four on the floor", "dance")),
    Genre("techno", (124, 142), ("minor",), VAMP + DARK,
          (("K...K...K...K...", "....C.......C...", "..O...O...O...O.", "H.H.H.H.H.H.H.H."),
           ("K...K...K..KK...", "..H...H...H...H.", "....T..T....T...")),
          ("pulse", "offbeat"), ("stab", "pulse"), (81, 87, 80), (90, 81, 62), (38, 39, 87), (95,), 24,
          melody_density=0.4, words=("techno", "driving", "electronic", "dark club")),
    Genre("lofi", (68, 92), ("minor", "dorian", "major"), JAZZ + POP,
          (("K.....K..K......", "....S.......S...", "H.H.H.H.H.H.H.H."), ("K..K......K.....", "....S.......S..S", "H.H.H.H.H.H.H.H.")),
          ("root", "walk_slow"), ("hold", "broken"), (11, 0, 4, 73, 26), (4, 0, 26, 5), (33, 32, 35), (89,), 32, 0.25, True,
          melody_density=0.45, words=("lo-fi", "chill", "mellow", "relaxed beat")),
    Genre("hiphop", (78, 100), ("minor", "dorian"), DARK + VAMP,
          (("K..K..K...K.....", "....S.......S...", "H.H.H.HHH.H.H.H."), ("K.....K.K..K....", "....C.......C...", "HHH.HHH.HHH.HHHH")),
          ("root", "octave"), ("stab", "hold"), (0, 4, 46, 11, 73), (4, 48, 0), (38, 39, 33), (49,), 25,
          melody_density=0.4, words=("hip hop", "boom bap", "urban", "head-nodding")),
    Genre("rock", (100, 152), ("major", "minor", "mixolydian"), POP + DARK,
          (("K.....K.K.......", "....S.......S...", "H.H.H.H.H.H.H.H."), ("K..K..K.K..K....", "....S.......S...", "O.O.O.O.O.O.O.O.")),
          ("eighths", "root"), ("eighths", "hold"), (29, 30, 27, 18), (29, 30, 27), (33, 34), (18,), 16,
          words=("rock", "electric guitar", "energetic", "band")),
    Genre("funk", (94, 116), ("dorian", "mixolydian"), VAMP,
          (("K..K..K...K..K..", "....S..S.S..S...", "HHHHHHHHHHHHHHOH"), ("K.K....K..K.....", "....S..S....S..S", "H.HHH.HHH.HHH.HH")),
          ("funk", "octave"), ("funk", "stab"), (61, 56, 65, 4), (27, 4, 16), (36, 37, 33), (61,), 8,
          sevenths=True, words=("funk", "groovy", "syncopated", "slap bass")),
    Genre("ambient", (60, 92), ("major", "dorian", "minor"), VAMP + POP, (("................",), ("K...............", "............T...")),
          ("root", "none"), ("hold", "broken"), (88, 91, 46, 11, 73), (89, 91, 94, 48), (39, 43, 38), (89, 95, 50), 25,
          melody_density=0.25, words=("ambient", "atmospheric", "calm", "dreamy", "soft pads")),
    Genre("jazz", (96, 176), ("major", "dorian"), JAZZ,
          (("R...R.RRR...R.RR", "....H.......H...", "K.......K......."), ("R...R..RR...R..R", "....H.......H...", "......S.......S.")),
          ("walk",), ("comp", "stab"), (65, 66, 56, 0, 26), (0, 26, 4), (32,), (), 32, 0.33, True,
          words=("jazz", "swing", "walking bass", "smoky club")),
    Genre("bossa", (112, 148), ("major", "minor"), JAZZ,
          (("K..KK..KK..KK..K", "T..T..T...T..T..", "HHHHHHHHHHHHHHHH"),),
          ("bossa",), ("bossa", "comp"), (73, 24, 65, 0), (24, 0, 26), (32, 33), (48,), 40, 0.0, True,
          words=("bossa nova", "latin", "brazilian", "nylon guitar")),
    Genre("reggae", (66, 92), ("major", "minor"), VAMP + POP,
          (("........K.......", "........S.......", "H.H.H.H.H.H.H.H."), ("K.......K.......", "........T.......", "H.HHH.HHH.HHH.HH")),
          ("reggae", "root"), ("skank",), (16, 18, 26, 56), (16, 27, 0), (33, 35), (16,), 8,
          words=("reggae", "dub", "offbeat guitar", "laid back")),
    Genre("synthwave", (84, 122), ("minor",), DARK,
          (("K...K...K...K...", "....S.......S...", "H.H.H.H.H.H.H.H."), ("K.....K.K.......", "....S.......S...", "..H...H...H...H.")),
          ("pulse", "octave"), ("broken", "hold"), (81, 80, 87, 62), (90, 50, 81), (38, 39), (50, 89), 24,
          words=("synthwave", "retro", "eighties", "neon synth")),
    Genre("pop", (92, 128), ("major", "minor"), POP,
          (("K...K...K...K...", "....S.......S...", "H.H.H.H.H.H.H.H."), ("K.....K.K..K....", "....C.......C...", "H.H.H.H.H.H.H.HH")),
          ("eighths", "root"), ("hold", "broken", "eighths"), (0, 80, 11, 73, 52), (0, 25, 4), (33, 38), (48, 89), 0,
          words=("pop", "catchy", "bright", "radio")),
    Genre("folk", (84, 132), ("major", "mixolydian", "dorian"), POP, (("K.......K.......", "....T.......T..."), ("................",)),
          ("root", "alternate"), ("broken", "strum"), (73, 40, 22, 110, 105), (25, 24, 105), (32, 33), (21,), 40,
          words=("folk", "acoustic guitar", "country", "campfire")),
    Genre("classical", (72, 132), ("major", "minor"), POP + JAZZ, (("................",),),
          ("root", "alternate"), ("broken", "hold"), (40, 73, 71, 68, 60), (0, 48, 46, 6), (43, 42), (48, 49), 48,
          words=("classical", "orchestral", "strings", "chamber music")),
    Genre("waltz", (88, 168), ("major", "minor"), POP, (("K...........", "....H...H..."), ("............",)),
          ("root",), ("waltz",), (40, 73, 21, 71), (0, 48, 21), (43, 32), (48,), 0, beats_per_bar=3,
          words=("waltz", "three four", "ballroom", "accordion")),
    Genre("chiptune", (110, 168), ("major", "minor"), POP + DARK,
          (("K...S...K.K.S...", "H.H.H.H.H.H.H.H."), ("K.K.S..KK...S...", "HHHHHHHHHHHHHHHH")),
          ("pulse", "octave"), ("arp",), (80,), (80, 81), (80, 38), (), 24,
          melody_density=0.8, words=("chiptune", "8-bit", "video game", "retro console")),
)

BY_NAME: dict[str, Genre] = {genre.name: genre for genre in GENRES}

# General MIDI names that captions use, and that a musician would type.
PROGRAM_NAMES: dict[int, str] = {
    0: "piano", 4: "electric piano", 5: "electric piano", 6: "harpsichord", 11: "vibraphone", 16: "organ", 18: "organ",
    21: "accordion", 22: "harmonica", 24: "nylon guitar", 25: "acoustic guitar", 26: "jazz guitar", 27: "clean guitar",
    29: "overdriven guitar", 30: "distorted guitar", 32: "double bass", 33: "electric bass", 34: "picked bass",
    35: "fretless bass", 36: "slap bass", 37: "slap bass", 38: "synth bass", 39: "synth bass", 40: "violin", 42: "cello",
    43: "double bass", 46: "harp", 48: "strings", 49: "strings", 50: "synth strings", 52: "choir", 56: "trumpet",
    60: "french horn", 61: "brass", 62: "synth brass", 65: "saxophone", 66: "saxophone", 68: "oboe", 71: "clarinet",
    73: "flute", 80: "square lead", 81: "saw lead", 87: "synth lead", 88: "warm pad", 89: "warm pad", 90: "polysynth",
    91: "choir pad", 94: "halo pad", 95: "sweep pad", 105: "banjo", 110: "fiddle",
}  # fmt: skip
