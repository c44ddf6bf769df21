"""The table of OSC messages; the rows of some topics are in the `*_rows` modules.

Parser, checks, dispatcher, client, `docs/osc.md` and tests read it. Every request begins with an id: a number that the
client counts up and the answer repeats. A request with id 0 is answered and never counts as a repeat. Each request also
has a short form, `rows.short`: without an id, and without an answer unless it fails or is a query.
"""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import WHOLE_MAX, Argument, Message
from bridge.control.beat_rows import EVENT_GRID as EVENT_GRID
from bridge.control.beat_rows import EVENT_REGION as EVENT_REGION
from bridge.control.beat_rows import REGION_BPM
from bridge.control.beat_rows import REGION_LISTEN as REGION_LISTEN
from bridge.control.capture_rows import REGION_CAPTURE as REGION_CAPTURE
from bridge.control.client_rows import BYE as BYE
from bridge.control.client_rows import CHALLENGE as CHALLENGE
from bridge.control.client_rows import EVENT_CLIENT as EVENT_CLIENT
from bridge.control.client_rows import HELLO as HELLO
from bridge.control.client_rows import PING as PING
from bridge.control.client_rows import SYNC as SYNC
from bridge.control.command_rows import EVENT_HEARD as EVENT_HEARD
from bridge.control.command_rows import LANE_CANCEL as LANE_CANCEL
from bridge.control.command_rows import LANE_MUTE as LANE_MUTE
from bridge.control.command_rows import LANE_PLAY as LANE_PLAY
from bridge.control.command_rows import LANE_PRESET as LANE_PRESET
from bridge.control.command_rows import LANE_PROMPT as LANE_PROMPT
from bridge.control.command_rows import LANE_RESEED as LANE_RESEED
from bridge.control.command_rows import LANE_SCHEDULED as LANE_SCHEDULED
from bridge.control.command_rows import LANE_SET as LANE_SET
from bridge.control.command_rows import LANE_STOP as LANE_STOP
from bridge.control.command_rows import REGION_CLEAR as REGION_CLEAR
from bridge.control.guard_rows import EVENT_GUARD as EVENT_GUARD
from bridge.control.morph_rows import LANE_MORPH as LANE_MORPH
from bridge.control.morph_rows import LANE_RECALL as LANE_RECALL
from bridge.control.morph_rows import LANE_SLOT as LANE_SLOT
from bridge.control.morph_rows import LANE_SURFACE as LANE_SURFACE
from bridge.control.morph_rows import PRESET_LIST as PRESET_LIST
from bridge.control.morph_rows import PRESET_SAVE as PRESET_SAVE
from bridge.control.plugin_rows import PLUGIN_ANSWERS as PLUGIN_ANSWERS
from bridge.control.plugin_rows import PLUGIN_CLEAR as PLUGIN_CLEAR
from bridge.control.plugin_rows import PLUGIN_ENGINE as PLUGIN_ENGINE
from bridge.control.plugin_rows import PLUGIN_ERROR as PLUGIN_ERROR
from bridge.control.plugin_rows import PLUGIN_OK as PLUGIN_OK
from bridge.control.plugin_rows import PLUGIN_PRESS as PLUGIN_PRESS
from bridge.control.plugin_rows import PLUGIN_PROMPT as PLUGIN_PROMPT
from bridge.control.plugin_rows import PLUGIN_REQUESTS as PLUGIN_REQUESTS
from bridge.control.plugin_rows import PLUGIN_SET as PLUGIN_SET
from bridge.control.plugin_rows import PLUGIN_START as PLUGIN_START
from bridge.control.plugin_rows import PLUGIN_STATUS as PLUGIN_STATUS
from bridge.control.plugin_rows import PLUGIN_VIEW as PLUGIN_VIEW
from bridge.control.rows import ADDRESS, AT, ID, LANE, LANE_STATE, NAME, PLACED, ROLE, START, TEXT, UNDERSTOOD
from bridge.control.rows import LANES_MAX as LANES_MAX
from bridge.control.rows import ROLES as ROLES
from bridge.control.rows import SHORT as SHORT
from bridge.control.rows import short as short
from bridge.control.state_rows import DUMP as DUMP
from bridge.control.state_rows import DUMPED as DUMPED
from bridge.control.state_rows import REPORT as REPORT
from bridge.control.state_rows import STATE_BEAT as STATE_BEAT
from bridge.control.state_rows import STATE_ENGINE as STATE_ENGINE
from bridge.control.state_rows import STATE_EVENTS as STATE_EVENTS
from bridge.control.state_rows import STATE_LANE as STATE_LANE
from bridge.control.state_rows import STATE_LEVELS as STATE_LEVELS
from bridge.control.state_rows import STATE_PARAMETER as STATE_PARAMETER
from bridge.control.state_rows import STATE_PENDING as STATE_PENDING
from bridge.control.state_rows import STATE_PROGRESS as STATE_PROGRESS
from bridge.control.state_rows import STATE_PROMPT as STATE_PROMPT
from bridge.control.state_rows import STATE_REQUESTS as STATE_REQUESTS
from bridge.control.state_rows import STATE_RING as STATE_RING
from bridge.control.state_rows import STATE_TAKE as STATE_TAKE
from bridge.control.state_rows import STATE_TIME as STATE_TIME
from bridge.control.state_rows import SUBSCRIBE as SUBSCRIBE
from bridge.control.state_rows import SUBSCRIPTIONS as SUBSCRIPTIONS
from bridge.control.state_rows import UNSUBSCRIBE as UNSUBSCRIBE
from bridge.control.take_rows import EVENT_TAKE as EVENT_TAKE
from bridge.control.take_rows import TAKE_MADE as TAKE_MADE
from bridge.control.time_rows import EVENT_TIME as EVENT_TIME
from bridge.control.time_rows import TAP as TAP
from bridge.control.time_rows import TRANSPORT as TRANSPORT

