"""Rows of the message table that change what is heard: each says when, is answered with its place, and told as heard.

The answer comes at once and says on which beat the change will be heard, `messages.EVENT_HEARD` when it is.
"""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import ANY_MAX, WHOLE_MAX, Argument
from bridge.control.rows import ADDRESS, AT, ID, LANE, NAME, PLACED, ROLE

# fmt: off
LANE_SET = rows.request(
    "lane/set", LANE, NAME, Argument("value", "f", "see the table of parameters", "", -ANY_MAX, ANY_MAX), AT,
    reply=(NAME, rows.figure("value", "as it is then; a seed of -1 is answered with the one drawn"), *PLACED),
    meaning="Sets one parameter of a lane.",
)
LANE_PROMPT = rows.request(
    "lane/prompt", LANE, rows.text("text", "what the music should be like, in words; empty: no prompt"), AT,
    reply=PLACED, meaning="Sets the prompt of a lane.", slow=True,
)
LANE_PRESET = rows.request(
    "lane/preset", LANE, rows.text("preset", "its name", 64), AT,
    reply=(rows.text("prompt", "the lane's prompt then"), *PLACED),
    meaning="Sets all parameters that a preset names, and its prompt if it has one.", slow=True,
)
LANE_PLAY = rows.request(
    "lane/play", LANE, AT,
    rows.bounded("bars", "i", "how many bars; 0: until stopped; -1: as the parameter `bars` says", -1, 100_000,
             "bars", -1),
    rows.bounded("past", "i", "1: a take that lies there, also where the host is past that beat: what lies before the "
             "host is made first, unheard", 0, 1, default=0),
    reply=(
        rows.figure("start_beats", "beat on which the first sample sounds", "beats"),
        rows.count("generation", "of the plan: audio of an older one is no longer heard"),
        rows.count("seed", "of the random numbers: the same seed and inputs give the same music"),
    ),
    meaning="Starts the stream. In continue mode the first sample follows the region's last one. One that plays goes "
    "on until then.", slow=True,
)
LANE_STOP = rows.request(
    "lane/stop", LANE, AT,
    reply=(rows.figure("stop_beats", "beat on which it ends", "beats"),),
    meaning="Ends the stream of a lane; the lane stays open. What was scheduled for that place or later is taken back.",
)
LANE_MUTE = rows.request(
    "lane/mute", LANE, rows.bounded("on", "i", "1: silence, 0: sound", 0, 1, default=1), AT,
    rows.bounded("beats", "f", "for so long, then the other way round; 0: until it is told otherwise", 0, 100_000,
                 "beats", 0.0),
    reply=PLACED,
    meaning="Silences a lane, or lets it be heard again, with a short fade. Its music goes on unheard meanwhile. One "
    "with `beats` is told as heard twice: when it begins and when it ends.",
)
LANE_RESEED = rows.request(
    "lane/reseed", LANE, AT,
    rows.bounded("seed", "i", "number of the dice; -1: a new one", -1, WHOLE_MAX, default=-1),
    reply=(rows.count("seed", "that is used from there on"), *PLACED),
    meaning="Goes on with another seed, everything else as it was. The parameter `seed`, for later plays, stays.",
)
LANE_CANCEL = rows.request(
    "lane/cancel", LANE, rows.bounded("which", "i", "id of the command; 0: all of this lane", 0, WHOLE_MAX, default=0),
    reply=(rows.count("cancelled", "how many were taken back"),),
    meaning="Takes back commands that are scheduled and whose music is not made yet.",
)
LANE_SCHEDULED = rows.request(
    "lane/scheduled", LANE,
    reply=(
        rows.count("waiting", "how many there are"),
        rows.text("list", "the first of them, `id command beat`, separated by commas: '7 prompt 16, 8 mute 24'"),
    ),
    meaning="Which commands wait for their beat. They wait through jumps of the host.", asks=True,
)
REGION_CLEAR = rows.request("region/clear", LANE, ROLE, AT, reply=PLACED, meaning="Takes a region off a lane.")
EVENT_HEARD = rows.answer(
    "event/heard", LANE, ID, ADDRESS, rows.figure("beats", "beat from which it is heard", "beats"),
    rows.figure("seconds", "from the command's arrival to its sound", "s"),
    meaning="The host has come to where a command is heard. A command that changes nothing to be heard has none, nor "
    "has one while nothing plays.",
)
