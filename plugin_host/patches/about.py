"""What each abstraction is for: argument, messages, outlets. Help patches and reference pages show it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class About:
    """An abstraction in words; `messages` are examples to click, each with its meaning."""

    name: str
    digest: str
    text: str
    argument: tuple[str, str, str]  # name, default, meaning; or three times nothing
    messages: tuple[tuple[str, str], ...]
    outlets: tuple[str, ...]
    beside: tuple[str, ...] = ()  # what else a help patch needs to run

    @property
    def created(self) -> str:
        """The box that a user types: the name, with an argument if it has one.  [any]"""
        return f"{self.name} {self.argument[1]}".rstrip()


_CLIENT = "segue.client 9600"
ABOUT = (
    About(
        "segue.client",
        "The connection to Segue's engine",
        "Says hello, subscribes to all state ten times a second, counts ids, and does so again when the engine was "
        "started again. Every patch needs one; all other abstractions speak through it.",
        ("port", "9600", "UDP port of the engine on this machine"),
        (
            ("status", "what the engine does; the answer leaves the first outlet"),
            ("subscribe levels 30", "a kind of state more often"),
            ("lane/status 0", "any request of docs/osc.md, without its root and its id"),
            ("model", "which model plays"),
        ),
        (
            "everything that the engine sends: ok ID address values, state ..., event ...",
            "1 when the engine answers, 0 when it has not for 7 seconds",
        ),
    ),
    About(
        "segue.lane",
        "One stream of music",
        "Prompt, play, stop, mute, references and parameters of a lane. What changes the sound takes a place: now, "
        "beat, "
        "bar, 'bars 4', 'bar 12', or a beat.",
        ("lane", "0", "number of the lane, from 0"),
        (
            ("prompt lo-fi_piano", "a description of the music; write spaces as your program does"),
            ("region continue /path/riff.wav 120 0", "music to continue: role, file, its tempo (0: found), its beat"),
            ("play bar 16", "sixteen bars from the next bar line"),
            ("set temperature 1.2 beat", "a parameter, from the next beat"),
            ("mute 1 bar 4", "silence for four beats"),
            ("preset night-bus bar", "a preset"),
            ("clear continue bar", "take a reference away"),
            ("stop bar", "the end"),
        ),
        (
            "state, prompt, parameter, time, levels, ring, pending, event, heard, late, region, guard; with values",
            "bar and beat, from 0, at the moment when they sound",
        ),
        (_CLIENT,),
    ),
    About(
        "segue.morph",
        "Prompts mixed by their weights",
        "Up to eight prompts of a lane, blended by weights, by a point between four corners, or by a glide to a preset "
        "or scene. Weights take effect now, as a dial does; morph, surface and recall take a place.",
        ("lane", "0", "number of the lane, from 0"),
        (
            ("slot 1 lo-fi_piano", "the first of eight prompts"),
            ("slot 2 techno", "the second"),
            ("glide 8", "in how many beats the weights and points that follow are reached; 0: at once"),
            ("0.25 0.75", "the weights, one for each prompt"),
            ("xy 0.5 0", "a point: prompt 1 is below left (0 0), 2 below right, 3 above left, 4 above right (1 1)"),
            ("styles 1 1", "the weights of the style references"),
            ("morph prompts 16 bar 0 1", "weights with their glide and place"),
            ("surface 1 1 8 bar", "a point with its glide and place"),
            ("save my-scene", "the prompts, weights and parameters of now, as a scene"),
            ("recall night-bus 8 bar", "glide to a preset or scene"),
        ),
        ("what is heard now: slot, morph, surface or recall; its beat; seconds since it was sent",),
        (_CLIENT,),
    ),
    About(
        "segue.meter",
        "Levels and fill of a lane",
        "Peak and RMS of what is heard, how far music is made ahead, and how often it was not.",
        ("lane", "0", "number of the lane, from 0"),
        (),
        ("peak in dB", "RMS in dB", "music that is ready, in ms", "underruns of the host"),
        (_CLIENT,),
    ),
    About(
        "segue.takes",
        "Takes, and their history",
        "Orders takes from segue watch, which must run, and tells the file of each when it is made.",
        ("port", "9610", "UDP port of segue watch"),
        (
            (
                "order /path/riff.wav continue 120 4 4 0 8 2",
                "two takes of eight bars: file, role, tempo, signature, beat, bars, takes",
            ),
            ("all", "the numbers of all takes"),
            ("node 1", "one take: file, prompt, seed, rating"),
            ("keep 1", "keep it"),
            ("rate 1 5", "five stars"),
            ("extend 8 2", "two that go on from the head"),
            ("undo", "the last move of the head"),
        ),
        ("the file of a take that was made", "answers of segue watch: ok ID address values, or error"),
        (_CLIENT,),
    ),
    About(
        "segue.loop~",
        "A take, round and round",
        "Plays a file in a loop. The next file takes over where the loop ends, to the sample. Takes have the "
        "sample rate "
        "of the engine, 48000 by default: run your program at the same.",
        ("", "", ""),
        (("/path/take.wav", "the next file"), ("stop", "silence, at once")),
        ("left", "right", "length in ms, at each beginning"),
    ),
    About(
        "segue.jam",
        "Presses for a jam",
        "Speaks to a running segue jam: the same presses as its keys and foot switch.",
        ("port", "9640", "UDP port of segue jam"),
        (
            ("take_over", "Segue takes over on the next bar line, or you do"),
            ("again", "its last music once more"),
            ("hold", "the turn stays, until the next hold"),
            ("record 4", "your turn, four bars"),
            ("undo", "the loop before"),
            ("play_stop", "stop on the bar line; begin again"),
        ),
        (
            "state: mode, state, next state, beats to the change, bar, beat, bpm, ...",
            "presses, from anywhere",
            "answers: ok or error",
        ),
    ),
)