PROTOCOL = 4  # grows when a request gains an argument or changes its meaning: engines refuse what they do not know
DEFAULT_PORT = 9600
COUNTED_FROM = 2**20  # ids from here on are used once; a message box may repeat one below
LANE_COMMANDS_PER_SECOND = 20.0  # that a lane accepts
REQUEST_BYTES_MAX = 1400  # what we send; all audio programs accept as much
CHUNK_BYTES = 960  # of a region, before base64: the datagram stays under REQUEST_BYTES_MAX
CHUNKS_MAX = 65536
ENCODINGS = ("s16", "f32")
STATES = ("loading", "ready", "empty", "stopping", "failed")
PRECISIONS = ("auto", "float32", "float16", "bfloat16", "int8", "int4")

# fmt: off
# -- the engine ---------------------------------------------------------------------------------------

STATUS = rows.request(
    "status",
    reply=(
        Argument("state", "s", "of the engine", choices=STATES),
        rows.text("model", "name to load the model by; empty: none is loaded"),
        rows.text("device", "the device it runs on"),
        rows.count("lanes_open", "lanes that are open"),
        rows.count("lanes_max", "the most lanes that can be open"),
        rows.text("text", "more about the state, or empty"),
    ),
    meaning="Reads the engine's state.", asks=True,
)
STATS = rows.request(
    "stats",
    reply=(
        rows.figure("uptime_seconds", "since the engine started", "s"),
        rows.figure("memory_mb", "resident memory", "MB"),
        rows.figure("step_ms", "one step of the language model, median", "ms"),
        rows.figure("decode_ms", "the codec's time per frame, median", "ms"),
        rows.figure("realtime_ratio", "seconds of audio made per second of work, all lanes together"),
        rows.figure("messages", "messages received"),
        rows.figure("refused", "of these, answered with an error or dropped"),
    ),
    meaning="Reads what the engine measures.", asks=True,
)
PRESETS = rows.request(
    "presets", reply=(rows.text("names", "separated by spaces"),), meaning="Lists the presets.", asks=True,
)
QUIT = rows.request("quit", meaning="Ends the engine cleanly. Accepted from this machine only.", local=True)

# -- models -------------------------------------------------------------------------------------------

