"""Rows of the message table that change what is heard: each has an `at`.

The answer comes at once with the beat from which the change will be heard; `messages.EVENT_HEARD` reports when it is.
"""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import ANY_MAX, WHOLE_MAX, Argument
from bridge.control.rows import ADDRESS, AT, ID, LANE, NAME, PLACED, ROLE

# fmt: off
LANE_SET = rows.request(
    "lane/set", LANE, NAME, Argument("value", "f", "see the table of parameters", "", -ANY_MAX, ANY_MAX), AT,
    reply=(NAME, rows.figure("value", "its value then; for a seed of -1 the seed that was drawn"), *PLACED),
    meaning="Sets one parameter of a lane.",
)
LANE_PROMPT = rows.request(
    "lane/prompt", LANE, rows.text("text", "a description of the music; empty: no prompt"), AT,
    reply=PLACED, meaning="Sets the prompt of a lane.",
)
LANE_PRESET = rows.request(
    "lane/preset", LANE, rows.text("preset", "its name", 64), AT,
    reply=(rows.text("prompt", "the lane's prompt then"), *PLACED),
    meaning="Sets all parameters that a preset names, and its prompt if it has one.",
)
LANE_PLAY = rows.request(
    "lane/play", LANE, AT,
    rows.bounded("bars", "i", "how many bars; 0: until stopped; -1: the parameter `bars`", -1, 100_000,
             "bars", -1),
    rows.bounded("past", "i", "1: the take keeps this place, even if the host is past it: the music before the host "
             "is made first, unheard", 0, 1, default=0),
    reply=(
        rows.figure("start_beats", "beat on which the first sample sounds", "beats"),
        rows.count("generation", "of the plan: audio of an older one is not played"),
        rows.count("seed", "the same seed and inputs give the same music"),
        rows.bounded("late", "i", "1: too late for its place; `start_beats` is the next such place, in a loop maybe "
                     "the same beat of the next pass", 0, 1),
        rows.figure("needs_seconds", "how far ahead of its beat such a play must come to be in time, by what is "
                    "measured now", "s"),
    ),
    meaning="Starts the stream. In continue mode the first sample follows the region's last one. A stream already "
    "playing continues until the new one starts.", slow=True, progress="once, with the beat on which it begins",
)
LANE_STOP = rows.request(
    "lane/stop", LANE, AT,
    reply=(rows.figure("stop_beats", "beat on which it ends", "beats"),), hop=True,
    meaning="Ends the stream of a lane; the lane stays open. Commands scheduled for that place or later are cancelled.",
)
LANE_MUTE = rows.request(
    "lane/mute", LANE, rows.bounded("on", "i", "1: silence, 0: sound", 0, 1, default=1), AT,
    rows.bounded("beats", "f", "how long, then the opposite; 0: until the next mute command", 0, 100_000,
                 "beats", 0.0),
    reply=PLACED,
    meaning="Mutes or unmutes a lane, with a short fade. Its music continues unheard meanwhile. With `beats` there are "
    "two `heard` events: when the mute begins and when it ends.",
)
LANE_RESEED = rows.request(
    "lane/reseed", LANE, AT,
    rows.bounded("seed", "i", "-1: a new one", -1, WHOLE_MAX, default=-1),
    reply=(rows.count("seed", "the seed in use from there on"), *PLACED),
    meaning="Continues with another seed and the same settings. The parameter `seed`, for later plays, stays.",
)
LANE_CANCEL = rows.request(
    "lane/cancel", LANE, rows.bounded("which", "i", "id of the command; 0: all commands", 0, WHOLE_MAX, default=0),
    reply=(rows.count("cancelled", "how many were cancelled"),),
    meaning="Cancels scheduled commands while there is time to make other music.", hop=True,
)
LANE_SCHEDULED = rows.request(
    "lane/scheduled", LANE,
    reply=(
        rows.count("waiting", "how many there are"),
        rows.text("list", "the first of them, `id command beat`, separated by commas: '7 prompt 16, 8 mute 24'"),
    ),
    meaning="Lists the scheduled commands. They stay scheduled when the host jumps.", asks=True, hop=True,
)
REGION_CLEAR = rows.request("region/clear", LANE, ROLE, AT, reply=PLACED, meaning="Removes a region from a lane.")
EVENT_HEARD = rows.answer(
    "event/heard", LANE, ID, ADDRESS, rows.figure("beats", "beat from which it is heard", "beats"),
    rows.figure("seconds", "from the command's arrival to its sound", "s"),
    meaning="The host has reached the beat from which a command is heard. Commands that change nothing audible send no "
    "event, nor do commands while nothing plays.",
)