_MODEL_NAME = rows.text("name", "embedded, small, melody, style, ... or a folder; `model/list` has them", 500)

MODEL = rows.request(
    "model",
    reply=(
        rows.text("model", "its name, to load it by"),
        rows.count("rate_hz", "its own sample rate", "Hz"),
        rows.count("channels", "its own channels"),
        rows.figure("window_seconds", "length of its window", "s"),
        rows.text("abilities", "a list of: text melody style continue tempo harmony"),
        rows.text("license", "of its weights"),
        rows.text("precision", "of its weights while it runs"),
        rows.text("notes", "sentences for the user; or empty"),
    ),
    meaning="Describes the loaded model. Requests that it cannot follow are refused as `unsupported`.", asks=True,
)
MODEL_LIST = rows.request(
    "model/list",
    reply=(
        rows.text("here", "names of models on the engine's machine, separated by spaces"),
        rows.text("known", "names that can be downloaded"),
    ),
    meaning="Lists names for `model/load`, which also accepts folders.", asks=True,
)
MODEL_LOAD = rows.request(
    "model/load", _MODEL_NAME,
    rows.text("device", "cpu, cuda, cuda:1, mps or auto; empty: the device that the engine was started with", 32, ""),
    Argument("precision", "s", "of the weights; auto: what suits the device", choices=PRECISIONS, default="auto"),
    reply=(
        rows.text("model", "its name"),
        rows.figure("seconds", "duration of the load", "s"),
        rows.text("notes", "sentences for the user; or empty"),
    ),
    meaning="Loads a model and changes over to it. The old model plays until the new one is hot, if memory allows; "
    "playing lanes then change over on a bar line of their host. A later load replaces this one. "
    "If the load fails, the old model stays.",
    slow=True, local=True, progress="several a second: how far a stage is, in thousandths, and in words",
)
MODEL_CANCEL = rows.request(
    "model/cancel", meaning="Cancels the present load; the old model stays.", local=True
)
MODEL_UNLOAD = rows.request(
    "model/unload",
    reply=(rows.figure("memory_mb", "resident memory afterwards", "MB"),),
    meaning="Ends all streams with a short fade and frees the model's memory. Lanes stay open.", slow=True, local=True,
)

# -- lanes --------------------------------------------------------------------------------------------

LANE_OPEN = rows.request(
    "lane/open",
    rows.bounded("lane", "i", "which stream of music; -1: the first free one", -1, LANES_MAX - 1),
    rows.bounded("rate_hz", "i", "sample rate of the host", 8000, 192000, "Hz", 48000),
    rows.bounded("channels", "i", "channels that the host wants", 1, 2, default=2),
    rows.bounded("waits", "i", "1: the host waits for its music, as for a take: lanes that play go first, and no "
                 "command comes too late", 0, 1, default=0),
    reply=(
        rows.count("lane", "the lane that was opened"),
        rows.text("ring", "name of the shared-memory ring that its audio goes to"),
    ),
    meaning="Opens a lane. Opening it again, by the same client in the same format, gives the same ring.",
)
LANE_CLOSE = rows.request(
    "lane/close", LANE,
    meaning="Stops a lane at once and frees its ring; only for the client that opened it, or after that client left.",
    hop=True,
)  # fmt: skip
LANE_GET = rows.request(
    "lane/get", LANE, NAME,
    reply=(NAME, rows.figure("value", "its present value")),
    meaning="Reads one parameter of a lane.", asks=True,
)
LANE_STATUS = rows.request(
    "lane/status", LANE,
    reply=(
        LANE_STATE,
        rows.figure("written_beats", "beat up to which audio is ready", "beats"),
        rows.count("generation", "of the plan"),
        rows.count("seed", "of the random numbers"),
        rows.text("references", "roles of its regions"),
        rows.text("listener", "a host that plays, a host that stands, or nobody and what to do", 200),
        rows.text("fault", "why its music failed, and whether it is tried again; empty: no fault", 400),
        rows.text("prompt_weights", "of its prompts, at the host's position: '0.25 0.75'", 100),
        rows.text("style_weights", "of its style regions", 100),
    ),
    meaning="Reads the state of a lane.", asks=True,
)
LANE_RING = rows.request(
    "lane/ring", LANE, reply=(rows.text("ring", "name of its shared-memory ring", 64),),
    meaning="Reads the name of a lane's ring, for meters and pictures on this machine that listen to it.", asks=True,
)
LANE_TOKENS = rows.request(
    "lane/tokens", LANE, rows.bounded("first", "i", "frame to begin with, from 0", 0, WHOLE_MAX, default=0),
    reply=(
        rows.count("frames", "of the codec in all, without those of the audio prompt"),
        rows.count("codebooks", "codes in each frame"),
        rows.figure("frames_per_second", "rate of the codec's frames"),
        rows.text("data", "base64 of codes from `first` on, frame by frame, 16 bits each, little-endian", 1400),
    ),
    meaning="Reads the codes of a lane's music, also of the last one that ended. Ask again for what is missing.",
    asks=True, hop=True,
)
LANE_STATS = rows.request(
    "lane/stats", LANE,
    reply=(
        rows.figure("fill_seconds", "audio in the ring, ready to play", "s"),
        rows.figure("fill_low_seconds", "the least since the stream began", "s"),
        rows.figure("first_sound_seconds", "from play to the first block in the ring", "s"),
        rows.figure("realtime_ratio", "seconds of audio made per second of work"),
        rows.count("late_blocks", "made too late to be heard"),
        rows.count("rolls", "how often the model's window rolled"),
        rows.figure("change_seconds", "from the last change of prompt, reference or parameter to its sound", "s"),
        rows.text("heard", "from command to sound: `command median latest times` in seconds, separated by commas"),
        rows.count("faults", "detected by the guard in this stream"),
        rows.count("faults_passed", "of these, played"),
        rows.count("chosen", "how often a candidate was chosen"),
        rows.figure("off_ms", "how far the music was off the beat before the correction, last event/grid", "ms"),
        rows.figure("beat_sure", "how sure that is, 0 to 1"),
    ),
    meaning="Reads what is measured on a lane.", asks=True,
)

# -- regions ------------------------------------------------------------------------------------------

REGION_FILE = rows.request(
    "region/file", LANE, ROLE, rows.text("path", "of a WAV, FLAC, AIFF, OGG or MP3 file; absolute"),
    REGION_BPM, START, AT,
    reply=(*UNDERSTOOD, *PLACED),
    meaning="Hands over music by path. Taken only from this machine.", slow=True, local=True,
)
REGION_BEGIN = rows.request(
    "region/begin", LANE, ROLE,
    rows.bounded("transfer", "i", "number of the transfer, chosen by the client", 1, WHOLE_MAX),
    rows.bounded("samples", "i", "samples per channel", 1, WHOLE_MAX),
    rows.bounded("channels", "i", "interleaved", 1, 8),
    rows.bounded("rate_hz", "i", "sample rate", 1, WHOLE_MAX, "Hz"),
    Argument("encoding", "s", "16-bit or 32-bit float samples, little-endian", choices=ENCODINGS),
    REGION_BPM, START,
    reply=(
        rows.count("chunks", "how many are expected, numbered from 0"),
        rows.count("chunk_bytes", "of audio in each but the last, before base64", "B"),
    ),
    meaning="Begins a transfer of music in chunks, for clients on another machine.",
)
REGION_CHUNK = rows.request(
    "region/chunk",
    rows.bounded("transfer", "i", "number of the transfer", 1, WHOLE_MAX),
    rows.bounded("chunk", "i", "its number, from 0", 0, CHUNKS_MAX - 1),
    rows.text("data", "base64 of its bytes", 4 * CHUNK_BYTES // 3),
    meaning="Sends one chunk, in any order; duplicates are harmless. Answered only if it does not fit.", quiet=True,
)
REGION_END = rows.request(
    "region/end",
    rows.bounded("transfer", "i", "number of the transfer", 1, WHOLE_MAX),
    Argument("crc32", "s", "of all bytes, 8 hexadecimal digits; or empty", default="", max_length=8),
    AT,
    reply=(
        rows.count("missing", "chunks that are missing; 0: the music is in place"),
        rows.text("list", "numbers of the first missing ones: '3 17 20-25'"),
        *UNDERSTOOD, *PLACED,
    ),
    meaning="Ends a transfer, or names the chunks to send again; end it again with a new id.", slow=True,
)

# -- answers and events, engine to client ----------------------------------------------------------------

OK = rows.answer("ok", ID, ADDRESS, meaning="The request is done; the values of its row follow.", rest=True)
ERROR = rows.answer(
    "error", ID, ADDRESS, rows.text("code", "a word of the table of errors", 32), TEXT,
    meaning="The request was refused or failed. The id is 0 if the message has none that can be read.",
)
PROGRESS = rows.answer(
    "progress", ID, ADDRESS, rows.count("done", "work done"), rows.count("total", "of so much; 0: unknown"), TEXT,
    meaning="Reports the progress of a slow request.",
)
EVENT_ENGINE = rows.answer(
    "event/engine", rows.text("state", ", ".join(STATES)), TEXT,
    meaning="The engine's state changed.",
)
EVENT_MODEL = rows.answer(
    "event/model",
    Argument("state", "s", "of the model", choices=("loading", "ready", "note", "failed", "unloaded")),
    rows.text("model", "its name"), TEXT,
    meaning="A model is being loaded, has taken over, or is unloaded; `note` is a sentence for the user.",
)
EVENT_EXCERPT = rows.answer(
    "event/excerpt", LANE, rows.figure("start_seconds", "where the excerpt begins in the style region", "s"),
    rows.figure("seconds", "its length", "s"),
    meaning="A window of the lane is conditioned on this excerpt of the style region.",
)
EVENT_LANE = rows.answer(
    "event/lane", LANE, LANE_STATE,
    rows.figure("beats", "position on the timeline", "beats"), TEXT,
    meaning="A lane's state changed. After a failure of its music the lane is `preparing` again, and the text has the "
    "reason and the number of the try; the text of `failed` says what to do.",
)
EVENT_LATE = rows.answer(
    "event/late", LANE, rows.count("blocks", "made too late to be heard, since the last such event"), TEXT,
    meaning="The engine falls behind; at most once a second.",
)

# fmt: on

REQUESTS: tuple[Message, ...] = (
    HELLO, CHALLENGE, BYE, PING, SYNC, STATUS, STATS, PRESETS, QUIT,
    MODEL, MODEL_LIST, MODEL_LOAD, MODEL_CANCEL, MODEL_UNLOAD,
    LANE_OPEN, LANE_CLOSE, LANE_SET, LANE_GET, LANE_PROMPT, LANE_SLOT, LANE_MORPH, LANE_SURFACE, LANE_PRESET,
    LANE_RECALL, PRESET_SAVE, PRESET_LIST, LANE_PLAY, LANE_STOP, LANE_MUTE, LANE_RESEED, LANE_CANCEL, LANE_SCHEDULED,
    LANE_STATUS, LANE_STATS, LANE_TOKENS, LANE_RING,
    TRANSPORT, TAP, REGION_FILE, REGION_BEGIN, REGION_CHUNK, REGION_END, REGION_CLEAR,
    REGION_CAPTURE, REGION_LISTEN, TAKE_MADE, *STATE_REQUESTS,
)  # fmt: skip
ANSWERS: tuple[Message, ...] = (OK, ERROR, PROGRESS)
EVENTS: tuple[Message, ...] = (
    EVENT_ENGINE, EVENT_MODEL, EVENT_LANE, EVENT_EXCERPT, EVENT_LATE, EVENT_TIME, EVENT_HEARD, EVENT_GUARD,
    EVENT_REGION, EVENT_GRID, EVENT_CLIENT, EVENT_TAKE, *STATE_EVENTS,
)  # fmt: skip
TABLE: dict[str, Message] = {
    row.address: row for row in (*REQUESTS, *ANSWERS, *EVENTS, *PLUGIN_REQUESTS, *PLUGIN_ANSWERS)
}
